//! What is learnt about a message while its octets pass.

/// Facts about a message in wire form (CRLF lines, dot-stuffing undone), found while receiving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ContentFacts {
    /// Octets, after dot-stuffing is undone, with all CRLFs.
    pub size_octets: u64,
    /// Whether an octet above 127 occurs anywhere.
    pub has_8bit: bool,
    /// Whether an octet above 127 occurs in the header section (then it needs SMTPUTF8).
    pub has_8bit_headers: bool,
    /// Whether a line begins with a dot, so that sending it needs stuffing.
    pub has_leading_dot: bool,
    /// Octets of the longest line, CRLF included.
    pub longest_line_octets: u64,
    /// Whether it holds a CR or LF that is not part of a CR LF, or a NUL: such a content goes only where
    /// BINARYMIME is spoken (RFC 3030 §3), or converted.
    pub is_binary: bool,
    /// How many `Received:` fields the header section has (RFC 5321 §6.3).
    pub received_fields: u32,
}

/// Octets that RFC 5321 §2.3.8 and RFC 5322 §2.2 have no place for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LineFaults {
    /// A CR that is not followed by LF.
    pub bare_cr: bool,
    /// A LF that does not follow CR.
    pub bare_lf: bool,
    /// An octet of value zero.
    pub nul: bool,
}

impl LineFaults {
    /// Whether there is any.
    pub fn any(self) -> bool {
        self.bare_cr || self.bare_lf || self.nul
    }
}

impl ContentFacts {
    /// The facts of a content that lies whole in memory, and what is wrong with its lines.
    pub fn of(content: &[u8]) -> (ContentFacts, LineFaults) {
        let mut scan = ContentScan::new();
        scan.scan(content);
        (scan.facts(), scan.faults())
    }
}

/// Gathers [`ContentFacts`] from a content as it passes, in whatever pieces it comes.
///
/// Only CR LF ends a line here.
#[derive(Debug, Clone, Default)]
pub struct ContentScan {
    facts: ContentFacts,
    faults: LineFaults,
    /// Those within the header section.
    header_faults: LineFaults,
    /// The header section without the empty line after it.
    header_octets: u64,
    line_octets: u64,
    body: bool,
    field_name: FieldName,
    held_cr: bool,
}

impl ContentScan {
    /// At the start of a content.
    pub fn new() -> Self {
        Self::default()
    }

    /// The facts so far.
    pub fn facts(&self) -> ContentFacts {
        let held = u64::from(self.held_cr);
        ContentFacts {
            size_octets: self.facts.size_octets + held,
            longest_line_octets: self.facts.longest_line_octets.max(self.line_octets + held),
            is_binary: self.facts.is_binary || self.held_cr,
            ..self.facts
        }
    }

    /// The faults so far.
    pub fn faults(&self) -> LineFaults {
        LineFaults { bare_cr: self.faults.bare_cr || self.held_cr, ..self.faults }
    }

    /// The faults of what has ended: a CR whose LF may still come is none.
    pub fn faults_within(&self) -> LineFaults {
        self.faults
    }

    /// The faults of the header section so far.
    pub fn header_faults(&self) -> LineFaults {
        LineFaults { bare_cr: self.header_faults.bare_cr || self.held_cr && !self.body, ..self.header_faults }
    }

    /// The faults of what has ended of the header section.
    pub fn header_faults_within(&self) -> LineFaults {
        self.header_faults
    }

    /// Octets of the header section so far.
    pub fn header_section_octets(&self) -> u64 {
        self.header_octets
    }

    /// Octets of the line that has not ended.
    pub fn line_octets(&self) -> u64 {
        self.line_octets
    }

    /// Takes the next octets of the content.
    pub fn scan(&mut self, content: &[u8]) {
        let mut rest = content;
        if self.held_cr && !rest.is_empty() {
            self.held_cr = false;
            if rest[0] == b'\n' {
                self.end_of_line(b"\r\n");
                rest = &rest[1..];
            } else {
                self.note(|faults| faults.bare_cr = true);
                self.part_of_line(b"\r");
            }
        }
        // `at` runs over the octets that deserve a look; `rest` begins where the line (or what is
        // left of it) does.
        let mut at = 0;
        while let Some(found) = memchr::memchr3(b'\r', b'\n', 0, &rest[at..]) {
            let index = at + found;
            match (rest[index], rest.get(index + 1)) {
                (b'\r', Some(b'\n')) => {
                    self.end_of_line(&rest[..index + 2]);
                    rest = &rest[index + 2..];
                    at = 0;
                    continue;
                }
                (b'\r', None) => {
                    self.part_of_line(&rest[..index]);
                    self.held_cr = true;
                    return;
                }
                (b'\r', Some(_)) => self.note(|faults| faults.bare_cr = true),
                (b'\n', _) => self.note(|faults| faults.bare_lf = true),
                _ => self.note(|faults| faults.nul = true),
            }
            at = index + 1;
        }
        self.part_of_line(rest);
    }

    /// Takes octets known to hold no CR LF, and to be followed by more of the same line.
    pub(crate) fn part_of_line(&mut self, octets: &[u8]) {
        if octets.is_empty() {
            return;
        }
        self.facts.size_octets += octets.len() as u64;
        if self.line_octets == 0 && octets[0] == b'.' {
            self.facts.has_leading_dot = true;
        }
        self.line_octets += octets.len() as u64;
        let has_8bit = !octets.is_ascii();
        self.facts.has_8bit |= has_8bit;
        if !self.body {
            self.facts.has_8bit_headers |= has_8bit;
            self.header_octets += octets.len() as u64;
            if self.field_name.read(octets) {
                self.facts.received_fields += 1;
            }
        }
    }

    /// Takes the rest of a line with its CR LF.
    pub(crate) fn end_of_line(&mut self, octets: &[u8]) {
        debug_assert!(octets.ends_with(b"\r\n"));
        if self.line_octets == 0 && octets.len() == 2 {
            // The empty line that ends the header section (RFC 5322 §2.1).
            self.body = true;
        }
        self.part_of_line(octets);
        self.facts.longest_line_octets = self.facts.longest_line_octets.max(self.line_octets);
        self.line_octets = 0;
        self.field_name = FieldName::default();
    }

    /// A fault that stays in the content.
    pub(crate) fn note(&mut self, fault: impl Fn(&mut LineFaults)) {
        fault(&mut self.faults);
        self.facts.is_binary = true;
        if !self.body {
            fault(&mut self.header_faults);
        }
    }

    /// A fault that is mended on the way.
    pub(crate) fn note_mended(&mut self, fault: impl Fn(&mut LineFaults)) {
        fault(&mut self.faults);
    }
}

/// Looks whether a line of the header section begins `Received:`, in whatever pieces it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum FieldName {
    /// So many octets of the name were there.
    #[default]
    Start,
    Matched(u8),
    /// White space after the name (RFC 5322 §4.5.8 lets it stand before the colon).
    Space,
    Decided,
}

impl FieldName {
    /// Whether these octets made it a `Received:` field.
    fn read(&mut self, octets: &[u8]) -> bool {
        const NAME: &[u8] = b"received";
        for octet in octets {
            let matched = match *self {
                FieldName::Decided => return false,
                FieldName::Start => 0,
                FieldName::Matched(count) => usize::from(count),
                FieldName::Space => NAME.len(),
            };
            *self = match (NAME.get(matched), octet) {
                (None, b':') => {
                    *self = FieldName::Decided;
                    return true;
                }
                (None, b' ' | b'\t') => FieldName::Space,
                (Some(expected), octet) if octet.to_ascii_lowercase() == *expected => {
                    FieldName::Matched(matched as u8 + 1)
                }
                _ => FieldName::Decided,
            };
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scan(pieces: &[&[u8]]) -> (ContentFacts, LineFaults, u64) {
        let mut scan = ContentScan::new();
        for piece in pieces {
            scan.scan(piece);
        }
        (scan.facts(), scan.faults(), scan.header_section_octets())
    }

    #[test]
    fn facts_of_a_message() {
        let content =
            b"Received: from a\r\n by b\r\nRECEIVED : x\r\nReceived-SPF: pass\r\nSubject: \xc3\xa4\r\n\
            \r\nReceived: in the body\r\n.dot\r\nlast";
        let (facts, faults) = ContentFacts::of(content);
        assert_eq!(facts.size_octets, content.len() as u64);
        assert_eq!(facts.received_fields, 2);
        assert!(facts.has_8bit && facts.has_8bit_headers && facts.has_leading_dot);
        assert_eq!(facts.longest_line_octets, 23);
        assert_eq!(faults, LineFaults::default());
    }

    #[test]
    fn one_fact_at_a_time() {
        let plain = ContentFacts::default();
        let cases: &[(&[u8], ContentFacts, LineFaults)] = &[
            (b"", plain, LineFaults::default()),
            (
                b"\r\n\xff",
                ContentFacts { size_octets: 3, has_8bit: true, longest_line_octets: 2, ..plain },
                LineFaults::default(),
            ),
            (
                b"a\nb",
                ContentFacts { size_octets: 3, longest_line_octets: 3, is_binary: true, ..plain },
                LineFaults { bare_lf: true, ..LineFaults::default() },
            ),
            (
                b"a\n.b\r",
                ContentFacts { size_octets: 5, longest_line_octets: 5, is_binary: true, ..plain },
                LineFaults { bare_lf: true, bare_cr: true, ..LineFaults::default() },
            ),
            (
                b"\r\r\n.\0\r\n",
                ContentFacts {
                    size_octets: 7,
                    has_leading_dot: true,
                    longest_line_octets: 4,
                    is_binary: true,
                    ..plain
                },
                LineFaults { nul: true, bare_cr: true, ..LineFaults::default() },
            ),
        ];
        for (content, facts, faults) in cases {
            assert_eq!(ContentFacts::of(content), (*facts, *faults), "{}", content.escape_ascii());
        }
    }

    #[test]
    fn header_section_ends_at_the_empty_line() {
        let (_, _, header_octets) = scan(&[b"A: b\r\n c\r\n\r\nbody\r\n"]);
        assert_eq!(header_octets, 10);
    }

    #[test]
    fn faults_of_the_header_section_are_told_from_those_of_the_body() {
        let header_faults = |content: &[u8]| {
            let mut scan = ContentScan::new();
            scan.scan(content);
            assert!(scan.facts().is_binary && scan.faults().any());
            scan.header_faults()
        };
        assert_eq!(header_faults(b"A: b\r\n\r\n\n\0\rx"), LineFaults::default());
        assert!(header_faults(b"A: b\nC: d\r\n\r\n").bare_lf);
        assert!(header_faults(b"A: b\n\nbody").bare_lf, "never ended");
        assert!(header_faults(b"A: \0\r\n\r\n").nul && header_faults(b"A: \rb\r\n\r\n").bare_cr);
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(
            parts in proptest::collection::vec(prop_oneof![
                Just(&b"\r"[..]), Just(&b"\n"[..]), Just(&b"\r\n"[..]), Just(&b"."[..]), Just(&b"\0"[..]),
                Just(&b"Received:"[..]), Just(&b"\xe4x"[..]),
            ], 0..40),
            cut in 1usize..9,
        ) {
            let content = parts.concat();
            let pieces: Vec<&[u8]> = content.chunks(cut).collect();
            prop_assert_eq!(scan(&pieces), scan(&[&content]));
        }
    }
}
