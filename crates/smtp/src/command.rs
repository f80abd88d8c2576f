//! Commands: one variant per verb, printing is the inverse of parsing (RFC 5321 §4.1.1).

use crate::{
    Delivery, Introduction, MailParameters, QueueName, RecipientParameters, Reply, SyntaxQuirks, Turning,
    limits::HELLO_NAME_OCTETS_MAX,
    parameters::ParameterError,
    replies::{self, Standard},
};
use posta_address::{AddressError, ForwardPath, ReversePath};
use posta_wire::Secret;
use std::fmt;

/// A command of RFC 5321 §4.1.1, in that order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `HELO name`: as an RFC 821 client greets.
    Helo(String),
    /// `EHLO name`
    Ehlo(String),
    /// `LHLO name`: the greeting of LMTP (RFC 2033 §4.1)
    Lhlo(String),
    /// `MAIL FROM:<reverse-path> parameters`, or `SEND`, `SOML`, `SAML` (RFC 821 §4.1.1)
    Mail {
        /// What the verb asks for.
        delivery: Delivery,
        /// Where failures are reported to.
        reverse_path: ReversePath,
        /// What follows the path.
        parameters: MailParameters,
    },
    /// `RCPT TO:<forward-path> parameters`
    Rcpt {
        /// Where the message goes.
        forward_path: ForwardPath,
        /// What follows the path.
        parameters: RecipientParameters,
    },
    /// `DATA`
    Data,
    /// `BDAT octets [LAST]` (RFC 3030 §2)
    Bdat {
        /// Octets of the chunk that follows.
        octets: u64,
        /// It ends the content.
        last: bool,
    },
    /// `RSET`
    Rset,
    /// `AUTH mechanism [initial-response]` (RFC 4954 §4)
    Auth(AuthCommand),
    /// `STARTTLS` (RFC 3207)
    StartTls,
    /// `VRFY user-or-mailbox`
    Vrfy(Lookup),
    /// `EXPN list`
    Expn(Lookup),
    /// `HELP`, perhaps with a topic
    Help(Option<String>),
    /// `NOOP`, perhaps with a word that means nothing
    Noop(Option<String>),
    /// `ETRN domain`, `ETRN @domain`, `ETRN #queue` (RFC 1985 §5)
    Etrn(QueueName),
    /// `ATRN [domain,…]` (RFC 2645 §5.2.1), or `TURN` (RFC 821 §3.8)
    Turn(Turning),
    /// `XCLIENT name=value …` (Postfix)
    XClient(Box<Introduction>),
    /// `QUIT`
    Quit,
}

/// What AUTH asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthCommand {
    /// The mechanism's name; whether there is such a one is seen later.
    pub mechanism: String,
    /// Base64, or `=` for an empty one. May hold a password.
    pub initial: Option<Secret>,
}

/// What VRFY and EXPN ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// The argument.
    pub argument: String,
    /// `SMTPUTF8` came with it: the reply may hold UTF-8 (RFC 6531 §3.7.4.2).
    pub smtputf8: bool,
}

/// The verbs, to speak of a command whose arguments may be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// HELO
    Helo,
    /// EHLO
    Ehlo,
    /// LHLO
    Lhlo,
    /// MAIL
    Mail,
    /// SEND
    Send,
    /// SOML
    Soml,
    /// SAML
    Saml,
    /// RCPT
    Rcpt,
    /// DATA
    Data,
    /// BDAT
    Bdat,
    /// RSET
    Rset,
    /// AUTH
    Auth,
    /// STARTTLS
    StartTls,
    /// VRFY
    Vrfy,
    /// EXPN
    Expn,
    /// HELP
    Help,
    /// NOOP
    Noop,
    /// ETRN
    Etrn,
    /// ATRN
    Atrn,
    /// TURN
    Turn,
    /// XCLIENT
    XClient,
    /// QUIT
    Quit,
}

/// Why a line is no command. [`reply`](Self::reply) says so to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandError {
    /// The verb, as far as it is one.
    pub verb: Option<Verb>,
    standard: Standard,
    words: Option<&'static str>,
}

/// Known from other RFCs but not offered here, hence 502 rather than 500 (RFC 5321 §4.2.4): BURL
/// (RFC 4468).
const NOT_IMPLEMENTED: &[&str] = &["BURL"];

impl Verb {
    const ALL: [(&'static str, Verb); 22] = [
        ("HELO", Verb::Helo),
        ("EHLO", Verb::Ehlo),
        ("LHLO", Verb::Lhlo),
        ("MAIL", Verb::Mail),
        ("SEND", Verb::Send),
        ("SOML", Verb::Soml),
        ("SAML", Verb::Saml),
        ("RCPT", Verb::Rcpt),
        ("DATA", Verb::Data),
        ("BDAT", Verb::Bdat),
        ("RSET", Verb::Rset),
        ("AUTH", Verb::Auth),
        ("STARTTLS", Verb::StartTls),
        ("VRFY", Verb::Vrfy),
        ("EXPN", Verb::Expn),
        ("HELP", Verb::Help),
        ("NOOP", Verb::Noop),
        ("ETRN", Verb::Etrn),
        ("ATRN", Verb::Atrn),
        ("TURN", Verb::Turn),
        ("XCLIENT", Verb::XClient),
        ("QUIT", Verb::Quit),
    ];

    /// Upper-case, as on the wire.
    pub fn as_str(self) -> &'static str {
        Verb::ALL[self as usize].0
    }

    /// Lower-case, as in the journal.
    pub fn stage(self) -> &'static str {
        match self {
            Verb::Helo => "helo",
            Verb::Ehlo => "ehlo",
            Verb::Lhlo => "lhlo",
            Verb::Mail => "mail",
            Verb::Send => "send",
            Verb::Soml => "soml",
            Verb::Saml => "saml",
            Verb::Rcpt => "rcpt",
            Verb::Data => "data",
            Verb::Bdat => "bdat",
            Verb::Rset => "rset",
            Verb::Auth => "auth",
            Verb::StartTls => "starttls",
            Verb::Vrfy => "vrfy",
            Verb::Expn => "expn",
            Verb::Help => "help",
            Verb::Noop => "noop",
            Verb::Etrn => "etrn",
            Verb::Atrn => "atrn",
            Verb::Turn => "turn",
            Verb::XClient => "xclient",
            Verb::Quit => "quit",
        }
    }
}

impl Command {
    /// Reads a command line, without its line end.
    pub fn parse(line: &[u8], quirks: &SyntaxQuirks) -> Result<Self, CommandError> {
        // NUL and other controls have no place in any command; a tab counts as a space.
        let odd = |octet: &u8| octet.is_ascii_control() && *octet != b'\t';
        let text = match std::str::from_utf8(line) {
            Ok(text) if !line.iter().any(odd) => text,
            _ => return Err(CommandError::new(None, replies::BAD_CHARACTERS)),
        };
        // Trailing white space is tolerated (RFC 5321 §4.1.1).
        let text = text.trim_end_matches(WHITE_SPACE);
        let (word, arguments) = text.split_once(WHITE_SPACE).unwrap_or((text, ""));
        let Some((_, verb)) = Verb::ALL.iter().find(|(name, _)| word.eq_ignore_ascii_case(name)) else {
            let known = NOT_IMPLEMENTED.iter().any(|name| word.eq_ignore_ascii_case(name));
            let standard = if known { replies::NOT_IMPLEMENTED } else { replies::UNKNOWN_COMMAND };
            return Err(CommandError::new(None, standard));
        };
        Self::parse_arguments(*verb, arguments.trim_start_matches(WHITE_SPACE), quirks)
    }

    fn parse_arguments(verb: Verb, arguments: &str, quirks: &SyntaxQuirks) -> Result<Self, CommandError> {
        let optional = || (!arguments.is_empty()).then(|| arguments.to_owned());
        let without = |command: Command| match arguments {
            "" => Ok(command),
            _ => Err(CommandError::new(Some(verb), replies::BAD_ARGUMENTS).say("No argument goes here")),
        };
        match verb {
            Verb::Helo => parse_hello(verb, arguments, quirks).map(Command::Helo),
            Verb::Ehlo => parse_hello(verb, arguments, quirks).map(Command::Ehlo),
            Verb::Lhlo => parse_hello(verb, arguments, quirks).map(Command::Lhlo),
            Verb::Mail | Verb::Send | Verb::Soml | Verb::Saml => parse_mail(verb, arguments, quirks),
            Verb::Rcpt => parse_rcpt(arguments, quirks),
            Verb::Data => without(Command::Data),
            Verb::Bdat => parse_bdat(arguments),
            Verb::Rset => without(Command::Rset),
            Verb::Auth => parse_auth(arguments).map(Command::Auth),
            Verb::StartTls => without(Command::StartTls),
            Verb::Vrfy => parse_lookup(verb, arguments).map(Command::Vrfy),
            Verb::Expn => parse_lookup(verb, arguments).map(Command::Expn),
            Verb::Help => Ok(Command::Help(optional())),
            Verb::Noop => Ok(Command::Noop(optional())),
            Verb::Etrn => QueueName::parse(arguments).map(Command::Etrn).ok_or_else(|| {
                CommandError::new(Some(verb), replies::BAD_ARGUMENTS)
                    .say("Syntax: ETRN domain, @domain or #queue")
            }),
            Verb::Atrn => Turning::parse(arguments).map(Command::Turn).ok_or_else(|| {
                CommandError::new(Some(verb), replies::BAD_ARGUMENTS).say("Syntax: ATRN [domain,domain...]")
            }),
            Verb::Turn => without(Command::Turn(Turning::Historic)),
            Verb::XClient => {
                Introduction::parse(arguments).map(Box::new).map(Command::XClient).ok_or_else(|| {
                    CommandError::new(Some(verb), replies::BAD_ARGUMENTS).say("Bad XCLIENT attribute")
                })
            }
            Verb::Quit => without(Command::Quit),
        }
    }

    /// Its verb.
    pub fn verb(&self) -> Verb {
        match self {
            Command::Helo(_) => Verb::Helo,
            Command::Ehlo(_) => Verb::Ehlo,
            Command::Lhlo(_) => Verb::Lhlo,
            Command::Mail { delivery, .. } => delivery.verb(),
            Command::Rcpt { .. } => Verb::Rcpt,
            Command::Data => Verb::Data,
            Command::Bdat { .. } => Verb::Bdat,
            Command::Rset => Verb::Rset,
            Command::Auth(_) => Verb::Auth,
            Command::StartTls => Verb::StartTls,
            Command::Vrfy(_) => Verb::Vrfy,
            Command::Expn(_) => Verb::Expn,
            Command::Help(_) => Verb::Help,
            Command::Noop(_) => Verb::Noop,
            Command::Etrn(_) => Verb::Etrn,
            Command::Turn(Turning::Authenticated(_)) => Verb::Atrn,
            Command::Turn(Turning::Historic) => Verb::Turn,
            Command::XClient(_) => Verb::XClient,
            Command::Quit => Verb::Quit,
        }
    }
}

const WHITE_SPACE: [char; 2] = [' ', '\t'];

impl CommandError {
    fn new(verb: Option<Verb>, standard: Standard) -> Self {
        CommandError { verb, standard, words: None }
    }

    fn say(self, words: &'static str) -> Self {
        CommandError { words: Some(words), ..self }
    }

    /// What the client is told.
    pub fn reply(&self) -> Reply {
        match self.words {
            Some(words) => self.standard.with(words),
            None => self.standard.reply(),
        }
    }
}

/// A domain or address literal is asked for (RFC 5321 §4.1.1.1), but whatever is one printable word is
/// let through: the name proves nothing, and many a client knows no proper one.
fn parse_hello(verb: Verb, arguments: &str, quirks: &SyntaxQuirks) -> Result<String, CommandError> {
    let error = CommandError::new(Some(verb), replies::BAD_ARGUMENTS);
    if arguments.is_empty() && !quirks.hello_without_argument {
        return Err(error.say("A host name or address literal goes here"));
    }
    if arguments.len() > HELLO_NAME_OCTETS_MAX {
        return Err(error.say("Host name too long"));
    }
    if arguments.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(error.say("One host name or address literal goes here"));
    }
    Ok(arguments.to_owned())
}

fn parse_mail(verb: Verb, arguments: &str, quirks: &SyntaxQuirks) -> Result<Command, CommandError> {
    let error = |standard| CommandError::new(Some(verb), standard);
    let (delivery, syntax) = match Delivery::of(verb) {
        Some(Delivery::Send) => (Delivery::Send, "Syntax: SEND FROM:<address>"),
        Some(Delivery::SendOrMail) => (Delivery::SendOrMail, "Syntax: SOML FROM:<address>"),
        Some(Delivery::SendAndMail) => (Delivery::SendAndMail, "Syntax: SAML FROM:<address>"),
        Some(Delivery::Mail) | None => (Delivery::Mail, "Syntax: MAIL FROM:<address>"),
    };
    let (path, rest) =
        split_path(arguments, "FROM:", quirks).ok_or_else(|| error(replies::BAD_ARGUMENTS).say(syntax))?;
    let reverse_path = match path {
        Path::Bracketed(path) => ReversePath::parse(path),
        Path::Bare(path) => ReversePath::parse(&format!("<{path}>")),
    };
    let reverse_path = reverse_path.map_err(|reason| {
        let standard = match reason {
            AddressError::Domain | AddressError::DomainTooLong | AddressError::Literal => {
                replies::BAD_SENDER_DOMAIN
            }
            _ => replies::BAD_SENDER,
        };
        error(standard).say(words_for(reason, standard.text))
    })?;
    let parameters = MailParameters::parse(rest).map_err(|reason| error(reason.into()))?;
    Ok(Command::Mail { delivery, reverse_path, parameters })
}

fn parse_rcpt(arguments: &str, quirks: &SyntaxQuirks) -> Result<Command, CommandError> {
    let error = |standard| CommandError::new(Some(Verb::Rcpt), standard);
    let (path, rest) = split_path(arguments, "TO:", quirks)
        .ok_or_else(|| error(replies::BAD_ARGUMENTS).say("Syntax: RCPT TO:<address>"))?;
    let forward_path = match path {
        Path::Bracketed(path) => ForwardPath::parse(path),
        Path::Bare(path) => ForwardPath::parse(&format!("<{path}>")),
    };
    let forward_path = forward_path.map_err(|reason| {
        let standard = match reason {
            AddressError::Domain | AddressError::DomainTooLong | AddressError::Literal => {
                replies::BAD_RECIPIENT_DOMAIN
            }
            _ => replies::BAD_RECIPIENT,
        };
        error(standard).say(words_for(reason, standard.text))
    })?;
    let parameters = RecipientParameters::parse(rest).map_err(|reason| error(reason.into()))?;
    Ok(Command::Rcpt { forward_path, parameters })
}

fn words_for(reason: AddressError, usual: &'static str) -> &'static str {
    match reason {
        AddressError::LocalPartTooLong => "Local-part too long",
        AddressError::DomainTooLong => "Domain too long",
        AddressError::PathTooLong => "Path too long",
        AddressError::DomainMissing => "The address needs a domain",
        AddressError::Literal => "Bad address literal",
        _ => usual,
    }
}

enum Path<'a> {
    /// With its angle brackets.
    Bracketed(&'a str),
    /// Without any.
    Bare(&'a str),
}

/// Divides `FROM:<path> parameters` into path and parameters.
fn split_path<'a>(arguments: &'a str, keyword: &str, quirks: &SyntaxQuirks) -> Option<(Path<'a>, &'a str)> {
    let (head, rest) = arguments.split_at_checked(keyword.len())?;
    if !head.eq_ignore_ascii_case(keyword) {
        return None;
    }
    let trimmed = rest.trim_start_matches(WHITE_SPACE);
    if trimmed.is_empty() || trimmed.len() != rest.len() && !quirks.space_before_path {
        return None;
    }
    if trimmed.starts_with('<') {
        let (path, parameters) = trimmed.split_at(path_end(trimmed)? + 1);
        // A parameter is set off by a space (RFC 5321 §4.1.1.2).
        if !parameters.is_empty() && !parameters.starts_with(WHITE_SPACE) {
            return None;
        }
        return Some((Path::Bracketed(path), parameters));
    }
    if !quirks.path_without_brackets || trimmed.contains(['<', '>']) {
        return None;
    }
    let (path, parameters) = trimmed.split_once(WHITE_SPACE).unwrap_or((trimmed, ""));
    Some((Path::Bare(path), parameters))
}

/// Where the closing bracket is: the first `>` outside a quoted local-part.
fn path_end(text: &str) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    for (index, octet) in text.bytes().enumerate() {
        match octet {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return Some(index),
            _ => {}
        }
    }
    None
}

fn parse_auth(arguments: &str) -> Result<AuthCommand, CommandError> {
    let error = || CommandError::new(Some(Verb::Auth), replies::BAD_ARGUMENTS);
    let mut words = arguments.split(WHITE_SPACE).filter(|word| !word.is_empty());
    let mechanism = words.next().ok_or_else(|| error().say("Syntax: AUTH mechanism [initial-response]"))?;
    let initial = words.next().map(Secret::new);
    if words.next().is_some() {
        return Err(error().say("Syntax: AUTH mechanism [initial-response]"));
    }
    Ok(AuthCommand { mechanism: mechanism.to_owned(), initial })
}

/// RFC 3030 §2: `chunk-size [end-marker]`.
fn parse_bdat(arguments: &str) -> Result<Command, CommandError> {
    let error = CommandError::new(Some(Verb::Bdat), replies::BAD_ARGUMENTS).say("Syntax: BDAT octets [LAST]");
    let mut words = arguments.split(WHITE_SPACE).filter(|word| !word.is_empty());
    let size = words.next().filter(|size| size.bytes().all(|octet| octet.is_ascii_digit())).ok_or(error)?;
    let last = match words.next() {
        None => false,
        Some(word) if word.eq_ignore_ascii_case("LAST") => true,
        Some(_) => return Err(error),
    };
    match (size.parse(), words.next()) {
        (Ok(octets), None) => Ok(Command::Bdat { octets, last }),
        _ => Err(error),
    }
}

fn parse_lookup(verb: Verb, arguments: &str) -> Result<Lookup, CommandError> {
    let (argument, smtputf8) = match arguments.rsplit_once(WHITE_SPACE) {
        Some((argument, parameter)) if parameter.eq_ignore_ascii_case("SMTPUTF8") => {
            (argument.trim_end_matches(WHITE_SPACE), true)
        }
        _ => (arguments, false),
    };
    if argument.is_empty() {
        let error = CommandError::new(Some(verb), replies::BAD_ARGUMENTS);
        return Err(error.say("A name or address goes here"));
    }
    // RFC 6531 §3.7.4.1: without the parameter the argument is ASCII.
    if !smtputf8 && !argument.is_ascii() {
        return Err(CommandError::new(Some(verb), replies::NON_ASCII_ADDRESS));
    }
    Ok(Lookup { argument: argument.to_owned(), smtputf8 })
}

impl From<ParameterError> for Standard {
    fn from(reason: ParameterError) -> Self {
        match reason {
            ParameterError::Unknown => replies::UNKNOWN_PARAMETER,
            ParameterError::Malformed => replies::BAD_PARAMETER,
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = self.verb().as_str();
        match self {
            Command::Helo(name) | Command::Ehlo(name) | Command::Lhlo(name) if name.is_empty() => {
                f.write_str(verb)
            }
            Command::Helo(argument) | Command::Ehlo(argument) | Command::Lhlo(argument) => {
                write!(f, "{verb} {argument}")
            }
            Command::Auth(AuthCommand { mechanism, initial }) => {
                write!(f, "{verb} {mechanism}")?;
                // For the wire only, as all that a client sends.
                initial.iter().try_for_each(|initial| write!(f, " {}", initial.expose()))
            }
            Command::Vrfy(lookup) | Command::Expn(lookup) => {
                let parameter = if lookup.smtputf8 { " SMTPUTF8" } else { "" };
                write!(f, "{verb} {}{parameter}", lookup.argument)
            }
            Command::Mail { reverse_path, parameters, .. } => {
                write!(f, "{verb} FROM:{reverse_path}{parameters}")
            }
            Command::Rcpt { forward_path, parameters } => write!(f, "{verb} TO:{forward_path}{parameters}"),
            Command::Help(Some(argument)) | Command::Noop(Some(argument)) => write!(f, "{verb} {argument}"),
            Command::Bdat { octets, last } => {
                write!(f, "{verb} {octets}{}", if *last { " LAST" } else { "" })
            }
            Command::Etrn(name) => write!(f, "{verb} {name}"),
            Command::Turn(turning) => turning.fmt(f),
            Command::XClient(introduction) => write!(f, "{verb}{introduction}"),
            Command::Data
            | Command::Rset
            | Command::StartTls
            | Command::Help(None)
            | Command::Noop(None)
            | Command::Quit => f.write_str(verb),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(line: &str) -> Result<Command, CommandError> {
        Command::parse(line.as_bytes(), &SyntaxQuirks::default())
    }

    #[test]
    fn parsed_and_printed() {
        // The line, and how it is printed.
        let cases = [
            ("helo x.example", "HELO x.example"),
            ("EHLO [192.0.2.1]", "EHLO [192.0.2.1]"),
            ("lhlo x.example", "LHLO x.example"),
            ("MAIL FROM:<>", "MAIL FROM:<>"),
            ("send from:<a@x.example>", "SEND FROM:<a@x.example>"),
            ("SOML FROM:<a@x.example> SIZE=1", "SOML FROM:<a@x.example> SIZE=1"),
            ("Saml From:<>", "SAML FROM:<>"),
            (
                "mail from: <a@X.Example> size=10 body=8bitmime smtputf8",
                "MAIL FROM:<a@x.example> SIZE=10 BODY=8BITMIME SMTPUTF8",
            ),
            ("MAIL FROM:<a@x.example> BODY=7BIT", "MAIL FROM:<a@x.example>"),
            ("MAIL FROM:<@r.example:a@x.example>", "MAIL FROM:<a@x.example>"),
            ("RCPT TO:<\"a>b\"@x.example>", "RCPT TO:<\"a>b\"@x.example>"),
            ("RCPT TO:<\"plain\"@x.example>", "RCPT TO:<plain@x.example>"),
            ("RCPT TO:PostMaster", "RCPT TO:<postmaster>"),
            (
                "rcpt to:<a@x.example> notify=delay,success orcpt=rfc822;A+2B@x.example",
                "RCPT TO:<a@x.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;A+2B@x.example",
            ),
            ("MAIL FROM:<a@x.example> ENVID=q+20Q ret=hdrs", "MAIL FROM:<a@x.example> RET=HDRS ENVID=q+20Q"),
            ("data", "DATA"),
            ("bdat  10", "BDAT 10"),
            ("BDAT 0 last ", "BDAT 0 LAST"),
            ("RSET  ", "RSET"),
            ("auth plain", "AUTH plain"),
            ("AUTH PLAIN  dGVzdA==", "AUTH PLAIN dGVzdA=="),
            ("AUTH PLAIN =", "AUTH PLAIN ="),
            (
                "MAIL FROM:<e=mc2@x.example> auth=e+3Dmc2@x.example",
                "MAIL FROM:<e=mc2@x.example> AUTH=e+3Dmc2@x.example",
            ),
            ("MAIL FROM:<> AUTH=<>", "MAIL FROM:<> AUTH=<>"),
            ("VRFY a b", "VRFY a b"),
            ("VRFY jörg SMTPUTF8", "VRFY jörg SMTPUTF8"),
            ("EXPN list", "EXPN list"),
            ("HELP", "HELP"),
            ("HELP mail", "HELP mail"),
            ("NOOP x y", "NOOP x y"),
            ("QUIT", "QUIT"),
            ("etrn @South.example", "ETRN @south.example"),
            ("ETRN #all", "ETRN #all"),
            ("atrn", "ATRN"),
            ("ATRN a.example,B.example", "ATRN a.example,b.example"),
            ("turn", "TURN"),
            ("xclient name=x.example addr=192.0.2.1", "XCLIENT NAME=x.example ADDR=192.0.2.1"),
            ("starttls", "STARTTLS"),
        ];
        for (line, printed) in cases {
            let command = parse(line).unwrap_or_else(|error| panic!("{line}: {}", error.reply()));
            assert_eq!(command.to_string(), printed);
            assert_eq!(
                Command::parse(printed.as_bytes(), &SyntaxQuirks::NONE).as_ref(),
                Ok(&command),
                "{printed}"
            );
        }
    }

    #[test]
    fn refused() {
        let cases = [
            ("", "500 5.5.1"),
            ("MAILFROM:<a@x.example>", "500 5.5.1"),
            ("EHLO", "501 5.5.4"),
            ("STARTTLS now", "501 5.5.4"),
            ("LHLO", "501 5.5.4"),
            ("AUTH", "501 5.5.4"),
            ("AUTH PLAIN a b", "501 5.5.4"),
            ("MAIL FROM:<a@x.example> AUTH=e=mc2@x.example", "501 5.5.4"),
            ("MAIL FROM:<a@x.example> AUTH=e+3dmc2@x.example", "501 5.5.4"),
            ("MAIL FROM:<a@x.example> AUTH", "501 5.5.4"),
            ("MAIL TO:<a@x.example>", "501 5.5.4"),
            ("SEND TO:<a@x.example>", "501 5.5.4"),
            ("MAIL FROM:<a@x.example", "501 5.5.4"),
            ("MAIL FROM:<\"a@x.example>", "501 5.5.4"),
            ("MAIL FROM:<a@x.example>SIZE=1", "501 5.5.4"),
            ("MAIL FROM:<a>", "501 5.1.7"),
            ("MAIL FROM:<a@x..example>", "501 5.1.8"),
            ("MAIL FROM:<a@[1.2.3]>", "501 5.1.8"),
            ("MAIL FROM:<a@x.example> SIZE=x", "501 5.5.4"),
            ("MAIL FROM:<a@x.example> WHAT=1", "555 5.5.4"),
            ("RCPT TO:<a b@x.example>", "501 5.1.3"),
            ("RCPT TO:<a@x_>", "250"),
            ("RCPT TO:<a@-x>", "501 5.1.2"),
            ("RCPT TO:<a@x.example> ORCPT=rfc822;a WHAT=1", "555 5.5.4"),
            ("RCPT TO:<a@x.example> ORCPT=a", "501 5.5.4"),
            ("RCPT TO:<a@x.example> NOTIFY=NEVER,DELAY", "501 5.5.4"),
            ("RCPT TO:<a@x.example> NOTIFY=NEVER NOTIFY=NEVER", "501 5.5.4"),
            ("MAIL FROM:<a@x.example> RET=HALF", "501 5.5.4"),
            ("MAIL FROM:<a@x.example> ENVID=", "501 5.5.4"),
            ("MAIL FROM:<a@x.example> ENVID=a=b", "501 5.5.4"),
            ("MAIL FROM:<a@x.example> NOTIFY=NEVER", "555 5.5.4"),
            ("BDAT", "501 5.5.4"),
            ("BDAT x", "501 5.5.4"),
            ("BDAT -1", "501 5.5.4"),
            ("BDAT 1 2", "501 5.5.4"),
            ("BDAT 1 LAST x", "501 5.5.4"),
            ("BDAT 99999999999999999999", "501 5.5.4"),
            ("VRFY SMTPUTF8", "250"),
            ("VRFY jörg", "553 5.6.7"),
            ("NOOP \u{1}", "500 5.5.2"),
            ("ETRN", "501 5.5.4"),
            ("ATRN a.example, b.example", "501 5.5.4"),
            ("TURN x", "501 5.5.4"),
            ("XCLIENT", "501 5.5.4"),
            ("BURL x", "502 5.5.1"),
        ];
        for (line, expected) in cases {
            let got = parse(line).map_or_else(|error| error.reply().to_string(), |_| "250".to_owned());
            assert!(got.starts_with(expected), "{line}: {got}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_read_without_panic_and_printed_commands_read_the_same(
            verb in prop_oneof![Just("MAIL FROM:"), Just("RCPT TO:"), Just("EHLO "), Just("VRFY "), Just("")],
            rest in "[<>@a-z.\\[\\]:\"\\\\ =\\t\u{e4}0-9]{0,30}",
        ) {
            if let Ok(command) = parse(&format!("{verb}{rest}")) {
                let printed = command.to_string();
                prop_assert_eq!(Command::parse(printed.as_bytes(), &SyntaxQuirks::NONE), Ok(command), "{}", printed);
            }
        }

        #[test]
        fn noise(line in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = Command::parse(&line, &SyntaxQuirks::default());
        }
    }
}
