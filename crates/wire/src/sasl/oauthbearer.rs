//! OAUTHBEARER (RFC 7628): an OAuth 2.0 bearer token after a GS2 header.
//! `n,a=NAME, ^A host=HOST ^A port=PORT ^A auth=Bearer TOKEN ^A ^A`.

use super::client::{self, Unusable};
use super::limits::TOKEN_OCTETS_MAX;
use super::prepare;
use super::scram::{read_saslname, write_saslname};
use super::server::{self, Answer, Failure, Question, Turn};
use crate::Secret;
use std::fmt::Write;

/// What the client sends after an error (RFC 7628 §3.2.3).
const ACKNOWLEDGEMENT: &[u8] = b"\x01";

/// The token of an `Authorization` value. The scheme's case doesn't matter (RFC 7628 §4).
pub(super) fn bearer_token(authorization: &str) -> Result<Secret, Failure> {
    let (scheme, token) = authorization.split_once(' ').ok_or(Failure::Malformed)?;
    let token = token.trim_start_matches(' ');
    if scheme.eq_ignore_ascii_case("Bearer") && is_token(token) {
        Ok(Secret::new(token))
    } else {
        Err(Failure::Malformed)
    }
}

/// The syntax of bearer tokens: `1*(ALPHA / DIGIT / - . _ ~ + /) *"="`; real ones hold more visible
/// characters, so all of those are taken.
pub(super) fn is_token(token: &str) -> bool {
    (1..=TOKEN_OCTETS_MAX).contains(&token.len()) && token.bytes().all(|octet| octet.is_ascii_graphic())
}

/// Whether a text can stand in a field that `^A` ends.
pub(super) fn is_field_text(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

/// A JSON object of texts (RFC 8259 §7 on how they are escaped).
pub(super) fn error_json(fields: &[(&str, &str)]) -> String {
    let mut json = String::from("{");
    for (index, (key, value)) in fields.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(json, "{comma}\"{key}\":\"");
        for c in value.chars() {
            match c {
                '"' | '\\' => json.extend(['\\', c]),
                c if c.is_control() => {
                    let _ = write!(json, "\\u{:04x}", u32::from(c));
                }
                c => json.push(c),
            }
        }
        json.push('"');
    }
    json.push('}');
    json
}

/// The server's half.
#[derive(Debug)]
pub(super) struct Server {
    refusal: String,
    state: State,
}

#[derive(Debug)]
enum State {
    First,
    Asked {
        authzid: Option<String>,
    },
    /// The error went out, and the client acknowledges it (RFC 7628 §3.2.3).
    Refused,
}

/// The fields of the first message that we know; others are ignored (RFC 7628 §3.1).
#[derive(Default)]
struct Fields<'a> {
    auth: Option<&'a str>,
    host: Option<&'a str>,
    port: Option<u16>,
}

impl<'a> Fields<'a> {
    fn parse(pairs: &'a str) -> Result<Self, Failure> {
        let mut fields = Fields::default();
        for pair in pairs.split_terminator('\x01') {
            let (key, value) = pair.split_once('=').ok_or(Failure::Malformed)?;
            let ours = matches!(key, "auth" | "host" | "port");
            let twice = match key {
                "auth" => fields.auth.replace(value).is_some(),
                "host" => fields.host.replace(value).is_some(),
                "port" => fields.port.replace(value.parse().map_err(|_| Failure::Malformed)?).is_some(),
                _ => !key.bytes().all(|octet| octet.is_ascii_alphabetic()) || key.is_empty(),
            };
            if twice || (ours && value.bytes().any(|octet| octet < b' ' && octet != b'\t')) {
                return Err(Failure::Malformed);
            }
        }
        Ok(fields)
    }
}

impl Server {
    pub(super) fn new(settings: &server::Settings) -> Self {
        let mut fields = vec![("status", "invalid_token")];
        fields.extend(settings.oauth_scope.as_deref().map(|scope| ("scope", scope)));
        fields.extend(settings.oauth_configuration.as_deref().map(|url| ("openid-configuration", url)));
        Server { refusal: error_json(&fields), state: State::First }
    }

    fn first(&mut self, response: &[u8]) -> Result<Turn, Failure> {
        // client-resp = (gs2-header kvsep *kvpair kvsep) / kvsep; the header ends with its second comma.
        let (header, pairs) = server::text(response)?.split_once('\x01').ok_or(Failure::Malformed)?;
        let pairs = pairs.strip_suffix('\x01').ok_or(Failure::Malformed)?;
        if !(pairs.is_empty() || pairs.ends_with('\x01')) {
            return Err(Failure::Malformed);
        }
        let authzid = match header.strip_suffix(',').and_then(|header| header.split_once(',')) {
            Some(("n" | "y", "")) => None,
            Some(("n" | "y", name)) => {
                // RFC 7628 §4.4 itself writes `user=` where its grammar has `a=`; nobody does.
                let name = name.strip_prefix("a=").ok_or(Failure::Malformed)?;
                server::authzid(&read_saslname(name).ok_or(Failure::Malformed)?)?
            }
            // The mechanism has no channel binding.
            _ => return Err(Failure::Malformed),
        };
        let fields = Fields::parse(pairs)?;
        let auth = fields.auth.ok_or(Failure::Malformed)?;
        if auth.is_empty() {
            // RFC 7628 §4.3: this is how a client asks for the scope that it needs.
            return Ok(self.refuse());
        }
        let token = bearer_token(auth)?;
        self.state = State::Asked { authzid: authzid.clone() };
        let host = fields.host.map(str::to_owned);
        Ok(Turn::Ask(Question::CheckToken { token, authzid, host, port: fields.port }))
    }

    fn refuse(&mut self) -> Turn {
        self.state = State::Refused;
        Turn::Challenge(self.refusal.clone().into_bytes())
    }
}

impl server::Mechanics for Server {
    fn respond(&mut self, response: &[u8]) -> Turn {
        match self.state {
            State::First => self.first(response).unwrap_or_else(Turn::Failed),
            State::Asked { .. } => Turn::Failed(Failure::OutOfTurn),
            // Whatever it says instead of the acknowledgement changes nothing.
            State::Refused => Turn::Failed(Failure::Refused),
        }
    }

    fn answer(&mut self, answer: Answer) -> Turn {
        let State::Asked { authzid } = std::mem::replace(&mut self.state, State::Refused) else {
            return Turn::Failed(Failure::OutOfTurn);
        };
        match answer {
            Answer::Refused => self.refuse(),
            other => server::outcome(other, authzid),
        }
    }
}

/// The client's half.
#[derive(Debug)]
pub(super) struct Client {
    message: Option<Secret>,
    refusal: Option<String>,
}

impl Client {
    pub(super) fn new(user: &str, token: &Secret, host: &str, port: u16) -> Result<Self, Unusable> {
        let user = prepare::name(user)?;
        if !is_field_text(host) || !is_token(token.expose()) {
            return Err(Unusable::Unwritable);
        }
        let message = format!(
            "n,a={},\x01host={host}\x01port={port}\x01auth=Bearer {}\x01\x01",
            write_saslname(&user),
            token.expose()
        );
        Ok(Client { message: Some(Secret::new(message)), refusal: None })
    }
}

impl client::Mechanics for Client {
    fn initial(&mut self) -> Option<Vec<u8>> {
        self.message.take().map(|message| message.expose().as_bytes().to_vec())
    }

    fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>, client::Failure> {
        if self.refusal.is_some() {
            return Err(client::Failure::Protocol("OAUTHBEARER has one challenge"));
        }
        self.refusal = Some(client::printable(challenge));
        Ok(ACKNOWLEDGEMENT.to_vec())
    }

    fn believes_success(&self) -> Result<(), client::Failure> {
        match self.refusal {
            None => Ok(()),
            Some(_) => Err(client::Failure::Protocol("success after an error")),
        }
    }

    fn refusal(&self) -> Option<String> {
        self.refusal.clone()
    }
}
