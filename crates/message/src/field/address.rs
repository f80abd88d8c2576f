//! Address lists (RFC 5322 §3.4, §4.4), read as leniently as mail in use needs it.
//!
//! Quirks beyond the obsolete grammar: a display name with dots, `@` or brackets unquoted; a
//! missing `>`; semicolons between addresses; encoded words with commas inside; an address alone
//! in quotes or with white space inside angle brackets.

use super::scan::{Cursor, text_of, unquote};
use crate::build::NamedMailbox;
use crate::encoded_word;
use crate::header::HeaderText;
use crate::limits::ADDRESSES_MAX;
use std::borrow::Cow;

/// A mailbox as a field shows it; the address need not be valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox<'a> {
    /// The display name, or the comment behind the address (RFC 822 used that), decoded.
    pub name: Option<Cow<'a, str>>,
    /// `local-part@domain`, white space and comments taken out, quotes kept where needed.
    /// Empty for `<>`.
    pub address: Cow<'a, str>,
}

/// One entry of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address<'a> {
    /// One mailbox.
    Mailbox(Mailbox<'a>),
    /// A named group.
    Group {
        /// Its name, decoded.
        name: Cow<'a, str>,
        /// Its members.
        members: Vec<Mailbox<'a>>,
    },
}

impl<'a> Address<'a> {
    /// The mailboxes it stands for.
    pub fn mailboxes(&self) -> &[Mailbox<'a>] {
        match self {
            Address::Mailbox(mailbox) => std::slice::from_ref(mailbox),
            Address::Group { members, .. } => members,
        }
    }
}

/// What a list field says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AddressList<'a> {
    /// The entries in their order.
    pub addresses: Vec<Address<'a>>,
    /// Whether the value kept to the grammar, obsolete forms included.
    pub is_clean: bool,
}

impl<'a> AddressList<'a> {
    /// All mailboxes, those in groups included.
    pub fn mailboxes(&self) -> impl Iterator<Item = &Mailbox<'a>> {
        self.addresses.iter().flat_map(Address::mailboxes)
    }
}

/// What the reader of a message can answer to, if its address is valid.
impl TryFrom<&Mailbox<'_>> for NamedMailbox {
    type Error = posta_address::AddressError;

    fn try_from(mailbox: &Mailbox<'_>) -> Result<Self, Self::Error> {
        let name = mailbox.name.as_deref().filter(|name| !name.is_empty()).map(HeaderText::clean);
        Ok(NamedMailbox { name, mailbox: mailbox.address.parse()? })
    }
}

/// Reads an address list.
pub fn parse(value: &[u8]) -> AddressList<'_> {
    if let Some(mailbox) = plain_mailbox(value) {
        return AddressList { addresses: vec![Address::Mailbox(mailbox)], is_clean: true };
    }
    let mut reader = Reader { cursor: Cursor::new(value), pieces: Vec::new(), is_clean: true, count: 0 };
    let addresses = reader.list();
    AddressList { addresses, is_clean: reader.is_clean && !reader.cursor.is_broken }
}

/// The usual value, one mailbox without anything that needs care: `local@domain`,
/// `Some Name <local@domain>`, `"Some Name" <local@domain>`.
fn plain_mailbox(value: &[u8]) -> Option<Mailbox<'_>> {
    let value = value.trim_ascii();
    let (name, address) = match value.strip_suffix(b">") {
        Some(rest) => {
            let open = memchr::memchr(b'<', rest)?;
            (rest[..open].trim_ascii_end(), &rest[open + 1..])
        }
        None => (&value[..0], value),
    };
    let at = memchr::memchr(b'@', address)?;
    let is_plain_address =
        |octets: &[u8]| !octets.is_empty() && octets.iter().all(|octet| is_atext_or_dot(*octet));
    if !is_plain_address(&address[..at]) || !is_plain_address(&address[at + 1..]) {
        return None;
    }
    let quoted = name.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    let shown = quoted.unwrap_or(name);
    let is_word = |octet: u8| is_atext_or_dot(octet) && octet != b'=' || octet >= 0x80;
    let is_quotable =
        |octet: u8| matches!(octet, b',' | b'(' | b')' | b'@' | b':' | b';' | b'[' | b']' | b'<' | b'>');
    let mut after_space = false;
    for &octet in shown {
        let is_space = octet == b' ';
        let fits = is_word(octet) || is_space && !after_space || quoted.is_some() && is_quotable(octet);
        if !fits {
            return None;
        }
        after_space = is_space;
    }
    let text = |octets| crate::charset::decode_unlabelled(octets).text;
    let name = if shown.is_empty() { None } else { Some(text(shown)) };
    Some(Mailbox { name, address: text(address) })
}

/// RFC 5322 §3.2.3, dots included.
fn is_atext_or_dot(octet: u8) -> bool {
    ATEXT_OR_DOT[usize::from(octet)]
}

/// A table, because every character of every address is looked up.
const ATEXT_OR_DOT: [bool; 256] = {
    let mut table = [false; 256];
    let mut octet = 0;
    while octet < 256 {
        table[octet] = (octet as u8).is_ascii_alphanumeric()
            || matches!(octet as u8, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-'..=b'/' | b'=' | b'?' | b'^'..=b'`' | b'{'..=b'~');
        octet += 1;
    }
    table
};

/// A word, or one of the characters that stand between words in an address.
#[derive(Debug, Clone, Copy)]
struct Piece<'a> {
    kind: Kind,
    /// The content: without quotes for a quoted string.
    content: &'a [u8],
    start: usize,
    end: usize,
    /// Whether white space or a comment stands before it.
    spaced: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Atom characters and dots, or whatever else is no special.
    Atom,
    Quoted,
    Encoded,
    At,
    /// `[…]`.
    Literal,
}

struct Reader<'a> {
    cursor: Cursor<'a>,
    pieces: Vec<Piece<'a>>,
    is_clean: bool,
    count: usize,
}

impl<'a> Reader<'a> {
    fn list(&mut self) -> Vec<Address<'a>> {
        let mut addresses = Vec::with_capacity(1);
        while self.cursor.at < self.cursor.octets.len() && self.count < ADDRESSES_MAX {
            self.collect();
            match self.cursor.peek() {
                Some(b':') => addresses.push(self.group()),
                _ => addresses.extend(self.mailbox().map(Address::Mailbox)),
            }
            match self.cursor.peek() {
                // A semicolon outside a group: some agents part addresses so.
                Some(b';') => {
                    self.is_clean = false;
                    self.cursor.at += 1;
                }
                Some(b',') => self.cursor.at += 1,
                _ => {}
            }
        }
        addresses
    }

    fn group(&mut self) -> Address<'a> {
        self.cursor.at += 1;
        let name = phrase(&self.pieces, self.cursor.octets).unwrap_or_default();
        let mut members = Vec::new();
        loop {
            self.collect();
            members.extend(self.mailbox());
            match self.cursor.peek() {
                Some(b',') if self.count < ADDRESSES_MAX => self.cursor.at += 1,
                Some(b':') => {
                    // A group in a group: its name is lost, its members count.
                    self.is_clean = false;
                    self.cursor.at += 1;
                }
                Some(b';') => {
                    self.cursor.at += 1;
                    // What follows must be the next address.
                    self.cursor.skip_cfws();
                    self.is_clean &= matches!(self.cursor.peek(), None | Some(b','));
                    break;
                }
                _ => {
                    self.is_clean = false;
                    break;
                }
            }
        }
        Address::Group { name, members }
    }

    /// Gathers pieces up to a character that ends or opens something.
    fn collect(&mut self) {
        self.pieces.clear();
        self.cursor.comment = None;
        loop {
            let spaced = self.cursor.skip_cfws();
            let start = self.cursor.at;
            let Some(octet) = self.cursor.peek() else { return };
            let (kind, content) = match octet {
                b',' | b';' | b'<' => return,
                b':' => return,
                b'"' => (Kind::Quoted, self.cursor.quoted()),
                b'@' => {
                    self.cursor.at += 1;
                    (Kind::At, &self.cursor.octets[start..self.cursor.at])
                }
                b'[' => (Kind::Literal, self.literal()),
                b'=' if self.encoded_word() => (Kind::Encoded, &self.cursor.octets[start..self.cursor.at]),
                b'>' | b')' => {
                    self.is_clean = false;
                    self.cursor.at += 1;
                    continue;
                }
                _ => (Kind::Atom, self.atom()),
            };
            self.pieces.push(Piece { kind, content, start, end: self.cursor.at, spaced });
        }
    }

    fn encoded_word(&mut self) -> bool {
        let length = encoded_word::length_at_start(self.cursor.rest()).unwrap_or(0);
        self.cursor.at += length;
        length > 0
    }

    fn literal(&mut self) -> &'a [u8] {
        let start = self.cursor.at;
        self.cursor.take_while(|octet| !matches!(octet, b']' | b',' | b'>'));
        self.is_clean &= self.cursor.take(b']');
        &self.cursor.octets[start..self.cursor.at]
    }

    fn atom(&mut self) -> &'a [u8] {
        let start = self.cursor.at;
        self.cursor.at += 1;
        self.cursor.take_while(|octet| {
            !matches!(
                octet,
                b' ' | b'\t'
                    | b'\r'
                    | b'\n'
                    | b'('
                    | b')'
                    | b'<'
                    | b'>'
                    | b'@'
                    | b','
                    | b';'
                    | b':'
                    | b'"'
                    | b'['
            )
        });
        &self.cursor.octets[start..self.cursor.at]
    }

    /// What the pieces, and an angle address behind them, make.
    fn mailbox(&mut self) -> Option<Mailbox<'a>> {
        self.count += 1;
        if self.cursor.peek() == Some(b'<') {
            let name = phrase(&self.pieces, self.cursor.octets);
            self.is_clean &= self.pieces.iter().all(|piece| !matches!(piece.kind, Kind::At | Kind::Literal));
            let address = self.angle_address();
            let name = name.or_else(|| self.cursor.comment.map(text_of)).filter(|name| !name.is_empty());
            return Some(Mailbox { name, address });
        }
        if self.pieces.is_empty() {
            return None;
        }
        let comment = self.cursor.comment.map(text_of).filter(|name| !name.is_empty());
        if let [Piece { kind: Kind::Quoted, content, .. }] = self.pieces.as_slice() {
            // `"user@host"` alone: the quotes are meant as brackets.
            if memchr::memchr(b'@', content).is_some() {
                self.is_clean = false;
                return Some(Mailbox { name: comment, address: text_of(content) });
            }
        }
        let has_at = self.pieces.iter().any(|piece| piece.kind == Kind::At);
        self.is_clean &= has_at;
        if !has_at && (self.pieces.len() > 1 || self.pieces[0].kind != Kind::Atom) {
            // Words alone are a name.
            let name = phrase(&self.pieces, self.cursor.octets);
            return Some(Mailbox { name, address: Cow::Borrowed("") });
        }
        let (name, address) = self.bare_address();
        Some(Mailbox { name: name.or(comment), address })
    }

    /// `words local-part@domain` without brackets: the words that stand apart from the address
    /// are taken for a name.
    fn bare_address(&mut self) -> (Option<Cow<'a, str>>, Cow<'a, str>) {
        let at = self.pieces.iter().rposition(|piece| piece.kind == Kind::At);
        let Some(at) = at else { return (None, address_of(&self.pieces, self.cursor.octets)) };
        // The local-part: words joined by dots or standing close to one another.
        let mut first = at.saturating_sub(1);
        while first > 0 && joins(&self.pieces[first - 1], &self.pieces[first]) {
            first -= 1;
        }
        let mut last = (at + 1).min(self.pieces.len() - 1);
        while last + 1 < self.pieces.len() && joins(&self.pieces[last], &self.pieces[last + 1]) {
            last += 1;
        }
        self.is_clean &= first == 0 && last + 1 == self.pieces.len();
        let name = phrase(&self.pieces[..first], self.cursor.octets);
        (name, address_of(&self.pieces[first..=last], self.cursor.octets))
    }

    /// `<…>`, a source route in it dropped (RFC 5322 §4.4).
    fn angle_address(&mut self) -> Cow<'a, str> {
        self.cursor.at += 1;
        let start = self.cursor.at;
        let end = memchr::memchr3(b'>', b'"', b'(', self.cursor.rest());
        if let Some(end) = end.filter(|end| self.cursor.octets[start + end] == b'>') {
            let content = self.cursor.octets[start..start + end].trim_ascii();
            if !content
                .iter()
                .any(|octet| matches!(octet, b' ' | b'\t' | b'\r' | b'\n' | b'<' | b':' | b',' | b'\\'))
            {
                self.cursor.at = start + end + 1;
                self.after_angle();
                self.is_clean &= content.is_empty() || memchr::memchr(b'@', content).is_some();
                return crate::charset::decode_unlabelled(content).text;
            }
        }
        let comment = self.cursor.comment;
        let mut outer = std::mem::take(&mut self.pieces);
        let mut address = Cow::Borrowed("");
        loop {
            self.collect_in_angle();
            // The route's domains, or an address of which the next piece decides.
            if self.cursor.take(b',') || self.cursor.take(b':') {
                continue;
            }
            if self.cursor.take(b'<') {
                self.is_clean = false;
                continue;
            }
            if !self.pieces.is_empty() {
                address = address_of(&self.pieces, self.cursor.octets);
            }
            self.is_clean &= self.cursor.take(b'>');
            break;
        }
        outer.clear();
        self.pieces = outer;
        self.cursor.comment = comment;
        self.after_angle();
        address
    }

    /// As [`Reader::collect`], to the closing bracket.
    fn collect_in_angle(&mut self) {
        self.pieces.clear();
        loop {
            let spaced = self.cursor.skip_cfws();
            let start = self.cursor.at;
            let Some(octet) = self.cursor.peek() else { return };
            let (kind, content) = match octet {
                b',' | b':' | b'>' | b'<' | b';' => return,
                b'"' => (Kind::Quoted, self.cursor.quoted()),
                b'@' => {
                    self.cursor.at += 1;
                    (Kind::At, &self.cursor.octets[start..self.cursor.at])
                }
                b'[' => (Kind::Literal, self.literal()),
                b')' => {
                    self.is_clean = false;
                    self.cursor.at += 1;
                    continue;
                }
                _ => (Kind::Atom, self.atom()),
            };
            self.pieces.push(Piece { kind, content, start, end: self.cursor.at, spaced });
        }
    }

    /// Nothing but a comment may stand between `>` and the next comma.
    fn after_angle(&mut self) {
        self.cursor.skip_cfws();
        while let Some(octet) = self.cursor.peek() {
            if matches!(octet, b',' | b';') {
                return;
            }
            self.is_clean = false;
            // A comma was forgotten: the next address begins here.
            if octet != b'>' {
                return;
            }
            self.cursor.at += 1;
            self.cursor.skip_cfws();
        }
    }
}

/// Whether two pieces belong to one address: with nothing between them, or a dot beside.
fn joins(left: &Piece<'_>, right: &Piece<'_>) -> bool {
    !right.spaced
        || left.kind == Kind::At
        || right.kind == Kind::At
        || left.content.ends_with(b".")
        || right.content.starts_with(b".")
}

/// The address that pieces make: white space and comments left out, a local-part quoted only
/// where it must be.
fn address_of<'a>(pieces: &[Piece<'a>], octets: &'a [u8]) -> Cow<'a, str> {
    let (Some(first), Some(last)) = (pieces.first(), pieces.last()) else { return Cow::Borrowed("") };
    let is_plain = pieces.iter().all(|piece| piece.kind != Kind::Quoted);
    let is_close = pieces.iter().skip(1).all(|piece| !piece.spaced);
    let whole = &octets[first.start..last.end];
    // A literal may hold folding.
    if is_plain && is_close && memchr::memchr2(b'\r', b'\n', whole).is_none() {
        return crate::charset::decode_unlabelled(whole).text;
    }
    let mut address = String::with_capacity(last.end - first.start);
    for piece in pieces {
        let content = unquote(piece.content);
        let text = crate::charset::decode_unlabelled(&content).text;
        match piece.kind {
            Kind::Quoted => push_local_part(&text, &mut address),
            _ => address.push_str(&text),
        }
    }
    Cow::Owned(address)
}

fn push_local_part(text: &str, address: &mut String) {
    match posta_address::LocalPart::from_unquoted(text) {
        Ok(local_part) => address.push_str(&local_part.to_string()),
        Err(_) => {
            address.push('"');
            for character in text.chars() {
                if matches!(character, '"' | '\\') {
                    address.push('\\');
                }
                address.push(character);
            }
            address.push('"');
        }
    }
}

/// The display name that pieces make: words with one space where there was white space.
fn phrase<'a>(pieces: &[Piece<'a>], octets: &'a [u8]) -> Option<Cow<'a, str>> {
    match pieces {
        [] => return None,
        [Piece { kind: Kind::Quoted, content, .. }] => return Some(text_of(content)),
        _ => {}
    }
    let whole = &octets[pieces[0].start..pieces[pieces.len() - 1].end];
    let is_atoms = pieces.iter().all(|piece| piece.kind == Kind::Atom);
    let is_tight = whole.len()
        == pieces.iter().map(|piece| piece.content.len() + usize::from(piece.spaced)).sum::<usize>()
            - usize::from(pieces[0].spaced);
    if is_atoms && is_tight && !whole.contains(&b'\t') {
        return Some(crate::charset::decode_unlabelled(whole).text);
    }
    let mut name = String::with_capacity(whole.len());
    let mut index = 0;
    while index < pieces.len() {
        let piece = &pieces[index];
        if index > 0 && piece.spaced {
            name.push(' ');
        }
        index += 1;
        match piece.kind {
            Kind::Encoded => {
                let mut end = piece.end;
                while let Some(next) = pieces.get(index).filter(|next| next.kind == Kind::Encoded) {
                    end = next.end;
                    index += 1;
                }
                name.push_str(&encoded_word::decode(&octets[piece.start..end]).text);
            }
            Kind::Quoted => name.push_str(&text_of(piece.content)),
            _ => name.push_str(&crate::charset::decode_unlabelled(&unquote(piece.content)).text),
        }
    }
    Some(Cow::Owned(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `name|address` per mailbox, groups as `name:{…}`.
    fn shown(value: &str) -> String {
        let mailbox = |mailbox: &Mailbox<'_>| match &mailbox.name {
            Some(name) => format!("{name}|{}", mailbox.address),
            None => mailbox.address.to_string(),
        };
        let entry = |address: &Address<'_>| match address {
            Address::Mailbox(one) => mailbox(one),
            Address::Group { name, members } => {
                format!("{name}:{{{}}}", members.iter().map(mailbox).collect::<Vec<_>>().join(", "))
            }
        };
        parse(value.as_bytes()).addresses.iter().map(entry).collect::<Vec<_>>().join(", ")
    }

    fn check(value: &str, expected: &str, expected_clean: bool) {
        assert_eq!(shown(value), expected, "{value}");
        assert_eq!(parse(value.as_bytes()).is_clean, expected_clean, "{value}");
    }

    #[test]
    fn examples_of_rfc_5322_appendix_a() {
        check("John Doe <jdoe@machine.example>", "John Doe|jdoe@machine.example", true);
        check(
            "\"Joe Q. Public\" <john.q.public@example.com>",
            "Joe Q. Public|john.q.public@example.com",
            true,
        );
        check(
            "Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
            "Mary Smith|mary@x.test, jdoe@example.org, Who?|one@y.test",
            true,
        );
        check(
            "<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>",
            "boss@nil.test, Giant; \"Big\" Box|sysservices@example.net",
            true,
        );
        check(
            "A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
            "A Group:{Ed Jones|c@a.test, joe@where.test, John|jdoe@one.test}",
            true,
        );
        check("Undisclosed recipients:;", "Undisclosed recipients:{}", true);
        check("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", "Pete|pete@silly.test", true);
        check(
            "A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,\r\n         joe@example.org,\r\n  John <jdoe@one.test> (my dear friend); (the end of the group)",
            "A Group:{Chris Jones|c@public.example, joe@example.org, John|jdoe@one.test}",
            true,
        );
        check(
            "(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;",
            "Hidden recipients:{}",
            true,
        );
        check("Joe Q. Public <john.q.public@example.com>", "Joe Q. Public|john.q.public@example.com", true);
        check(
            "Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
            "Mary Smith|mary@example.net, jdoe@test.example",
            true,
        );
    }

    #[test]
    fn names_from_comments_and_encoded_words() {
        check("jdoe@example.org (John Doe)", "John Doe|jdoe@example.org", true);
        check("=?utf-8?Q?Doe,_J=C3=B6?= <j@x.test>", "Doe, Jö|j@x.test", true);
        check("=?utf-8?Q?J=C3?=\r\n =?utf-8?Q?=B6?= B <j@x.test>", "Jö B|j@x.test", true);
        check("\"=?utf-8?Q?J=C3=B6?=\" <j@x.test>", "Jö|j@x.test", true);
        check("j@x.test (=?utf-8?Q?J=C3=B6?=)", "Jö|j@x.test", true);
        check("Jörg <j@x.test>", "Jörg|j@x.test", true);
    }

    #[test]
    fn quirks() {
        check("user@x.test <user@x.test>", "user@x.test|user@x.test", false);
        check("a@x.test; b@x.test", "a@x.test, b@x.test", false);
        check("John <j@x.test", "John|j@x.test", false);
        check("John <j@x.test>> , k@x.test", "John|j@x.test, k@x.test", false);
        check("John Doe j@x.test", "John Doe|j@x.test", false);
        check("\"j@x.test\"", "j@x.test", false);
        check("root", "root", false);
        check("John Doe", "John Doe|", false);
        check("< j@x.test >", "j@x.test", true);
        check("<>", "", true);
        check("\"odd one\"@x.test", "\"odd one\"@x.test", true);
        check("\"plain\"@x.test", "plain@x.test", true);
        check("j@[192.0.2.1]", "j@[192.0.2.1]", true);
        check("j@[192.0.2.\r\n 1]", "j@[192.0.2. 1]", true);
        check("a b c", "a b c|", false);
        check("", "", true);
        check("\"open <j@x.test>", "open <j@x.test>", false);
        check("(open", "", false);
        check("((((", "", false);
        check("g: a@x.test", "g:{a@x.test}", false);
    }
}
