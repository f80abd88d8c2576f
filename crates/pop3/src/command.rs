//! Commands: read from a line, and printed as one (RFC 1939 §9, RFC 2449 §3 and §5).

use crate::limits::{AUTH_COMMAND_OCTETS_MAX, COMMAND_OCTETS_MAX};
use posta_wire::Secret;
use std::{fmt, num::NonZeroU32};
use thiserror::Error;

/// The number of a message within a session: 1 for the first (RFC 1939 §4).
pub type MessageNumber = NonZeroU32;

/// One command, in the order of the RFCs.
///
/// `Debug` hides the password. Printing ([`Command::to_line`]) is the inverse of parsing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `QUIT` (RFC 1939 §4, §6).
    Quit,
    /// `STAT` (RFC 1939 §5).
    Stat,
    /// `LIST [msg]` (RFC 1939 §5).
    List(Option<MessageNumber>),
    /// `RETR msg` (RFC 1939 §5).
    Retr(MessageNumber),
    /// `DELE msg` (RFC 1939 §5).
    Dele(MessageNumber),
    /// `NOOP` (RFC 1939 §5).
    Noop,
    /// `RSET` (RFC 1939 §5).
    Rset,
    /// `TOP msg n` (RFC 1939 §7).
    Top {
        /// Which.
        message: MessageNumber,
        /// Lines of the body, after the header and the empty line.
        lines: u32,
    },
    /// `UIDL [msg]` (RFC 1939 §7).
    Uidl(Option<MessageNumber>),
    /// `USER name` (RFC 1939 §7). The name may contain spaces: there is only one argument.
    User(String),
    /// `PASS string` (RFC 1939 §7). Spaces belong to the password, wherever they stand.
    Pass(Secret),
    /// `APOP name digest` (RFC 1939 §7).
    Apop {
        /// As for USER.
        name: String,
        /// MD5 of the greeting's timestamp and the shared secret.
        digest: [u8; 16],
    },
    /// `CAPA` (RFC 2449 §5).
    Capa,
    /// `AUTH mechanism [initial-response]` (RFC 5034 §4).
    Auth {
        /// The mechanism's name; whether there is such a one is seen later.
        mechanism: String,
        /// Base64, or `=` for an empty one. May hold a password.
        initial: Option<Secret>,
    },
    /// `STLS` (RFC 2595 §4).
    Stls,
    /// `UTF8` (RFC 6856 §2.1).
    Utf8,
    /// `LANG [range]` (RFC 6856 §3.2): a language range, `*` for the preferred one; without, a listing.
    Lang(Option<String>),
}

/// What a keyword needs. `Display` is fit for a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    /// USER.
    Name,
    /// PASS.
    Password,
    /// RETR, DELE, LIST, UIDL.
    Number,
    /// TOP.
    NumberAndLines,
    /// APOP.
    NameAndDigest,
    /// AUTH.
    Mechanism,
    /// LANG.
    Language,
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Argument::Name => "a name",
            Argument::Password => "a password",
            Argument::Number => "a message number",
            Argument::NumberAndLines => "a message number and a number of lines",
            Argument::NameAndDigest => "a name and a digest of 32 hexadecimal digits",
            Argument::Mechanism => "a mechanism, and perhaps an initial response",
            Argument::Language => "at most one language",
        })
    }
}

/// Why a line is no command. `Display` is fit for a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CommandError {
    /// Not a keyword that we know.
    #[error("unknown command")]
    Unknown,
    /// The keyword takes no argument.
    #[error("{0} takes no argument")]
    ArgumentUnexpected(&'static str),
    /// The keyword needs what is named.
    #[error("{0} needs {1}")]
    ArgumentNeeded(&'static str, Argument),
    /// The line ends with a bare LF.
    #[error("lines end with CR LF")]
    BareLineFeed,
    /// More than [`COMMAND_OCTETS_MAX`].
    #[error("command line too long")]
    TooLong,
    /// Control characters, or octets that are not UTF-8.
    #[error("command line is not text")]
    NotText,
}

impl Command {
    /// Reads a line without its CRLF.
    pub fn parse(line: &[u8]) -> Result<Command, CommandError> {
        let is_auth = line.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"AUTH "));
        let octets_max = if is_auth { AUTH_COMMAND_OCTETS_MAX } else { COMMAND_OCTETS_MAX };
        if line.len() + 2 > octets_max {
            return Err(CommandError::TooLong);
        }
        // RFC 2449 §3 allows VCHAR only; passwords and names in UTF-8 are common enough to let through
        // (RFC 6856 makes them official). Control characters never are.
        let text = std::str::from_utf8(line).map_err(|_| CommandError::NotText)?;
        if text.chars().any(char::is_control) {
            return Err(CommandError::NotText);
        }
        let (keyword, argument) = match text.split_once(' ') {
            Some((keyword, argument)) => (keyword, argument),
            None => (text, ""),
        };
        Self::parse_parts(keyword, argument)
    }

    fn parse_parts(keyword: &str, argument: &str) -> Result<Command, CommandError> {
        // Quirk "trailing space": hand-made scripts and old Eudora send `STAT ` or `RETR 1 `.
        // The grammar has none; nothing but a password can mean one.
        let trimmed = argument.trim_end_matches(' ');
        let [a, b, c, d] = match keyword.as_bytes() {
            [a, b, c] => [*a, *b, *c, b' '],
            [a, b, c, d] => [*a, *b, *c, *d],
            _ => return Err(CommandError::Unknown),
        }
        .map(|octet| octet.to_ascii_uppercase());
        match &[a, b, c, d] {
            b"QUIT" => bare("QUIT", trimmed, Command::Quit),
            b"STAT" => bare("STAT", trimmed, Command::Stat),
            b"LIST" => optional_number("LIST", trimmed).map(Command::List),
            b"RETR" => number("RETR", trimmed).map(Command::Retr),
            b"DELE" => number("DELE", trimmed).map(Command::Dele),
            b"NOOP" => bare("NOOP", trimmed, Command::Noop),
            b"RSET" => bare("RSET", trimmed, Command::Rset),
            b"TOP " => parse_top(trimmed),
            b"UIDL" => optional_number("UIDL", trimmed).map(Command::Uidl),
            b"USER" if trimmed.is_empty() => Err(CommandError::ArgumentNeeded("USER", Argument::Name)),
            b"USER" => Ok(Command::User(trimmed.to_owned())),
            b"PASS" if argument.is_empty() => Err(CommandError::ArgumentNeeded("PASS", Argument::Password)),
            b"PASS" => Ok(Command::Pass(Secret::new(argument))),
            b"APOP" => parse_apop(trimmed),
            b"AUTH" => parse_auth(trimmed),
            b"CAPA" => bare("CAPA", trimmed, Command::Capa),
            b"STLS" => bare("STLS", trimmed, Command::Stls),
            b"UTF8" => bare("UTF8", trimmed, Command::Utf8),
            b"LANG" => parse_lang(trimmed),
            _ => Err(CommandError::Unknown),
        }
    }

    /// The keyword, upper-case.
    pub fn keyword(&self) -> &'static str {
        match self {
            Command::Quit => "QUIT",
            Command::Stat => "STAT",
            Command::List(_) => "LIST",
            Command::Retr(_) => "RETR",
            Command::Dele(_) => "DELE",
            Command::Noop => "NOOP",
            Command::Rset => "RSET",
            Command::Top { .. } => "TOP",
            Command::Uidl(_) => "UIDL",
            Command::User(_) => "USER",
            Command::Pass(_) => "PASS",
            Command::Apop { .. } => "APOP",
            Command::Capa => "CAPA",
            Command::Auth { .. } => "AUTH",
            Command::Stls => "STLS",
            Command::Utf8 => "UTF8",
            Command::Lang(_) => "LANG",
        }
    }

    /// Prints the line with its CRLF, secrets included: for the wire only.
    pub fn to_line(&self) -> String {
        let keyword = self.keyword();
        match self {
            Command::List(Some(message)) | Command::Uidl(Some(message)) => format!("{keyword} {message}\r\n"),
            Command::Retr(message) | Command::Dele(message) => format!("{keyword} {message}\r\n"),
            Command::Top { message, lines } => format!("{keyword} {message} {lines}\r\n"),
            Command::User(name) => format!("{keyword} {name}\r\n"),
            Command::Pass(password) => format!("{keyword} {}\r\n", password.expose()),
            Command::Apop { name, digest } => format!("{keyword} {name} {}\r\n", hex::encode(digest)),
            Command::Auth { mechanism, initial: None } => format!("{keyword} {mechanism}\r\n"),
            Command::Auth { mechanism, initial: Some(initial) } => {
                format!("{keyword} {mechanism} {}\r\n", initial.expose())
            }
            Command::Lang(Some(range)) => format!("{keyword} {range}\r\n"),
            _ => format!("{keyword}\r\n"),
        }
    }
}

fn bare(keyword: &'static str, argument: &str, command: Command) -> Result<Command, CommandError> {
    if argument.is_empty() { Ok(command) } else { Err(CommandError::ArgumentUnexpected(keyword)) }
}

fn number(keyword: &'static str, argument: &str) -> Result<MessageNumber, CommandError> {
    let needed = CommandError::ArgumentNeeded(keyword, Argument::Number);
    // `parse` alone would take "+1".
    if !argument.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(needed);
    }
    argument.parse().map_err(|_| needed)
}

fn optional_number(keyword: &'static str, argument: &str) -> Result<Option<MessageNumber>, CommandError> {
    if argument.is_empty() { Ok(None) } else { number(keyword, argument).map(Some) }
}

fn parse_top(argument: &str) -> Result<Command, CommandError> {
    let needed = CommandError::ArgumentNeeded("TOP", Argument::NumberAndLines);
    let (message, lines) = argument.split_once(' ').ok_or(needed)?;
    let message = number("TOP", message).map_err(|_| needed)?;
    if lines.is_empty() || !lines.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(needed);
    }
    // More lines than a u32 counts are the same as all of them.
    Ok(Command::Top { message, lines: lines.parse().unwrap_or(u32::MAX) })
}

fn parse_apop(argument: &str) -> Result<Command, CommandError> {
    let needed = CommandError::ArgumentNeeded("APOP", Argument::NameAndDigest);
    let (name, digits) = argument.rsplit_once(' ').ok_or(needed)?;
    let mut digest = [0; 16];
    hex::decode_to_slice(digits, &mut digest).map_err(|_| needed)?;
    if name.trim_end_matches(' ').is_empty() || name.ends_with(' ') {
        return Err(needed);
    }
    Ok(Command::Apop { name: name.to_owned(), digest })
}

fn parse_auth(argument: &str) -> Result<Command, CommandError> {
    let needed = CommandError::ArgumentNeeded("AUTH", Argument::Mechanism);
    let mut words = argument.split(' ').filter(|word| !word.is_empty());
    let mechanism = words.next().ok_or(needed)?.to_owned();
    let initial = words.next().map(Secret::new);
    if words.next().is_some() { Err(needed) } else { Ok(Command::Auth { mechanism, initial }) }
}

fn parse_lang(argument: &str) -> Result<Command, CommandError> {
    if argument.contains(' ') {
        return Err(CommandError::ArgumentNeeded("LANG", Argument::Language));
    }
    Ok(Command::Lang((!argument.is_empty()).then(|| argument.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn n(number: u32) -> MessageNumber {
        MessageNumber::new(number).expect("not zero")
    }

    #[test]
    fn commands_are_read() {
        let digest: [u8; 16] = hex::decode("c4c9334bac560ecc979e58001b3e22fb").unwrap().try_into().unwrap();
        let table: &[(&str, Command)] = &[
            ("QUIT", Command::Quit),
            ("stls", Command::Stls),
            ("quit", Command::Quit),
            ("sTaT", Command::Stat),
            ("STAT ", Command::Stat),
            ("LIST", Command::List(None)),
            ("LIST 2", Command::List(Some(n(2)))),
            ("LIST 0002", Command::List(Some(n(2)))),
            ("RETR 1", Command::Retr(n(1))),
            ("RETR 1 ", Command::Retr(n(1))),
            ("dele 4294967295", Command::Dele(n(u32::MAX))),
            ("NOOP", Command::Noop),
            ("RSET", Command::Rset),
            ("TOP 1 10", Command::Top { message: n(1), lines: 10 }),
            ("top 1 0", Command::Top { message: n(1), lines: 0 }),
            ("TOP 1 99999999999999999999", Command::Top { message: n(1), lines: u32::MAX }),
            ("UIDL", Command::Uidl(None)),
            ("UIDL 7", Command::Uidl(Some(n(7)))),
            ("USER mrose", Command::User("mrose".into())),
            ("USER a b@x.example", Command::User("a b@x.example".into())),
            ("PASS secret", Command::Pass(Secret::new("secret"))),
            ("PASS  two  spaces ", Command::Pass(Secret::new(" two  spaces "))),
            ("PASS pässwörd", Command::Pass(Secret::new("pässwörd"))),
            ("APOP mrose c4c9334bac560ecc979e58001b3e22fb", Command::Apop { name: "mrose".into(), digest }),
            ("CAPA", Command::Capa),
            ("auth PLAIN", Command::Auth { mechanism: "PLAIN".into(), initial: None }),
            ("UTF8", Command::Utf8),
            ("LANG", Command::Lang(None)),
            ("lang de-AT ", Command::Lang(Some("de-AT".into()))),
            ("LANG *", Command::Lang(Some("*".into()))),
            ("AUTH PLAIN =", Command::Auth { mechanism: "PLAIN".into(), initial: Some(Secret::new("=")) }),
        ];
        for (line, expected) in table {
            assert_eq!(Command::parse(line.as_bytes()).as_ref(), Ok(expected), "{line:?}");
        }
    }

    #[test]
    fn what_is_no_command_is_refused() {
        let longest = format!("PASS {}", "x".repeat(COMMAND_OCTETS_MAX - 7));
        assert!(Command::parse(longest.as_bytes()).is_ok());
        let too_long = longest.clone() + "x";
        let too_long_auth = format!("AUTH PLAIN {}", "x".repeat(AUTH_COMMAND_OCTETS_MAX));
        assert!(Command::parse(&too_long_auth.as_bytes()[..AUTH_COMMAND_OCTETS_MAX - 2]).is_ok());
        let table: &[(&[u8], CommandError)] = &[
            (b"", CommandError::Unknown),
            (b" ", CommandError::Unknown),
            (b"TOP", CommandError::ArgumentNeeded("TOP", Argument::NumberAndLines)),
            (b"TOP 1", CommandError::ArgumentNeeded("TOP", Argument::NumberAndLines)),
            (b"TOP 1 -1", CommandError::ArgumentNeeded("TOP", Argument::NumberAndLines)),
            (b"TOP 1  1", CommandError::ArgumentNeeded("TOP", Argument::NumberAndLines)),
            (b"HELO", CommandError::Unknown),
            (b"QUITS", CommandError::Unknown),
            (b"STAT 1", CommandError::ArgumentUnexpected("STAT")),
            (b"QUIT now", CommandError::ArgumentUnexpected("QUIT")),
            (b"RETR", CommandError::ArgumentNeeded("RETR", Argument::Number)),
            (b"RETR 0", CommandError::ArgumentNeeded("RETR", Argument::Number)),
            (b"RETR +1", CommandError::ArgumentNeeded("RETR", Argument::Number)),
            (b"RETR -1", CommandError::ArgumentNeeded("RETR", Argument::Number)),
            (b"RETR 1 2", CommandError::ArgumentNeeded("RETR", Argument::Number)),
            (b"RETR 4294967296", CommandError::ArgumentNeeded("RETR", Argument::Number)),
            (b"LIST x", CommandError::ArgumentNeeded("LIST", Argument::Number)),
            (b"USER", CommandError::ArgumentNeeded("USER", Argument::Name)),
            (b"USER  ", CommandError::ArgumentNeeded("USER", Argument::Name)),
            (b"PASS", CommandError::ArgumentNeeded("PASS", Argument::Password)),
            (b"PASS ", CommandError::ArgumentNeeded("PASS", Argument::Password)),
            (b"APOP mrose", APOP_NEEDED),
            (b"APOP mrose c4c9", APOP_NEEDED),
            (b"APOP  c4c9334bac560ecc979e58001b3e22fb", APOP_NEEDED),
            (b"STAT\0", CommandError::NotText),
            (b"STAT\r", CommandError::NotText),
            (b"UTF8 on", CommandError::ArgumentUnexpected("UTF8")),
            (b"LANG de fr", CommandError::ArgumentNeeded("LANG", Argument::Language)),
            (b"AUTH", AUTH_NEEDED),
            (b"AUTH PLAIN a b", AUTH_NEEDED),
            (b"USER \xff", CommandError::NotText),
            (too_long.as_bytes(), CommandError::TooLong),
            (too_long_auth.as_bytes(), CommandError::TooLong),
        ];
        for (line, expected) in table {
            assert_eq!(Command::parse(line).as_ref(), Err(expected), "{}", line.escape_ascii());
        }
    }
    const AUTH_NEEDED: CommandError = CommandError::ArgumentNeeded("AUTH", Argument::Mechanism);
    const APOP_NEEDED: CommandError = CommandError::ArgumentNeeded("APOP", Argument::NameAndDigest);

    #[test]
    fn passwords_do_not_print() {
        let command = Command::parse(b"PASS swordfish").unwrap();
        assert!(!format!("{command:?}").contains("swordfish"));
    }

    fn any_command() -> impl Strategy<Value = Command> {
        let number = || (1u32..).prop_map(n);
        let name = || "[!-~é]([ -~é]{0,60}[!-~é])?";
        prop_oneof![
            Just(Command::Quit),
            Just(Command::Stat),
            proptest::option::of(number()).prop_map(Command::List),
            number().prop_map(Command::Retr),
            number().prop_map(Command::Dele),
            Just(Command::Noop),
            Just(Command::Rset),
            (number(), any::<u32>()).prop_map(|(message, lines)| Command::Top { message, lines }),
            proptest::option::of(number()).prop_map(Command::Uidl),
            name().prop_map(Command::User),
            "[ -~ü]{1,100}".prop_map(|text| Command::Pass(Secret::new(text))),
            (name(), any::<[u8; 16]>()).prop_map(|(name, digest)| Command::Apop { name, digest }),
            Just(Command::Capa),
            Just(Command::Utf8),
            proptest::option::of("[!-~]{1,20}").prop_map(Command::Lang),
            ("[!-~]{1,30}", proptest::option::of("[!-~]{1,60}")).prop_map(|(mechanism, initial)| {
                Command::Auth { mechanism, initial: initial.map(Secret::new) }
            }),
        ]
    }

    proptest! {
        #[test]
        fn printing_is_the_inverse_of_parsing(command in any_command()) {
            let line = command.to_line();
            let bare = line.strip_suffix("\r\n").expect("a line ends");
            prop_assert_eq!(Command::parse(bare.as_bytes()), Ok(command));
        }

        #[test]
        fn any_octets_are_read_or_refused(line in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(command) = Command::parse(&line) {
                let again = command.to_line();
                prop_assert_eq!(Command::parse(again.trim_end_matches("\r\n").as_bytes()), Ok(command));
            }
        }
    }
}
