//! XCLIENT: a trusted proxy says for whom it speaks (Postfix, `XCLIENT_README`).

use crate::limits::{HELLO_NAME_OCTETS_MAX, LOGIN_NAME_OCTETS_MAX};
use posta_address::Domain;
use std::{fmt, net::IpAddr};

/// The attributes that we know, as EHLO announces them.
pub(crate) const ATTRIBUTES: &str = "NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT";

/// A value, or that there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given<T> {
    /// `[UNAVAILABLE]`, or `[TEMPUNAVAIL]` for a name that could not be looked up now.
    Unavailable,
    /// This.
    Is(T),
}

impl<T> Given<T> {
    /// The value, if there is one.
    pub fn value(self) -> Option<T> {
        match self {
            Given::Unavailable => None,
            Given::Is(value) => Some(value),
        }
    }
}

/// What a proxy says of its client. What it does not name stays as it was.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Introduction {
    /// NAME: the client's name, looked up and confirmed.
    pub name: Option<Given<Domain>>,
    /// ADDR: its address.
    pub address: Option<Given<IpAddr>>,
    /// PORT: its port.
    pub port: Option<Given<u16>>,
    /// PROTO: whether it said EHLO.
    pub extended: Option<bool>,
    /// HELO: what it called itself.
    pub hello: Option<Given<String>>,
    /// LOGIN: whom it has proven to be.
    pub login: Option<Given<String>>,
    /// DESTADDR: where it connected to.
    pub destination_address: Option<Given<IpAddr>>,
    /// DESTPORT: and at which port.
    pub destination_port: Option<Given<u16>>,
}

impl Introduction {
    /// Reads what follows the verb: `NAME=value` in any order, values in xtext (RFC 3461 §4).
    pub fn parse(text: &str) -> Option<Self> {
        let mut introduction = Introduction::default();
        let mut words = text.split([' ', '\t']).filter(|word| !word.is_empty()).peekable();
        words.peek()?;
        for word in words {
            let (name, value) = word.split_once('=')?;
            introduction.set(&name.to_ascii_uppercase(), &decode_xtext(value)?)?;
        }
        Some(introduction)
    }

    fn set(&mut self, name: &str, value: &str) -> Option<()> {
        let bounded = |octets: usize| {
            let fits = !value.is_empty() && value.len() <= octets && !value.contains(char::is_whitespace);
            fits.then(|| value.to_owned())
        };
        match name {
            "NAME" => self.name = Some(given(value, |value| Domain::parse(value).ok())?),
            "ADDR" => self.address = Some(given(value, address)?),
            "PORT" => self.port = Some(given(value, |value| value.parse().ok())?),
            "HELO" => self.hello = Some(given(value, |_| bounded(HELLO_NAME_OCTETS_MAX))?),
            "LOGIN" => self.login = Some(given(value, |_| bounded(LOGIN_NAME_OCTETS_MAX))?),
            "DESTADDR" => self.destination_address = Some(given(value, address)?),
            "DESTPORT" => self.destination_port = Some(given(value, |value| value.parse().ok())?),
            "PROTO" => {
                self.extended = Some(match value.to_ascii_uppercase().as_str() {
                    "SMTP" => false,
                    "ESMTP" => true,
                    _ => return None,
                });
            }
            _ => return None,
        }
        Some(())
    }
}

fn given<T>(text: &str, read: impl Fn(&str) -> Option<T>) -> Option<Given<T>> {
    if text.eq_ignore_ascii_case("[UNAVAILABLE]") || text.eq_ignore_ascii_case("[TEMPUNAVAIL]") {
        return Some(Given::Unavailable);
    }
    read(text).map(Given::Is)
}

/// `192.0.2.1`, or `IPV6:2001:db8::1`.
fn address(text: &str) -> Option<IpAddr> {
    match text.split_at_checked(5) {
        Some((tag, rest)) if tag.eq_ignore_ascii_case("IPV6:") => {
            rest.parse().ok().map(|address| IpAddr::V6(address).to_canonical())
        }
        _ => text.parse().ok().map(IpAddr::V4),
    }
}

/// RFC 3461 §4; whoever writes UTF-8 as it is, is understood too. `None` for what would be no word.
fn decode_xtext(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((octet, more)) = rest.split_first() {
        rest = more;
        if *octet != b'+' {
            octets.push(*octet);
            continue;
        }
        let (digits, more) = rest.split_at_checked(2)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        octets.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = more;
    }
    String::from_utf8(octets).ok().filter(|text| !text.contains(char::is_control))
}

fn encode_xtext(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'+' | b'=' => encoded.push_str(&format!("+{octet:02X}")),
            0x21..=0x7e => encoded.push(char::from(octet)),
            _ => encoded.push_str(&format!("+{octet:02X}")),
        }
    }
    encoded
}

impl fmt::Display for Introduction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn word<T: Clone>(given: &Option<Given<T>>, show: impl Fn(&T) -> String) -> Option<String> {
            given.as_ref().map(|given| match given {
                Given::Unavailable => "[UNAVAILABLE]".to_owned(),
                Given::Is(value) => encode_xtext(&show(value)),
            })
        }
        let ip = |address: &IpAddr| match address {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => format!("IPV6:{v6}"),
        };
        let words = [
            ("NAME", word(&self.name, |name| name.to_ascii().to_owned())),
            ("ADDR", word(&self.address, ip)),
            ("PORT", word(&self.port, u16::to_string)),
            ("PROTO", self.extended.map(|extended| if extended { "ESMTP" } else { "SMTP" }.to_owned())),
            ("HELO", word(&self.hello, String::clone)),
            ("LOGIN", word(&self.login, String::clone)),
            ("DESTADDR", word(&self.destination_address, ip)),
            ("DESTPORT", word(&self.destination_port, u16::to_string)),
        ];
        for (name, value) in words {
            if let Some(value) = value {
                write!(f, " {name}={value}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn introductions() {
        let cases = [
            ("NAME=spike.porcupine.org ADDR=168.100.189.2", " NAME=spike.porcupine.org ADDR=168.100.189.2"),
            ("addr=ipv6:2001:db8::1 port=55555", " ADDR=IPV6:2001:db8::1 PORT=55555"),
            ("ADDR=IPV6:::ffff:192.0.2.1", " ADDR=192.0.2.1"),
            ("NAME=[UNAVAILABLE] LOGIN=[tempunavail]", " NAME=[UNAVAILABLE] LOGIN=[UNAVAILABLE]"),
            ("HELO=a+2Bb PROTO=smtp", " PROTO=SMTP HELO=a+2Bb"),
            (
                "LOGIN=me+3D1@x.example DESTADDR=192.0.2.2 DESTPORT=25",
                " LOGIN=me+3D1@x.example DESTADDR=192.0.2.2 DESTPORT=25",
            ),
        ];
        for (text, expected) in cases {
            let printed = Introduction::parse(text).unwrap_or_else(|| panic!("{text}")).to_string();
            assert_eq!(printed, expected);
            assert_eq!(Introduction::parse(&printed).expect("read again").to_string(), expected);
        }
        for text in [
            "",
            "NAME",
            "NAME=",
            "NAME=a..b",
            "ADDR=300.1.1.1",
            "ADDR=2001:db8::1",
            "PORT=65536",
            "PROTO=LMTP",
            "HELO=",
            "HELO=a+20b",
            "HELO=a+0D+0A",
            "HELO=a+0",
            "HELO=+ZZ",
            "COLOUR=red",
            "LOGIN=+FF",
        ] {
            assert_eq!(Introduction::parse(text), None, "{text}");
        }
    }
}
