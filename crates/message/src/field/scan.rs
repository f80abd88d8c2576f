//! A cursor over a structured field value: white space, comments, quoted strings.

use crate::encoded_word;
use crate::limits::COMMENT_NESTING_MAX;
use std::borrow::Cow;

/// Where in a value reading has come to.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    pub(super) octets: &'a [u8],
    pub(super) at: usize,
    /// The content of the last comment passed.
    pub(super) comment: Option<&'a [u8]>,
    /// Whether a comment or string was not closed.
    pub(super) is_broken: bool,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(octets: &'a [u8]) -> Self {
        Cursor { octets, at: 0, comment: None, is_broken: false }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.octets.get(self.at).copied()
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        &self.octets[self.at..]
    }

    /// Passes one octet if it is this.
    pub(super) fn take(&mut self, octet: u8) -> bool {
        let found = self.peek() == Some(octet);
        self.at += usize::from(found);
        found
    }

    /// Passes white space and comments (RFC 5322 §3.2.2 CFWS). Gives whether there were any.
    pub(super) fn skip_cfws(&mut self) -> bool {
        let start = self.at;
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.at += 1,
                Some(b'(') => self.skip_comment(),
                _ => return self.at > start,
            }
        }
    }

    /// Passes a comment; one that is not closed goes to the end of the value.
    fn skip_comment(&mut self) {
        let start = self.at + 1;
        let mut depth = 0usize;
        while let Some(octet) = self.peek() {
            self.at += 1;
            match octet {
                b'\\' => self.at = (self.at + 1).min(self.octets.len()),
                b'(' if depth < COMMENT_NESTING_MAX => depth += 1,
                b')' => {
                    depth -= 1;
                    if depth == 0 {
                        self.comment = Some(&self.octets[start..self.at - 1]);
                        return;
                    }
                }
                _ => {}
            }
        }
        self.is_broken = true;
        self.comment = Some(&self.octets[start.min(self.octets.len())..]);
    }

    /// Passes a quoted string at its opening quote, giving what is between the quotes. One that
    /// is not closed ends where the value ends.
    pub(super) fn quoted(&mut self) -> &'a [u8] {
        self.at += 1;
        let start = self.at;
        while let Some(found) = memchr::memchr2(b'"', b'\\', self.rest()) {
            self.at += found;
            if self.octets[self.at] == b'"' {
                self.at += 1;
                return &self.octets[start..self.at - 1];
            }
            self.at = (self.at + 2).min(self.octets.len());
        }
        self.is_broken = true;
        self.at = self.octets.len();
        &self.octets[start..]
    }

    /// Passes octets as long as they fit.
    pub(super) fn take_while(&mut self, fits: impl Fn(u8) -> bool) -> &'a [u8] {
        let start = self.at;
        while self.peek().is_some_and(&fits) {
            self.at += 1;
        }
        &self.octets[start..self.at]
    }
}

/// Backslashes and folding out of the content of a quoted string or comment.
pub(super) fn unquote(content: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr3(b'\\', b'\r', b'\n', content).is_none() {
        return Cow::Borrowed(content);
    }
    let mut plain = Vec::with_capacity(content.len());
    let mut octets = content.iter().copied();
    while let Some(octet) = octets.next() {
        match octet {
            b'\r' | b'\n' => {}
            // A line end cannot be quoted into a text, whatever the obsolete grammar says (RFC 5322 §4.1).
            b'\\' => plain.extend(octets.next().filter(|octet| !matches!(octet, b'\r' | b'\n'))),
            _ => plain.push(octet),
        }
    }
    Cow::Owned(plain)
}

/// Text of a quoted string or comment: unquoted, and encoded words decoded (the quirk *in quotes*).
pub(super) fn text_of(content: &[u8]) -> Cow<'_, str> {
    let plain = match unquote(content) {
        Cow::Borrowed(plain) => {
            return encoded_words(plain);
        }
        Cow::Owned(plain) => plain,
    };
    Cow::Owned(encoded_words(&plain).into_owned())
}

fn encoded_words(plain: &[u8]) -> Cow<'_, str> {
    if encoded_word::may_hold_word(plain) {
        return encoded_word::decode(plain).text;
    }
    crate::charset::decode_unlabelled(plain).text
}
