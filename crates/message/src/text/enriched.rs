//! `text/enriched` (RFC 1896) and `text/richtext` (RFC 1341 §7.1.3), as plain text and as HTML.

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// RFC 1896: `<<` is a `<`; a single line end is a space, of several one is left out.
    Enriched,
    /// RFC 1341: `<lt>`, `<nl>`, `<np>` are characters; every line end is a space.
    Richtext,
}

/// Commands within commands that are kept track of.
const NESTING_MAX: usize = 100;
/// RFC 1896: a token has at most 60 characters; more is taken for text.
const COMMAND_OCTETS_MAX: usize = 60;

/// What a text is made of.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'t> {
    Text(&'t str),
    /// Line ends, so many.
    Breaks(usize),
    /// The name, and whether it closes.
    Command(&'t str, bool),
}

/// Cuts off the next piece.
fn next_piece(text: &str, dialect: Dialect) -> (Piece<'_>, &str) {
    if let Some(rest) = text.strip_prefix("<<").filter(|_| dialect == Dialect::Enriched) {
        return (Piece::Text("<"), rest);
    }
    if let Some(after) = text.strip_prefix('<')
        && let Some(end) =
            after.as_bytes().iter().take(COMMAND_OCTETS_MAX + 2).position(|octet| *octet == b'>')
    {
        let name = &after[..end];
        let (name, closes) = name.strip_prefix('/').map_or((name, false), |name| (name, true));
        if name.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-') {
            return (Piece::Command(name, closes), &after[end + 1..]);
        }
    }
    if text.starts_with(['\r', '\n']) {
        let end = text.find(|c| c != '\r' && c != '\n').unwrap_or(text.len());
        let breaks = text[..end].bytes().filter(|octet| *octet == b'\n').count().max(1);
        return (Piece::Breaks(breaks), &text[end..]);
    }
    let first = text.chars().next().map_or(0, char::len_utf8);
    let end = text[first..].find(['<', '\r', '\n']).map_or(text.len(), |at| first + at);
    (Piece::Text(&text[..end]), &text[end..])
}

/// How a dialect is turned into something else.
struct Renderer {
    out: String,
    is_html: bool,
    dialect: Dialect,
    /// Open commands, innermost last, in lower case.
    open: Vec<String>,
}

/// As plain text, with LF.
pub fn to_plain(text: &str, dialect: Dialect) -> String {
    render(text, dialect, false)
}

/// As an HTML fragment: only tags without attributes are made, so that nothing can be smuggled in.
pub fn to_html(text: &str, dialect: Dialect) -> String {
    render(text, dialect, true)
}

fn render(text: &str, dialect: Dialect, is_html: bool) -> String {
    let mut renderer =
        Renderer { out: String::with_capacity(text.len()), is_html, dialect, open: Vec::new() };
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, after) = next_piece(rest, dialect);
        match piece {
            Piece::Text(text) => renderer.text(text),
            Piece::Breaks(count) => renderer.breaks(count),
            Piece::Command(name, closes) => renderer.command(&name.to_ascii_lowercase(), closes),
        }
        rest = after;
    }
    while let Some(name) = renderer.open.pop() {
        renderer.tag(&name, true);
    }
    renderer.out
}

impl Renderer {
    fn is_in(&self, name: &str) -> bool {
        self.open.iter().any(|open| open == name)
    }

    fn text(&mut self, text: &str) {
        // Parameters (colours, fonts, languages) and comments are not shown.
        if self.is_in("param") || self.is_in("comment") {
            return;
        }
        if !self.is_html {
            return self.out.push_str(text);
        }
        for character in text.chars() {
            match character {
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '&' => self.out.push_str("&amp;"),
                _ => self.out.push(character),
            }
        }
    }

    fn breaks(&mut self, count: usize) {
        let shown = match self.dialect {
            Dialect::Enriched if self.is_in("nofill") => count,
            Dialect::Enriched => count - 1,
            Dialect::Richtext => 0,
        };
        if shown == 0 {
            return self.text(" ");
        }
        for _ in 0..shown {
            self.line_break();
        }
    }

    fn line_break(&mut self) {
        if self.is_in("param") || self.is_in("comment") {
            return;
        }
        self.out.push_str(if self.is_html { "<br>\n" } else { "\n" });
    }

    fn command(&mut self, name: &str, closes: bool) {
        match (self.dialect, name) {
            (Dialect::Richtext, "lt") => self.text("<"),
            (Dialect::Richtext, "nl" | "np") => self.line_break(),
            _ if closes => self.close(name),
            _ if self.open.len() < NESTING_MAX => {
                self.tag(name, false);
                self.open.push(name.to_owned());
            }
            _ => {}
        }
    }

    /// Closes what is open, and all that was opened within and not closed.
    fn close(&mut self, name: &str) {
        let Some(at) = self.open.iter().rposition(|open| open == name) else { return };
        while self.open.len() > at {
            if let Some(inner) = self.open.pop() {
                self.tag(&inner, true);
            }
        }
    }

    fn tag(&mut self, name: &str, closes: bool) {
        let tag = match name {
            "bold" => "b",
            "italic" => "i",
            "underline" => "u",
            "fixed" => "tt",
            "smaller" => "small",
            "bigger" => "big",
            "excerpt" => "blockquote",
            "paragraph" | "center" | "flushleft" | "flushright" | "flushboth" => "div",
            "subscript" => "sub",
            "superscript" => "sup",
            _ => return,
        };
        if self.is_html {
            let slash = if closes { "/" } else { "" };
            self.out.push_str(&format!("<{slash}{tag}>"));
        } else if tag == "div" && !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enriched() {
        let text = "<bold>Now</bold> is the time for <italic>all</italic> good men\r\n<smaller>(and <<women>)</smaller> to\r\n<ignoreme>come</ignoreme>\r\n\r\nto the aid of their\r\n\r\n\r\n<color><param>red</param>beloved</color> country.";
        assert_eq!(
            to_plain(text, Dialect::Enriched),
            "Now is the time for all good men (and <women>) to come\nto the aid of their\n\nbeloved country."
        );
        assert_eq!(
            to_html("<bold>a<italic>b</bold> & <<x", Dialect::Enriched),
            "<b>a<i>b</i></b> &amp; &lt;x"
        );
        assert_eq!(to_plain("<nofill>a\nb</nofill>", Dialect::Enriched), "a\nb");
        assert_eq!(to_plain("a < b <nosuch", Dialect::Enriched), "a < b <nosuch");
    }

    #[test]
    fn richtext() {
        let text = "<bold>Now</bold> is the time for\r\n<italic>all</italic> good men <smaller>(and <lt>women>)</smaller>\r\nto <comment>hidden</comment>come<nl>to the aid";
        assert_eq!(
            to_plain(text, Dialect::Richtext),
            "Now is the time for all good men (and <women>) to come\nto the aid"
        );
    }
}
