//! Subjects without what agents put before them.

/// Before the subject of an answer or a forwarded message, in the languages of agents that translate them.
const MARKS: &[&str] = &[
    "re",
    "aw",
    "antw",
    "sv",
    "vs",
    "odp",
    "ref",
    "rif",
    "res",
    "bls",
    "ynt",
    "vá",
    "r",
    "回复",
    "回覆",
    "答复",
    "fwd",
    "fw",
    "wg",
    "tr",
    "i",
    "enc",
    "rv",
    "vb",
    "pd",
    "doorst",
    "továbbítás",
    "转发",
    "轉寄",
];

/// The subject without `Re:`, `Fwd:`, `AW:`, `Re[2]:` and the like; white space as single spaces.
pub fn base_subject(subject: &str) -> String {
    let mut rest = subject.trim();
    while let Some(behind) = without_mark(rest) {
        rest = behind.trim_start();
    }
    rest.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether it has such a mark.
pub fn is_reply_subject(subject: &str) -> bool {
    without_mark(subject.trim()).is_some()
}

fn without_mark(subject: &str) -> Option<&str> {
    let end = subject.find([':', '：'])?;
    let mark = subject[..end].trim_end();
    // `Re[3]:` and `Re (2):` of old agents.
    let mark = match mark.find(['[', '(']) {
        Some(open) if mark[open + 1..].trim_end_matches([']', ')']).bytes().all(|c| c.is_ascii_digit()) => {
            mark[..open].trim_end()
        }
        _ => mark,
    };
    let is_mark = mark.chars().count() <= 12 && MARKS.contains(&mark.to_lowercase().as_str());
    let colon = subject[end..].chars().next().map_or(1, char::len_utf8);
    is_mark.then(|| &subject[end + colon..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_go() {
        for (subject, base, is_reply) in [
            ("Tea?", "Tea?", false),
            ("Re: Tea?", "Tea?", true),
            ("RE: AW: Fwd:  Tea  at five", "Tea at five", true),
            ("Re[2]: Tea", "Tea", true),
            ("Re (3): Tea", "Tea", true),
            ("回复：茶", "茶", true),
            ("Reminder: Tea", "Reminder: Tea", false),
            ("Re:", "", true),
            ("a: b", "a: b", false),
            ("", "", false),
        ] {
            assert_eq!(
                (base_subject(subject).as_str(), is_reply_subject(subject)),
                (base, is_reply),
                "{subject}"
            );
        }
    }
}
