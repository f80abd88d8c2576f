//! Lines of commands and replies, cut out of a stream of octets.

use std::borrow::Cow;

/// Cuts lines out of what a peer sends, in whatever pieces it comes.
///
/// It holds no more than one unfinished line within its limit; an idle one holds no memory at all.
/// A line beyond the limit is reported once, as soon as it is too long, and then skipped up to its
/// end without being kept.
#[derive(Debug, Clone)]
pub struct LineReader {
    partial: Vec<u8>,
    limit_octets: usize,
    skipping: bool,
}

/// One line, or word that one was too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line<'a> {
    /// A whole line.
    Whole {
        /// Its octets, without the line end.
        text: Cow<'a, [u8]>,
        /// It ended in a LF without CR.
        bare_lf: bool,
        /// It has a CR that is not followed by LF.
        bare_cr: bool,
    },
    /// The line is longer than the limit; the rest of it is skipped.
    TooLong,
}

impl LineReader {
    /// A reader of lines of at most `limit_octets`, line end included.
    pub fn new(limit_octets: usize) -> Self {
        LineReader { partial: Vec::new(), limit_octets, skipping: false }
    }

    /// Another limit, from the next line on.
    pub fn set_limit(&mut self, limit_octets: usize) {
        self.limit_octets = limit_octets;
    }

    /// Takes octets up to the end of the next line. Returns how many were taken, and the line if its
    /// end was among them. Without a line all octets are taken.
    pub fn take<'a>(&mut self, input: &'a [u8]) -> (usize, Option<Line<'a>>) {
        let mut start = 0;
        if self.skipping {
            match memchr::memchr(b'\n', input) {
                None => return (input.len(), None),
                Some(end) => start = end + 1,
            }
            self.skipping = false;
        }
        let rest = &input[start..];
        // What may still belong to this line; a LF beyond it comes too late.
        let room = self.limit_octets.saturating_sub(self.partial.len()).min(rest.len());
        match memchr::memchr(b'\n', &rest[..room]) {
            Some(end) => {
                let text = if self.partial.is_empty() {
                    Cow::Borrowed(&rest[..end])
                } else {
                    let mut text = std::mem::take(&mut self.partial);
                    text.extend_from_slice(&rest[..end]);
                    Cow::Owned(text)
                };
                (start + end + 1, Some(finish(text)))
            }
            None if self.partial.len() + room >= self.limit_octets => {
                self.partial = Vec::new();
                self.skipping = true;
                (start + room, Some(Line::TooLong))
            }
            None => {
                self.partial.extend_from_slice(rest);
                (input.len(), None)
            }
        }
    }

    /// Whether a line has begun that has not ended.
    pub fn is_within_line(&self) -> bool {
        self.skipping || !self.partial.is_empty()
    }
}

/// Takes the CR of the line end off and looks for others.
fn finish(mut text: Cow<'_, [u8]>) -> Line<'_> {
    let bare_lf = text.last() != Some(&b'\r');
    if !bare_lf {
        match &mut text {
            Cow::Borrowed(octets) => *octets = &octets[..octets.len() - 1],
            Cow::Owned(octets) => octets.truncate(octets.len() - 1),
        }
    }
    let bare_cr = memchr::memchr(b'\r', &text).is_some();
    Line::Whole { text, bare_lf, bare_cr }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds the pieces and prints each line: `text`, `!` after one with a bare LF, `~` for a bare CR.
    fn read(limit_octets: usize, pieces: &[&[u8]]) -> Vec<String> {
        let mut reader = LineReader::new(limit_octets);
        let mut lines = Vec::new();
        for piece in pieces {
            let mut rest = *piece;
            while !rest.is_empty() {
                let (taken, line) = reader.take(rest);
                assert!(taken <= rest.len() && (line.is_some() || taken == rest.len()));
                rest = &rest[taken..];
                lines.extend(line.map(|line| match line {
                    Line::TooLong => "too long".to_owned(),
                    Line::Whole { text, bare_lf, bare_cr } => format!(
                        "{}{}{}",
                        text.escape_ascii(),
                        if bare_lf { "!" } else { "" },
                        if bare_cr { "~" } else { "" }
                    ),
                }));
            }
        }
        lines
    }

    #[test]
    fn lines_and_their_ends() {
        let cases: &[(&[&[u8]], &[&str])] = &[
            (&[b"NOOP\r\nQUIT\r\n"], &["NOOP", "QUIT"]),
            (&[b"NO", b"OP\r", b"\nQ", b"UIT\r\n"], &["NOOP", "QUIT"]),
            (&[b"\r\n\n"], &["", "!"]),
            (&[b"a\rb\r\n"], &["a\\rb~"]),
            (&[b"a\r\r\n"], &["a\\r~"]),
            (&[b"no end"], &[]),
            // Eight octets with the line end are in, nine are out.
            (&[b"123456\r\n"], &["123456"]),
            (&[b"1234567\r\n", b"x\r\n"], &["too long", "x"]),
            (&[b"1234567890", b"1234567890", b"12\r", b"\nx\r\n"], &["too long", "x"]),
            (&[b"12345678"], &["too long"]),
        ];
        for (pieces, expected) in cases {
            assert_eq!(&read(8, pieces), expected, "{pieces:?}");
        }
    }

    #[test]
    fn holds_nothing_between_lines() {
        let mut reader = LineReader::new(100);
        reader.take(b"NOO");
        assert!(reader.is_within_line());
        reader.take(b"P\r\n");
        assert!(!reader.is_within_line());
        assert_eq!(reader.partial.capacity(), 0);
        reader.take(&[b'x'; 1000]);
        assert_eq!(reader.partial.capacity(), 0);
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(
            octets in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'a')], 0..60),
            cut in 1usize..7,
        ) {
            let pieces: Vec<&[u8]> = octets.chunks(cut).collect();
            prop_assert_eq!(read(8, &pieces), read(8, &[&octets]));
        }
    }
}
