//! One header field written: folding, encoded words, phrases, parameters.

use super::{Address, NamedMailbox};
use crate::encoding::base64;
use crate::header::{HeaderName, HeaderText};
use crate::limits::{ENCODED_LINE_OCTETS_MAX, ENCODED_WORD_OCTETS_MAX, LINE_OCTETS_WANTED};

/// A word longer than this cannot stand unencoded: with its neighbours it might pass 998 octets.
const PLAIN_WORD_OCTETS_MAX: usize = 900;
/// `=?UTF-8?Q?` and `?=`.
const ENCODED_WORD_FRAME_OCTETS: usize = 12;
/// Less room than this on a line is not worth beginning an encoded word in.
const ENCODED_WORD_ROOM_MIN: usize = 28;
/// Octets of a parameter value beyond which it is cut into RFC 2231 continuations.
const PARAMETER_SECTION_OCTETS: usize = 50;

/// Writes fields one after another, folded at 78 octets wherever white space lets it
/// (RFC 5322 §2.1.1, §2.2.3).
pub(crate) struct FieldWriter<'o> {
    out: &'o mut Vec<u8>,
    column: usize,
    /// Whether texts are written as UTF-8 instead of encoded words (RFC 6532).
    utf8: bool,
    /// Whether a field had to be written as UTF-8: an address that has no ASCII form.
    pub(super) wrote_utf8: bool,
}

impl<'o> FieldWriter<'o> {
    pub(crate) fn new(out: &'o mut Vec<u8>, utf8: bool) -> Self {
        FieldWriter { out, column: 0, utf8, wrote_utf8: false }
    }

    fn push(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
        self.column += text.len();
        self.wrote_utf8 |= !text.is_ascii();
    }

    fn begin(&mut self, name: &str) {
        self.column = 0;
        self.push(name);
        self.push(":");
    }

    fn end(&mut self) {
        self.out.extend_from_slice(b"\r\n");
        self.column = 0;
    }

    fn fold(&mut self) {
        self.out.extend_from_slice(b"\r\n");
        self.column = 0;
    }

    /// A word with white space before it, where the line is folded if the word passes its end.
    /// The first word of a field stays on the line of the name: some readers dislike a first line
    /// without content.
    fn word(&mut self, space: &str, word: &str) {
        let at_name = self.out.last() == Some(&b':');
        if !at_name && self.column + space.len() + word.len() > LINE_OCTETS_WANTED {
            self.fold();
        }
        self.push(space);
        self.push(word);
    }

    /// A whole field of words that are written as they are.
    pub(crate) fn words<'w>(&mut self, name: &str, words: impl IntoIterator<Item = &'w str>) {
        self.begin(name);
        words.into_iter().for_each(|word| self.word(" ", word));
        self.end();
    }

    /// A whole field of unstructured text (RFC 5322 §3.6.5).
    pub(crate) fn unstructured(&mut self, name: &HeaderName, text: &HeaderText) {
        self.begin(name.as_str());
        self.text(text.as_str());
        self.end();
    }

    /// Text with its white space kept. Words that cannot stand as they are become encoded words
    /// together with the space between them, because a reader drops what is between two.
    fn text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        let is_space = |c: char| c == ' ' || c == '\t';
        if text.starts_with(is_space) || text.ends_with(is_space) || text.trim().is_empty() {
            return self.encoded_words(" ", text);
        }
        let mut rest = text;
        let mut space = " ";
        while !rest.is_empty() {
            let (run, is_plain) = self.next_run(rest);
            if is_plain {
                self.word(space, run)
            } else {
                self.encoded_words(space, run)
            }
            rest = &rest[run.len()..];
            let word_start = rest.len() - rest.trim_start_matches(is_space).len();
            (space, rest) = rest.split_at(word_start);
        }
    }

    /// The next word if it can stand as it is, else it and all that follow it which cannot.
    fn next_run<'t>(&self, text: &'t str) -> (&'t str, bool) {
        let mut end = 0;
        let mut at = 0;
        for piece in text.split_inclusive([' ', '\t']) {
            let word = piece.trim_end_matches([' ', '\t']);
            if !word.is_empty() {
                let is_plain = self.is_plain(word);
                if is_plain && end == 0 {
                    return (&text[..at + word.len()], true);
                }
                if is_plain {
                    break;
                }
                end = at + word.len();
            }
            at += piece.len();
        }
        (&text[..end], false)
    }

    fn is_plain(&self, word: &str) -> bool {
        let passes = self.utf8 || word.is_ascii();
        passes && !word.contains("=?") && word.len() <= PLAIN_WORD_OCTETS_MAX
    }

    /// RFC 2047: words of at most 75 octets, no character split, lines of at most 76.
    fn encoded_words(&mut self, space: &str, text: &str) {
        let q_octets: usize = text.bytes().map(q_width).sum();
        let use_base64 = text.len().div_ceil(3) * 4 < q_octets;
        let mut rest = text;
        let mut space = space;
        while !rest.is_empty() {
            let at_name = self.out.last() == Some(&b':');
            if !at_name && self.column + space.len() + ENCODED_WORD_ROOM_MIN > ENCODED_LINE_OCTETS_MAX {
                self.fold();
            }
            self.push(space);
            let room = ENCODED_LINE_OCTETS_MAX.saturating_sub(self.column).max(ENCODED_WORD_ROOM_MIN);
            let room = room.min(ENCODED_WORD_OCTETS_MAX) - ENCODED_WORD_FRAME_OCTETS;
            let length = if use_base64 { base64_prefix(rest, room) } else { q_prefix(rest, room) };
            let (now, later) = rest.split_at(length);
            let word = if use_base64 { base64_word(now) } else { q_word(now) };
            self.push(&word);
            rest = later;
            space = " ";
        }
    }

    /// A display name or group name (RFC 5322 §3.2.5 `phrase`).
    fn phrase(&mut self, name: &str) {
        let is_atoms = name.split(' ').all(|word| !word.is_empty() && word.bytes().all(is_atext));
        let has_encoded = name.contains("=?") || name.starts_with([' ', '\t']) || name.ends_with([' ', '\t']);
        let passes = self.utf8 || name.is_ascii();
        let too_long = name.split([' ', '\t']).any(|word| word.len() > PLAIN_WORD_OCTETS_MAX / 2);
        if !passes || has_encoded || too_long {
            return self.encoded_words(" ", name);
        }
        if is_atoms {
            return name.split(' ').for_each(|word| self.word(" ", word));
        }
        let mut quoted = String::with_capacity(name.len() + 2);
        quoted.push('"');
        for character in name.chars() {
            if matches!(character, '"' | '\\') {
                quoted.push('\\');
            }
            quoted.push(character);
        }
        quoted.push('"');
        // White space within a quoted string may be folded as well (RFC 5322 §3.2.4).
        let mut space = " ";
        let mut rest = quoted.as_str();
        while !rest.is_empty() {
            let end = rest.find([' ', '\t']).unwrap_or(rest.len());
            self.word(space, &rest[..end]);
            rest = &rest[end..];
            let word_start = rest.len() - rest.trim_start_matches([' ', '\t']).len();
            (space, rest) = rest.split_at(word_start);
        }
    }

    /// A whole field of phrases (RFC 5322 §3.6.5 `Keywords`).
    pub(crate) fn phrases<'w>(&mut self, name: &str, phrases: impl IntoIterator<Item = &'w str>) {
        self.begin(name);
        for (index, phrase) in phrases.into_iter().enumerate() {
            if index > 0 {
                self.push(",");
            }
            self.phrase(phrase);
        }
        self.end();
    }

    /// A text as encoded words, whether it needs them or not.
    pub(crate) fn encoded(&mut self, text: &str) {
        self.encoded_words(" ", text);
    }

    /// A whole address field. Nothing is written for an empty list (RFC 5322 §3.6.3).
    pub(crate) fn addresses(&mut self, name: &str, list: &[Address]) {
        if list.is_empty() {
            return;
        }
        self.begin(name);
        for (index, address) in list.iter().enumerate() {
            if index > 0 {
                self.push(",");
            }
            match address {
                Address::Mailbox(mailbox) => self.mailbox(mailbox, ""),
                Address::Group { name, members } => self.group(name, members),
            }
        }
        self.end();
    }

    fn group(&mut self, name: &HeaderText, members: &[NamedMailbox]) {
        if name.is_empty() {
            self.word(" ", "\"\"")
        } else {
            self.phrase(name.as_str())
        }
        self.push(":");
        for (index, member) in members.iter().enumerate() {
            self.mailbox(member, if index + 1 < members.len() { "," } else { "" });
        }
        self.push(";");
    }

    fn mailbox(&mut self, mailbox: &NamedMailbox, after: &str) {
        let address = self.address_text(&mailbox.mailbox);
        match &mailbox.name {
            Some(name) if !name.is_empty() => {
                self.phrase(name.as_str());
                self.word(" ", &format!("<{address}>{after}"));
            }
            _ => self.word(" ", &format!("{address}{after}")),
        }
    }

    /// A host without SMTPUTF8 can take a U-label as its A-label, but no UTF-8 local-part
    /// (RFC 6531 §3.2): that one is written as it is, and `wrote_utf8` tells.
    fn address_text(&self, mailbox: &posta_address::Mailbox) -> String {
        match mailbox.domain() {
            Some(domain) if !self.utf8 && mailbox.local_part().is_ascii() => {
                format!("{}@{}", mailbox.local_part(), domain.to_ascii())
            }
            _ => mailbox.to_string(),
        }
    }

    /// A whole field of a value with parameters (RFC 2045 §5.1, RFC 2183, RFC 2231).
    pub(crate) fn parameters<'p>(
        &mut self,
        name: &str,
        value: &str,
        parameters: impl IntoIterator<Item = (&'p str, &'p str)>,
    ) {
        self.begin(name);
        self.word(" ", value);
        for (attribute, value) in parameters {
            self.parameter(attribute, value);
        }
        self.end();
    }

    fn parameter(&mut self, attribute: &str, value: &str) {
        let fits = attribute.len() + value.len() + 6 <= LINE_OCTETS_WANTED;
        if !value.is_empty() && fits && value.bytes().all(is_token) {
            self.push(";");
            return self.word(" ", &format!("{attribute}={value}"));
        }
        // What looks like an encoded word would be decoded by readers that let it stand in quotes.
        let is_literal = fits && !value.contains("=?");
        if is_literal && value.bytes().all(|octet| octet == b' ' || octet.is_ascii_graphic()) {
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
            self.push(";");
            return self.word(" ", &format!("{attribute}=\"{escaped}\""));
        }
        if attribute == "name" {
            return self.legacy_name(value);
        }
        for section in extended_sections(attribute, value) {
            self.push(";");
            self.word(" ", &section);
        }
    }

    /// `name` of Content-Type is read by old agents only, and these know encoded words in it, not
    /// RFC 2231; RFC 2047 §5 forbids it, every mail program in use writes it all the same.
    fn legacy_name(&mut self, value: &str) {
        self.push(";");
        let q_octets: usize = value.bytes().map(q_width).sum();
        let use_base64 = value.len().div_ceil(3) * 4 < q_octets;
        let room = ENCODED_WORD_OCTETS_MAX - ENCODED_WORD_FRAME_OCTETS - "name=\"\"".len();
        let mut rest = value;
        let mut before = "name=\"";
        while !rest.is_empty() {
            let length = if use_base64 { base64_prefix(rest, room) } else { q_prefix(rest, room) };
            let (now, later) = rest.split_at(length);
            let word = if use_base64 { base64_word(now) } else { q_word(now) };
            self.word(" ", &format!("{before}{word}{}", if later.is_empty() { "\"" } else { "" }));
            before = "";
            rest = later;
        }
    }
}

/// RFC 2231 §3, §4: `name*0*=utf-8''…`, `name*1*=…`; one section alone has no number.
fn extended_sections(attribute: &str, value: &str) -> Vec<String> {
    let mut sections: Vec<String> = vec![String::from("utf-8''")];
    for character in value.chars() {
        let mut encoded = String::with_capacity(12);
        let mut octets = [0; 4];
        for &octet in character.encode_utf8(&mut octets).as_bytes() {
            if is_attribute_char(octet) {
                encoded.push(char::from(octet));
            } else {
                encoded.push_str(&format!("%{octet:02X}"));
            }
        }
        match sections.last_mut() {
            Some(last) if last.len() + encoded.len() <= PARAMETER_SECTION_OCTETS => last.push_str(&encoded),
            _ => sections.push(encoded),
        }
    }
    if let [only] = sections.as_slice() {
        return vec![format!("{attribute}*={only}")];
    }
    let numbered = sections.iter().enumerate();
    numbered.map(|(number, section)| format!("{attribute}*{number}*={section}")).collect()
}

/// RFC 5322 §3.2.3.
fn is_atext(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&octet)
}

/// RFC 2045 §5.1: any visible character but the tspecials.
pub(super) fn is_token(octet: u8) -> bool {
    octet.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&octet)
}

/// RFC 2231 §7 `attribute-char`.
fn is_attribute_char(octet: u8) -> bool {
    is_token(octet) && !b"*'%".contains(&octet)
}

/// RFC 2047 §5 (3): the set that is safe in a phrase is safe everywhere.
fn is_q_plain(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!*+-/".contains(&octet)
}

fn q_width(octet: u8) -> usize {
    if octet == b' ' || is_q_plain(octet) { 1 } else { 3 }
}

/// Octets of whole characters that fit so much room when Q-encoded; at least one character.
fn q_prefix(text: &str, room: usize) -> usize {
    let mut used = 0;
    let mut end = 0;
    for (at, character) in text.char_indices() {
        let next = at + character.len_utf8();
        used += text.as_bytes()[at..next].iter().map(|&octet| q_width(octet)).sum::<usize>();
        if used > room && end > 0 {
            break;
        }
        end = next;
    }
    end
}

/// Octets of whole characters that fit so much room in base64; at least one character.
fn base64_prefix(text: &str, room: usize) -> usize {
    let mut end = (room / 4 * 3).min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    if end == 0 { text.chars().next().map_or(0, char::len_utf8) } else { end }
}

fn q_word(text: &str) -> String {
    let mut word = String::from("=?UTF-8?Q?");
    for octet in text.bytes() {
        match octet {
            b' ' => word.push('_'),
            _ if is_q_plain(octet) => word.push(char::from(octet)),
            _ => word.push_str(&format!("={octet:02X}")),
        }
    }
    word.push_str("?=");
    word
}

fn base64_word(text: &str) -> String {
    let mut word = String::from("=?UTF-8?B?");
    base64::encode_run(text.as_bytes(), &mut word);
    word.push_str("?=");
    word
}
