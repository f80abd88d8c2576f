//! `text/plain; format=flowed` (RFC 3676).

/// Columns that flowed lines are broken at (RFC 3676 §4.2 asks for 78 at most, 66 or so to be nice
/// to quoting).
pub const FLOWED_COLUMNS: usize = 72;

/// A line: how deep it is quoted, and its content without quote marks and stuffing.
struct Line<'t> {
    depth: usize,
    content: &'t str,
}

impl<'t> Line<'t> {
    fn of(line: &'t str) -> Self {
        let depth = line.bytes().take_while(|octet| *octet == b'>').count();
        let content = &line[depth..];
        // RFC 3676 §4.4: one space of stuffing.
        Line { depth, content: content.strip_prefix(' ').unwrap_or(content) }
    }

    /// RFC 3676 §4.3: the signature separator is fixed, whatever it ends with.
    fn is_flowed(&self) -> bool {
        self.content.ends_with(' ') && self.content != "-- "
    }
}

/// Paragraphs joined to single lines, with LF. With `delsp` the space at which a line flows is
/// taken out (for languages without spaces).
pub fn unflow(text: &str, delsp: bool) -> String {
    let mut joined = String::with_capacity(text.len());
    let mut open_depth: Option<usize> = None;
    let text = text.strip_suffix('\n').unwrap_or(text);
    for raw in text.split('\n') {
        let line = Line::of(raw.strip_suffix('\r').unwrap_or(raw));
        // §4.5: a change of depth ends a paragraph, even one that flows.
        let goes_on = open_depth == Some(line.depth) && line.content != "-- ";
        if !goes_on {
            if open_depth.is_some() {
                joined.push('\n');
            }
            joined.extend(std::iter::repeat_n('>', line.depth));
            if line.depth > 0 {
                joined.push(' ');
            }
        }
        let is_flowed = line.is_flowed();
        let content = if is_flowed && delsp { &line.content[..line.content.len() - 1] } else { line.content };
        joined.push_str(content);
        open_depth = is_flowed.then_some(line.depth);
        if !is_flowed {
            joined.push('\n');
        }
    }
    if open_depth.is_some() {
        joined.push('\n');
    }
    joined
}

/// Lines of a text broken softly, with CRLF: what [`unflow`] joins again. Quote marks at the start
/// of a line (`> `) are taken as such.
pub fn flow(text: &str) -> String {
    let mut flowed = String::with_capacity(text.len() + text.len() / 32);
    let text = text.strip_suffix('\n').unwrap_or(text);
    for raw in text.split('\n') {
        let line = Line::of(raw.strip_suffix('\r').unwrap_or(raw));
        // Unquoted text keeps its first space: it is no stuffing.
        let content = if line.depth == 0 { raw.strip_suffix('\r').unwrap_or(raw) } else { line.content };
        let content = if content == "-- " { content } else { content.trim_end_matches(' ') };
        flow_line(line.depth, content, &mut flowed);
    }
    flowed
}

fn flow_line(depth: usize, content: &str, flowed: &mut String) {
    let mut rest = content;
    loop {
        let start = flowed.len();
        flowed.extend(std::iter::repeat_n('>', depth));
        // §4.4: stuffing where a line would be taken for something else, and behind quote marks.
        if depth > 0 || rest.starts_with([' ', '>']) || rest.starts_with("From ") {
            flowed.push(' ');
        }
        let room = FLOWED_COLUMNS.saturating_sub(flowed.len() - start).max(10);
        let length = break_at(rest, room);
        let (now, later) = rest.split_at(length);
        flowed.push_str(now);
        flowed.push_str("\r\n");
        if later.is_empty() {
            return;
        }
        rest = later;
    }
}

/// Octets up to behind a space at which the line may be broken: the last one within the room, or
/// the first one beyond.
fn break_at(text: &str, room: usize) -> usize {
    if text.chars().count() <= room {
        return text.len();
    }
    let mut best = None;
    for (column, (at, character)) in text.char_indices().enumerate() {
        if column >= room && best.is_some() {
            break;
        }
        // A run of spaces is broken behind its last one, since the next line must not begin with one.
        if character == ' ' && !text[at + 1..].starts_with(' ') && at + 1 < text.len() {
            best = Some(at + 1);
        }
    }
    match best {
        // The signature separator would change the meaning.
        Some(end) if &text[..end] != "-- " => end,
        _ => text.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paragraphs() {
        assert_eq!(unflow("a \r\nb\r\nc\r\n", false), "a b\nc\n");
        assert_eq!(unflow("a \r\nb\r\n", true), "ab\n");
        assert_eq!(unflow("> a \r\n> b\r\n>> c \r\nd\r\n", false), "> a b\n>> c \nd\n");
        assert_eq!(unflow(" From x\r\n -- \r\n-- \r\nme\r\n", false), "From x\n-- \n-- \nme\n");
        assert_eq!(unflow("text \r\n-- \r\nme \r\n", false), "text \n-- \nme \n");
        assert_eq!(unflow("", false), "\n");
    }

    #[test]
    fn long_lines_are_broken_and_stuffed() {
        let line = "word ".repeat(40);
        let flowed = flow(line.trim_end());
        assert!(flowed.lines().all(|line| line.len() <= FLOWED_COLUMNS), "{flowed}");
        assert_eq!(unflow(&flowed, false), format!("{}\n", line.trim_end()));
        assert_eq!(flow("From x\n>q\n indented\n-- \n"), " From x\r\n> q\r\n  indented\r\n-- \r\n");
    }

    proptest! {
        #[test]
        fn what_flows_comes_back(lines in proptest::collection::vec("[a-zä]{1,30}( {1,2}[a-z>ö-]{1,30}){0,12}", 1..5)) {
            let text = lines.join("\n") + "\n";
            prop_assert_eq!(unflow(&flow(&text), false), text);
        }
    }
}
