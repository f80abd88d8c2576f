//! Parameters of Content-Type and Content-Disposition (RFC 2045 §5.1, RFC 2183, RFC 2231).
//!
//! Quirks: a semicolon missing or doubled, values with spaces or other tspecials unquoted, encoded
//! words in values, continuations in any order.

use super::scan::{Cursor, text_of, unquote};
use crate::charset::{self, Charset};
use crate::encoded_word::hex;
use crate::limits::PARAMETERS_MAX;
use std::borrow::Cow;

/// One parameter, continuations joined, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter<'a> {
    /// The name as written, without the signs of RFC 2231.
    pub name: &'a str,
    /// The value as text.
    pub value: Cow<'a, str>,
    /// The language that RFC 2231 §4 lets be told.
    pub language: Option<&'a str>,
}

/// Parameters in the order in which their names first occur.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parameters<'a> {
    /// All of them; of several with one name the first, an extended one (`name*`) before a plain.
    pub list: Vec<Parameter<'a>>,
    /// Whether they kept to the grammar.
    pub is_clean: bool,
}

impl<'a> Parameters<'a> {
    /// The value of a parameter, case of its name aside.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.list
            .iter()
            .find(|parameter| parameter.name.eq_ignore_ascii_case(name))
            .map(|found| &*found.value)
    }
}

/// One `name=value` as written.
struct Section<'a> {
    name: &'a str,
    number: Option<u32>,
    is_extended: bool,
    raw: &'a [u8],
    is_quoted: bool,
}

/// Reads the parameters behind the first semicolon of a value.
pub fn parse(value: &[u8]) -> Parameters<'_> {
    if let Some(parameter) = only_charset(value) {
        return Parameters { list: vec![parameter], is_clean: true };
    }
    let mut cursor = Cursor::new(value);
    let mut is_clean = true;
    let mut sections = Vec::new();
    while sections.len() < PARAMETERS_MAX {
        cursor.skip_cfws();
        while cursor.take(b';') {
            cursor.skip_cfws();
        }
        if cursor.peek().is_none() {
            break;
        }
        match section(&mut cursor, &mut is_clean) {
            Some(section) => sections.push(section),
            None => is_clean = false,
        }
    }
    is_clean &= !cursor.is_broken;
    if sections.iter().all(|section| section.number.is_none() && !section.is_extended) {
        return plain_parameters(&sections, is_clean);
    }
    let mut parameters = Parameters { list: Vec::with_capacity(sections.len()), is_clean: true };
    for index in 0..sections.len() {
        let name = sections[index].name;
        if sections[..index].iter().any(|earlier| earlier.name.eq_ignore_ascii_case(name)) {
            continue;
        }
        parameters.list.extend(joined(name, &sections[index..], &mut is_clean));
    }
    parameters.is_clean = is_clean;
    parameters
}

/// The usual case: nothing of RFC 2231.
fn plain_parameters<'a>(sections: &[Section<'a>], is_clean: bool) -> Parameters<'a> {
    let mut list: Vec<Parameter<'a>> = Vec::with_capacity(sections.len());
    for section in sections {
        if !list.iter().any(|earlier| earlier.name.eq_ignore_ascii_case(section.name)) {
            list.push(plain_value(section.name, section));
        }
    }
    Parameters { list, is_clean }
}

/// The value of `charset` where it is the first parameter and written plainly, as it nearly always
/// is; for all else [`parse`] is asked.
pub(crate) fn charset(parameters: &[u8]) -> Option<Cow<'_, [u8]>> {
    if let Some((_, name)) = plain_charset(parameters) {
        return Some(Cow::Borrowed(name));
    }
    let parameters = parse(parameters);
    let own = parameters.list.into_iter().find(|parameter| parameter.name.eq_ignore_ascii_case("charset"));
    own.map(|parameter| Cow::Owned(parameter.value.into_owned().into_bytes()))
}

/// Name and value of `; charset=token` or `; charset="token"` at the start of the parameters.
fn plain_charset(parameters: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = parameters.strip_prefix(b";")?.trim_ascii_start();
    let (name, rest) = rest.split_at_checked(7)?;
    let rest = rest.strip_prefix(b"=")?;
    if !name.eq_ignore_ascii_case(b"charset") {
        return None;
    }
    let is_plain =
        |octet: &&u8| octet.is_ascii_alphanumeric() || matches!(**octet, b'-' | b'_' | b':' | b'.');
    let (rest, quote): (_, &[u8]) = match rest.strip_prefix(b"\"") {
        Some(rest) => (rest, b"\""),
        None => (rest, b""),
    };
    let length = rest.iter().take_while(is_plain).count();
    let after = rest[length..].strip_prefix(quote)?.trim_ascii_start();
    (length > 0 && matches!(after, [] | [b';', ..])).then(|| (name, &rest[..length]))
}

/// A plain charset and nothing else: what most texts have.
fn only_charset(parameters: &[u8]) -> Option<Parameter<'_>> {
    let (name, value) = plain_charset(parameters).filter(|_| memchr::memrchr(b';', parameters) == Some(0))?;
    let (name, value) = (std::str::from_utf8(name).ok()?, std::str::from_utf8(value).ok()?);
    Some(Parameter { name, value: Cow::Borrowed(value), language: None })
}

fn section<'a>(cursor: &mut Cursor<'a>, is_clean: &mut bool) -> Option<Section<'a>> {
    let start = cursor.at;
    let name =
        cursor.take_while(|octet| !matches!(octet, b'=' | b';' | b' ' | b'\t' | b'\r' | b'\n' | b'(' | b'"'));
    cursor.skip_cfws();
    if name.is_empty() || !cursor.take(b'=') {
        // No parameter: go on behind it, at least one octet further.
        cursor.take_while(|octet| octet != b';');
        cursor.at = cursor.at.max(start + 1).min(cursor.octets.len());
        return None;
    }
    cursor.skip_cfws();
    let is_quoted = cursor.peek() == Some(b'"');
    let raw = if is_quoted {
        let raw = cursor.quoted();
        cursor.skip_cfws();
        *is_clean &= matches!(cursor.peek(), None | Some(b';'));
        raw
    } else {
        unquoted(cursor, is_clean)
    };
    let name = std::str::from_utf8(name).ok()?;
    let (name, is_extended) = name.strip_suffix('*').map_or((name, false), |name| (name, true));
    let numbered = name.rsplit_once('*').and_then(|(name, number)| Some((name, section_number(number)?)));
    let (name, number) = numbered.map_or((name, None), |(name, number)| (name, Some(number)));
    Some(Section { name, number, is_extended, raw, is_quoted })
}

/// Decimal, without leading zeros (RFC 2231 §7).
fn section_number(digits: &str) -> Option<u32> {
    let is_number =
        digits.bytes().all(|octet| octet.is_ascii_digit()) && (digits.len() == 1 || !digits.starts_with('0'));
    if is_number { digits.parse().ok() } else { None }
}

/// A value without quotes: a token, or what was meant as one, up to the semicolon. A `name=`
/// behind white space begins the next parameter even so.
fn unquoted<'a>(cursor: &mut Cursor<'a>, is_clean: &mut bool) -> &'a [u8] {
    let start = cursor.at;
    let mut end = start;
    loop {
        cursor.take_while(|octet| !matches!(octet, b';' | b' ' | b'\t' | b'\r' | b'\n' | b'('));
        end = end.max(cursor.at);
        cursor.skip_cfws();
        let rest = cursor.rest();
        if matches!(rest.first(), None | Some(b';')) {
            break;
        }
        *is_clean = false;
        let name = rest
            .iter()
            .take_while(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'*' | b'-'))
            .count();
        if name > 0 && rest.get(name) == Some(&b'=') && rest.get(name + 1) != Some(&b'?') {
            break;
        }
        // Never stay at the same place.
        cursor.at += 1;
        end = cursor.at;
    }
    let value = &cursor.octets[start..end];
    *is_clean &= !value.is_empty();
    value.trim_ascii()
}

/// The sections of one name, joined (RFC 2231 §3, §4.1).
fn joined<'a>(name: &'a str, sections: &[Section<'a>], is_clean: &mut bool) -> Option<Parameter<'a>> {
    let own = || sections.iter().filter(|section| section.name.eq_ignore_ascii_case(name));
    // One that is extended in itself is meant for readers that know RFC 2231.
    if let Some(whole) = own().find(|section| section.number.is_none() && section.is_extended) {
        let (parameter, is_readable) = extended(name, &[whole], is_clean);
        // Octets that the charset does not have: the plain form, if there is one, reads better.
        let has_plain = own().any(|section| section.number.is_none() && !section.is_extended);
        if is_readable || !has_plain {
            return Some(parameter);
        }
        *is_clean = false;
        return own()
            .find(|section| section.number.is_none() && !section.is_extended)
            .map(|plain| plain_value(name, plain));
    }
    let mut numbered: Vec<&Section<'a>> = own().filter(|section| section.number.is_some()).collect();
    if !numbered.is_empty() {
        numbered.sort_by_key(|section| section.number);
        numbered.dedup_by_key(|section| section.number);
        // A gap ends the value.
        let whole = numbered
            .iter()
            .zip(numbered[0].number.unwrap_or(0)..)
            .take_while(|(section, number)| section.number == Some(*number))
            .count();
        *is_clean &= whole == numbered.len() && numbered[0].number == Some(0);
        numbered.truncate(whole);
        return Some(extended(name, &numbered, is_clean).0);
    }
    own().next().map(|plain| plain_value(name, plain))
}

fn plain_value<'a>(name: &'a str, plain: &Section<'a>) -> Parameter<'a> {
    let value = if plain.is_quoted {
        text_of(plain.raw)
    } else if crate::encoded_word::may_hold_word(plain.raw) {
        crate::encoded_word::decode(plain.raw).text
    } else {
        crate::encoded_word::unfold(plain.raw).text
    };
    Parameter { name, value, language: None }
}

/// The value, and whether its charset had all the octets.
fn extended<'a>(name: &'a str, sections: &[&Section<'a>], is_clean: &mut bool) -> (Parameter<'a>, bool) {
    let mut octets = Vec::new();
    let mut charset = None;
    let mut language = None;
    for (index, section) in sections.iter().enumerate() {
        if !section.is_extended {
            octets.extend_from_slice(&unquote(section.raw));
            continue;
        }
        let mut raw = section.raw;
        if index == 0 {
            let mut quotes = memchr::memchr_iter(b'\'', raw);
            match (quotes.next(), quotes.next()) {
                (Some(first), Some(second)) => {
                    charset = Charset::by_name(&raw[..first]);
                    *is_clean &= charset.is_some() || first == 0;
                    language =
                        std::str::from_utf8(&raw[first + 1..second]).ok().filter(|text| !text.is_empty());
                    raw = &raw[second + 1..];
                }
                (Some(only), None) if Charset::by_name(&raw[..only]).is_some() => {
                    *is_clean = false;
                    charset = Charset::by_name(&raw[..only]);
                    raw = &raw[only + 1..];
                }
                _ => *is_clean = false,
            }
        }
        percent_decode(raw, &mut octets);
    }
    let decoded = match charset {
        Some(charset) => charset.decode(&octets),
        None => charset::decode_unlabelled(&octets),
    };
    // Encoded words cut into continuations are a quirk of some agents; those know no `*`.
    let is_plain = sections.iter().all(|section| !section.is_extended);
    let value = match is_plain && decoded.text.contains("=?") {
        true => crate::encoded_word::decode(decoded.text.as_bytes()).text.into_owned(),
        false => decoded.text.into_owned(),
    };
    (Parameter { name, value: Cow::Owned(value), language }, decoded.is_clean)
}

fn percent_decode(raw: &[u8], octets: &mut Vec<u8>) {
    let mut rest = raw;
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        if let (b'%', [high, low, ..]) = (octet, after)
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            octets.push(high << 4 | low);
            rest = &after[2..];
            continue;
        }
        octets.push(octet);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, expected: &str, expected_clean: bool) {
        let parameters = parse(value.as_bytes());
        let shown: Vec<String> =
            parameters.list.iter().map(|one| format!("{}={}", one.name, one.value)).collect();
        assert_eq!(shown.join(" | "), expected, "{value}");
        assert_eq!(parameters.is_clean, expected_clean, "{value}");
    }

    #[test]
    fn examples_of_rfc_2231() {
        check(
            " access-type=URL;\r\n URL*0=\"ftp://\";\r\n URL*1=\"cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar\"",
            "access-type=URL | URL=ftp://cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar",
            true,
        );
        check("title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A", "title=This is ***fun***", true);
        check(
            "title*0*=us-ascii'en'This%20is%20even%20more%20;\r\n title*1*=%2A%2A%2Afun%2A%2A%2A%20;\r\n title*2=\"isn't it!\"",
            "title=This is even more ***fun*** isn't it!",
            true,
        );
        assert_eq!(parse(b"title*=us-ascii'en-us'x").list[0].language, Some("en-us"));
    }

    #[test]
    fn quirks() {
        check("name=my file.pdf; size=3", "name=my file.pdf | size=3", false);
        check("charset=utf-8 format=flowed", "charset=utf-8 | format=flowed", false);
        check("; ;a=b;;", "a=b", true);
        check("filename=\"=?utf-8?Q?=C3=A4?=\"", "filename=ä", true);
        check("filename==?utf-8?Q?=C3=A4?=", "filename=ä", true);
        check("filename*1=b; filename*0=a", "filename=ab", true);
        check("filename*1=b", "filename=b", false);
        check("filename=old; filename*=utf-8''n%C3%A4u", "filename=näu", true);
        check("filename*0*=iso-8859-1''%E4; filename*1*=%E5", "filename=äå", true);
        check("a=\"x\\\"y\"", "a=x\"y", true);
        check("a=\"open", "a=open", false);
        check("junk; a=b", "a=b", false);
        check("=; a=b", "a=b", false);
        check("a=b (comment); c=(note)d", "a=b | c=d", true);
        check("a=1; a=2", "a=1", true);
    }
}
