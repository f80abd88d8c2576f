//! Raw header sections: where they end, and their fields one by one, without copying.
//!
//! Lines may end with CRLF or bare LF; nothing here fails.

use memchr::memchr;

/// One field as it stands in the section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawField<'a> {
    /// The name, without white space before the colon (RFC 5322 §4.5 allows it there). Empty for
    /// a line that is no field: one without a colon, or a continuation with nothing before it.
    pub name: &'a [u8],
    /// All after the colon, folding included, the last line end not included. The whole line
    /// where there is no name.
    pub value: &'a [u8],
    /// The field with all its line ends.
    pub raw: &'a [u8],
    /// Where the field begins, in octets from the start of the section.
    pub offset: usize,
}

/// The fields of a raw header section in their order. Ends at the empty line or the end of input.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    section: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    /// Over a section, or a whole message, whose body is not looked at.
    pub fn new(section: &'a [u8]) -> Self {
        Fields { section, at: 0 }
    }

    /// Octets gone through so far; once the iterator has ended: where the empty line begins.
    pub fn position(&self) -> usize {
        self.at
    }
}

/// Where the field that begins at `start` ends: behind the line end that no white space follows.
fn field_end(section: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(line) = memchr(b'\n', &section[at..]) {
        at += line + 1;
        if !matches!(section.get(at), Some(b' ' | b'\t')) {
            return at;
        }
    }
    section.len()
}

fn without_line_end(field: &[u8]) -> &[u8] {
    let field = field.strip_suffix(b"\n").unwrap_or(field);
    field.strip_suffix(b"\r").unwrap_or(field)
}

impl<'a> Iterator for Fields<'a> {
    type Item = RawField<'a>;

    fn next(&mut self) -> Option<RawField<'a>> {
        let offset = self.at;
        let rest = &self.section[offset..];
        if rest.is_empty() || rest.starts_with(b"\r\n") || rest.starts_with(b"\n") {
            return None;
        }
        self.at = field_end(self.section, offset);
        let raw = &self.section[offset..self.at];
        let content = without_line_end(raw);
        let first_line = &content[..memchr(b'\n', content).unwrap_or(content.len())];
        let colon = match raw[0] {
            b' ' | b'\t' => None,
            _ => memchr(b':', first_line),
        };
        let (name, value) = match colon {
            Some(colon) => (content[..colon].trim_ascii_end(), &content[colon + 1..]),
            None => (&content[..0], content),
        };
        Some(RawField { name, value, raw, offset })
    }
}

/// Divides a message at the empty line: the header section with the line end of its last field,
/// and the body. Without an empty line all is header section.
pub fn split(message: &[u8]) -> (&[u8], &[u8]) {
    let mut fields = Fields::new(message);
    fields.by_ref().for_each(drop);
    let (section, rest) = message.split_at(fields.position());
    let body = rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n")).unwrap_or(rest);
    (section, body)
}

/// The raw value of the first field with this name, white space around it cut off, folding kept.
/// The section may be a whole message.
pub fn first<'a>(section: &'a [u8], name: &str) -> Option<&'a [u8]> {
    all(section, name).next()
}

/// The raw values of all fields with this name, in their order.
pub fn all<'a, 'n>(section: &'a [u8], name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
    Fields::new(section)
        .filter(move |field| field.name.eq_ignore_ascii_case(name.as_bytes()))
        .map(|field| field.value.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &[u8] =
        b"Subject: one\r\n two\r\nmessage-id : <a@b>\r\nno colon here\nTo:x\nSubject: again\n\r\nSubject: body\r\n";

    #[test]
    fn look_ups_end_with_the_section() {
        assert_eq!(first(MESSAGE, "subject"), Some(&b"one\r\n two"[..]));
        assert_eq!(all(MESSAGE, "SUBJECT").count(), 2);
        assert_eq!(first(MESSAGE, "Message-ID"), Some(&b"<a@b>"[..]));
        assert_eq!(first(MESSAGE, "To"), Some(&b"x"[..]));
        assert_eq!(first(MESSAGE, "Cc"), None);
    }

    #[test]
    fn fields_and_rest_are_the_message() {
        let joined: Vec<u8> = Fields::new(MESSAGE).flat_map(|field| field.raw.to_vec()).collect();
        let (section, body) = split(MESSAGE);
        assert_eq!(joined, section);
        assert_eq!(body, b"Subject: body\r\n");
        assert_eq!(Fields::new(MESSAGE).filter(|field| field.name.is_empty()).count(), 1);
    }

    #[test]
    fn sections_without_end_or_fields() {
        assert_eq!(split(b""), (&b""[..], &b""[..]));
        assert_eq!(split(b"\r\nbody"), (&b""[..], &b"body"[..]));
        assert_eq!(split(b"A: b"), (&b"A: b"[..], &b""[..]));
        assert_eq!(first(b" continuation: x\r\nA: b", "A"), Some(&b"b"[..]));
    }
}
