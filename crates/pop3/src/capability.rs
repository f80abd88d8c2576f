//! Capabilities: what a server says of itself (RFC 2449 §6, RFC 3206 §6, RFC 2595 §4, RFC 6856 §2).

use std::fmt;

/// How long a server keeps messages at least (RFC 2449 §6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// The server deletes nothing by itself.
    Never,
    /// Days.
    Days(u32),
}

/// One line of the answer to CAPA. `Display` prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Capability {
    /// TOP is there (RFC 2449 §6.1).
    Top,
    /// USER and PASS are there (RFC 2449 §6.2).
    User,
    /// AUTH with these mechanisms (RFC 2449 §6.3).
    Sasl(Vec<String>),
    /// Text that begins with `[` is a response code (RFC 2449 §6.4).
    RespCodes,
    /// Seconds between logins (RFC 2449 §6.5).
    LoginDelay {
        /// At least.
        seconds: u32,
        /// The user's own value comes after the login.
        per_user: bool,
    },
    /// Commands need not wait for replies (RFC 2449 §6.6).
    Pipelining,
    /// How long messages are kept (RFC 2449 §6.7).
    Expire {
        /// At least.
        retention: Retention,
        /// The user's own value comes after the login.
        per_user: bool,
    },
    /// UIDL is there (RFC 2449 §6.8).
    Uidl,
    /// The server's name and version (RFC 2449 §6.9).
    Implementation(String),
    /// All failures of credentials carry `[AUTH]` (RFC 3206 §6).
    AuthRespCode,
    /// TLS can be started (RFC 2595 §4).
    Stls,
    /// UTF8 can be switched on (RFC 6856 §2).
    Utf8 {
        /// Names and passwords may be UTF-8.
        user: bool,
    },
    /// LANG is there (RFC 6856 §3).
    Lang,
    /// One that we do not know, or know with other arguments, as it stood.
    Other(String),
}

impl Capability {
    /// Reads a line without its CRLF. Tags are case-insensitive (RFC 2449 §5); what is not understood
    /// is kept as it stood.
    pub fn parse(line: &str) -> Capability {
        let mut words = line.split(' ').filter(|word| !word.is_empty());
        let tag = words.next().unwrap_or_default().to_ascii_uppercase();
        let arguments: Vec<&str> = words.collect();
        let other = || Capability::Other(line.to_owned());
        let per_user = |rest: &[&str]| match rest {
            [] => Some(false),
            [word] if word.eq_ignore_ascii_case("USER") => Some(true),
            _ => None,
        };
        match (tag.as_str(), arguments.as_slice()) {
            ("TOP", []) => Capability::Top,
            ("USER", []) => Capability::User,
            ("SASL", mechanisms) => {
                Capability::Sasl(mechanisms.iter().map(|name| name.to_string()).collect())
            }
            ("RESP-CODES", []) => Capability::RespCodes,
            ("LOGIN-DELAY", [seconds, rest @ ..]) => match (seconds.parse(), per_user(rest)) {
                (Ok(seconds), Some(per_user)) => Capability::LoginDelay { seconds, per_user },
                _ => other(),
            },
            ("PIPELINING", []) => Capability::Pipelining,
            ("EXPIRE", [days, rest @ ..]) => {
                let retention = if days.eq_ignore_ascii_case("NEVER") {
                    Some(Retention::Never)
                } else {
                    days.parse().ok().map(Retention::Days)
                };
                match (retention, per_user(rest)) {
                    (Some(retention), Some(per_user)) => Capability::Expire { retention, per_user },
                    _ => other(),
                }
            }
            ("UIDL", []) => Capability::Uidl,
            ("IMPLEMENTATION", words) if !words.is_empty() => Capability::Implementation(words.join(" ")),
            ("AUTH-RESP-CODE", []) => Capability::AuthRespCode,
            ("STLS", []) => Capability::Stls,
            ("UTF8", rest) => match per_user(rest) {
                Some(user) => Capability::Utf8 { user },
                None => other(),
            },
            ("LANG", []) => Capability::Lang,
            _ => other(),
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = |per_user: &bool| if *per_user { " USER" } else { "" };
        match self {
            Capability::Top => f.write_str("TOP"),
            Capability::User => f.write_str("USER"),
            Capability::Sasl(mechanisms) => {
                f.write_str("SASL")?;
                mechanisms.iter().try_for_each(|name| write!(f, " {name}"))
            }
            Capability::RespCodes => f.write_str("RESP-CODES"),
            Capability::LoginDelay { seconds, per_user } => {
                write!(f, "LOGIN-DELAY {seconds}{}", user(per_user))
            }
            Capability::Pipelining => f.write_str("PIPELINING"),
            Capability::Expire { retention: Retention::Never, per_user } => {
                write!(f, "EXPIRE NEVER{}", user(per_user))
            }
            Capability::Expire { retention: Retention::Days(days), per_user } => {
                write!(f, "EXPIRE {days}{}", user(per_user))
            }
            Capability::Uidl => f.write_str("UIDL"),
            Capability::Implementation(name) => write!(f, "IMPLEMENTATION {name}"),
            Capability::AuthRespCode => f.write_str("AUTH-RESP-CODE"),
            Capability::Stls => f.write_str("STLS"),
            Capability::Utf8 { user: is_for_user } => write!(f, "UTF8{}", user(is_for_user)),
            Capability::Lang => f.write_str("LANG"),
            Capability::Other(line) => f.write_str(line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 2449 §5 and some more.
    #[test]
    fn capabilities_are_read_and_printed() {
        let table = [
            ("TOP", Capability::Top),
            ("USER", Capability::User),
            ("SASL CRAM-MD5 KERBEROS_V4", Capability::Sasl(vec!["CRAM-MD5".into(), "KERBEROS_V4".into()])),
            ("RESP-CODES", Capability::RespCodes),
            ("LOGIN-DELAY 900", Capability::LoginDelay { seconds: 900, per_user: false }),
            ("PIPELINING", Capability::Pipelining),
            ("EXPIRE 60", Capability::Expire { retention: Retention::Days(60), per_user: false }),
            ("EXPIRE 5 USER", Capability::Expire { retention: Retention::Days(5), per_user: true }),
            ("EXPIRE NEVER", Capability::Expire { retention: Retention::Never, per_user: false }),
            ("UIDL", Capability::Uidl),
            (
                "IMPLEMENTATION Shlemazle-Plotz-v302",
                Capability::Implementation("Shlemazle-Plotz-v302".into()),
            ),
            ("AUTH-RESP-CODE", Capability::AuthRespCode),
            ("STLS", Capability::Stls),
            ("UTF8", Capability::Utf8 { user: false }),
            ("UTF8 USER", Capability::Utf8 { user: true }),
            ("LANG", Capability::Lang),
            ("X-OWN thing", Capability::Other("X-OWN thing".into())),
            ("EXPIRE soon", Capability::Other("EXPIRE soon".into())),
        ];
        for (line, expected) in table {
            let capability = Capability::parse(line);
            assert_eq!(capability, expected);
            assert_eq!(capability.to_string(), line);
        }
        assert_eq!(Capability::parse("uidl"), Capability::Uidl);
        assert_eq!(Capability::parse(""), Capability::Other(String::new()));
    }
}
