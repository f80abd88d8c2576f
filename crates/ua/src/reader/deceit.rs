//! Links and names that look like something else than they are.

use crate::desk::{Person, Warning};

/// Whether what is seen of a link is the address of another host than the one it leads to.
pub(super) fn is_deceptive(seen: &str, target: &str) -> bool {
    let Some(real) = host_of(target) else { return false };
    let seen = seen.trim();
    // Only a text that is an address on the whole: "see docs.example for more" is a sentence.
    if seen.contains(char::is_whitespace) || seen.contains('@') {
        return false;
    }
    let Some(shown) = host_of(seen).or_else(|| bare_host(seen)) else { return false };
    let strip = |host: &str| host.strip_prefix("www.").unwrap_or(host).to_owned();
    let (shown, real) = (strip(&shown), strip(&real));
    shown != real && !real.ends_with(&format!(".{shown}")) && !shown.ends_with(&format!(".{real}"))
}

/// The host of an `http` or `https` address.
fn host_of(address: &str) -> Option<String> {
    let lower = address.trim().to_ascii_lowercase();
    let rest = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://"))?;
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    // What stands before an `@` is no host, however much it looks like one.
    let host = authority.rsplit('@').next()?.split(':').next()?;
    (!host.is_empty()).then(|| host.to_owned())
}

/// `bank.example/login` without a scheme. The last label must be a word, or any file name would be one.
fn bare_host(text: &str) -> Option<String> {
    let host = text.split(['/', '?', '#']).next()?.to_ascii_lowercase();
    let labels: Vec<&str> = host.split('.').collect();
    let is_label = |label: &&str| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-');
    let is_host = labels.len() >= 2
        && labels.iter().all(is_label)
        && labels.last().is_some_and(|last| last.len() >= 2 && last.chars().all(char::is_alphabetic));
    // `report.pdf` is a file more often than a host.
    let is_file = matches!(
        labels.last(),
        Some(
            &("pdf" | "doc" | "docx" | "xls" | "xlsx" | "zip" | "png" | "jpg" | "txt" | "html" | "rs" | "py")
        )
    );
    (is_host && (!is_file || text.contains('/'))).then_some(host)
}

/// What is odd about who it says it is from.
pub(super) fn sender_warnings(from: Option<&Person>, reply_to: &[Person]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let Some(from) = from else { return warnings };
    let named = from.name.split([' ', '<', '>', '"', '(', ')', ',']).find(|word| is_address(word));
    if named.is_some_and(|named| !named.eq_ignore_ascii_case(&from.address)) {
        warnings.push(Warning::NameIsAnotherAddress { name: from.name.clone() });
    }
    let elsewhere = reply_to.iter().find(|to| !is_same_organisation(&to.address, &from.address));
    if let Some(to) = elsewhere {
        warnings.push(Warning::AnswersGoElsewhere { address: to.address.clone() });
    }
    warnings
}

fn is_address(word: &str) -> bool {
    word.rsplit_once('@').is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.'))
}

/// One domain is the other, or below it.
fn is_same_organisation(one: &str, other: &str) -> bool {
    let domain = |address: &str| address.rsplit('@').next().unwrap_or_default().to_ascii_lowercase();
    let (one, other) = (domain(one), domain(other));
    one == other || one.ends_with(&format!(".{other}")) || other.ends_with(&format!(".{one}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links() {
        for (seen, target, expected) in [
            ("https://bank.example", "https://evil.example/bank.example", true),
            ("https://bank.example", "https://bank.example@evil.example/", true),
            ("bank.example/login", "http://evil.example", true),
            ("www.bank.example", "https://bank.example/x", false),
            ("https://bank.example", "https://login.bank.example/", false),
            ("click here", "https://evil.example", false),
            ("report.pdf", "https://files.example/report.pdf", false),
            ("ada@north.example", "https://evil.example", false),
            ("https://bank.example", "mailto:x@y.example", false),
            ("5.10", "https://x.example", false),
        ] {
            assert_eq!(is_deceptive(seen, target), expected, "{seen} {target}");
        }
    }

    #[test]
    fn senders() {
        let from = Person::new("\"boss@south.example\" via x", "mallory@west.example");
        assert!(matches!(&sender_warnings(Some(&from), &[])[..], [Warning::NameIsAnotherAddress { .. }]));
        let from = Person::new("Ada", "ada@lists.north.example");
        assert_eq!(sender_warnings(Some(&from), &[Person::new("", "ada@north.example")]), []);
        let answers = [Person::new("", "ada@west.example")];
        assert!(matches!(&sender_warnings(Some(&from), &answers)[..], [Warning::AnswersGoElsewhere { .. }]));
    }
}
