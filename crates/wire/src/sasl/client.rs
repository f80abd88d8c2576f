//! The client's end of an exchange.
//!
//! [`Exchange::command`] gives the `AUTH` command, [`Exchange::challenge`] the response to each
//! challenge; the server's verdict goes to [`Exchange::conclude`], which believes a success only where
//! the mechanism lets the server prove itself and it has.

use super::framing;
use super::limits::RANDOM_OCTETS;
use super::prepare::Unprepared;
use super::{ChannelBindings, Mechanism, cram_md5, external, login, oauthbearer, plain, scram, xoauth2};
use crate::Secret;
use std::fmt;

/// What the client can prove itself with.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// A name and a password.
    Password {
        /// Whose password.
        authcid: String,
        /// Whom to act as, if somebody else.
        authzid: Option<String>,
        /// The password as typed.
        password: Secret,
    },
    /// An OAuth 2.0 bearer token.
    Token {
        /// Whom to act as: mostly the address.
        user: String,
        /// The token.
        token: Secret,
        /// The host that the client connected to (RFC 7628 §3.1).
        host: String,
        /// The port that the client connected to.
        port: u16,
    },
    /// The certificate that TLS has shown to the server.
    Certificate {
        /// Whom to act as, if not whom the certificate names.
        authzid: Option<String>,
    },
}

impl Credentials {
    /// Whether these credentials are for this mechanism.
    fn suit(&self, mechanism: Mechanism) -> bool {
        match self {
            Credentials::Password { authzid, .. } => match mechanism {
                // These have no place for an authorization identity.
                Mechanism::Login | Mechanism::CramMd5 => authzid.is_none(),
                Mechanism::Plain
                | Mechanism::ScramSha1
                | Mechanism::ScramSha256
                | Mechanism::ScramSha1Plus
                | Mechanism::ScramSha256Plus => true,
                Mechanism::OauthBearer | Mechanism::Xoauth2 | Mechanism::External => false,
            },
            Credentials::Token { .. } => matches!(mechanism, Mechanism::OauthBearer | Mechanism::Xoauth2),
            Credentials::Certificate { .. } => mechanism == Mechanism::External,
        }
    }
}

/// What is true for one exchange.
#[derive(Debug, Clone)]
pub struct Context {
    /// The mechanisms that the server announced (inside TLS, where there is TLS).
    pub offered: Vec<Mechanism>,
    /// Whether nobody can listen: TLS with a verified certificate, or loopback where that is allowed.
    /// No plaintext mechanism without.
    pub confidential: bool,
    /// What this connection can be bound to.
    pub bindings: ChannelBindings,
    /// Fresh random octets, for the nonce.
    pub random: [u8; RANDOM_OCTETS],
}

/// Why a mechanism can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// None of the server's mechanisms fits.
    #[error("the server offers no mechanism that these credentials can use safely")]
    NoMechanism,
    /// The credentials are of another kind.
    #[error("the mechanism needs other credentials")]
    OtherCredentials,
    /// A password or token would pass in the clear.
    #[error("the mechanism needs an encrypted connection")]
    NotConfidential,
    /// A `-PLUS` mechanism, and nothing to bind to.
    #[error("the connection has nothing that the mechanism could bind to")]
    NothingToBind,
    /// RFC 5802 §6: a client that can bind MUST, where the server offers it.
    #[error("the server offers the mechanism with channel binding, which must be used then")]
    MustBind,
    /// The name or password can't be one.
    #[error("name or password: {0}")]
    Unprepared(#[from] Unprepared),
    /// The name, host or token holds octets that would end its field.
    #[error("characters that the mechanism cannot carry")]
    Unwritable,
}

/// Why an exchange failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The server's challenge was no base64 or too long.
    #[error("the server's challenge is not base64")]
    BadFraming,
    /// The server's challenge was not the mechanism's.
    #[error("the server broke the mechanism's rules: {0}")]
    Protocol(&'static str),
    /// The server asks for a count of iterations out of bounds.
    #[error("the server asks for {0} iterations, which is out of bounds")]
    Iterations(u64),
    /// The server doesn't know the password: it is not the server that the account is at.
    #[error("the server could not prove itself")]
    ServerUnproven,
    /// The server refused, with its words where it had any (bounded, printable).
    #[error("the server refused the credentials{}", .0.as_ref().map(|words| format!(": {words}")).unwrap_or_default())]
    Refused(Option<String>),
}

/// What to do next.
#[derive(Debug)]
pub enum Step {
    /// Send this line.
    Respond(Secret),
    /// Send `*` ([`super::CANCEL`]); the exchange has failed, whatever the server says to it.
    Cancel(Failure),
}

/// What each mechanism does at the client's end.
pub(super) trait Mechanics: fmt::Debug + Send + Sync {
    /// The message to begin with, where the client speaks first.
    fn initial(&mut self) -> Option<Vec<u8>>;

    /// The response to a challenge.
    fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>, Failure>;

    /// Whether a success can be believed.
    fn believes_success(&self) -> Result<(), Failure> {
        Ok(())
    }

    /// The server's own words on why it refuses.
    fn refusal(&self) -> Option<String> {
        None
    }
}

/// One exchange at the client's end.
#[derive(Debug)]
pub struct Exchange {
    mechanism: Mechanism,
    mechanics: Box<dyn Mechanics>,
    /// What didn't fit into the command.
    held_back: Option<Secret>,
    failed: Option<Failure>,
}

impl Exchange {
    /// Prepares an exchange by the strongest mechanism that the server offers and the credentials suit.
    pub fn strongest(credentials: &Credentials, context: &Context) -> Result<Self, Unusable> {
        let mut offered = context.offered.clone();
        offered.sort_unstable_by(|a, b| b.cmp(a));
        let mut reason = Unusable::NoMechanism;
        for mechanism in offered {
            match Self::new(mechanism, credentials, context) {
                Err(Unusable::NotConfidential) => reason = Unusable::NotConfidential,
                Err(Unusable::OtherCredentials | Unusable::NothingToBind | Unusable::MustBind) => {}
                usable_or_hopeless => return usable_or_hopeless,
            }
        }
        Err(reason)
    }

    /// Prepares an exchange by this mechanism; the user or a setting has chosen it.
    pub fn new(mechanism: Mechanism, credentials: &Credentials, context: &Context) -> Result<Self, Unusable> {
        if !credentials.suit(mechanism) {
            return Err(Unusable::OtherCredentials);
        }
        // RFC 4954 §4, RFC 5034 §4, RFC 7628 §3.
        if mechanism.is_plaintext() && !context.confidential {
            return Err(Unusable::NotConfidential);
        }
        let mechanics: Box<dyn Mechanics> = match (mechanism, credentials) {
            (Mechanism::Plain, Credentials::Password { authcid, authzid, password }) => {
                Box::new(plain::Client::new(authcid, authzid.as_deref(), password)?)
            }
            (Mechanism::Login, Credentials::Password { authcid, password, .. }) => {
                Box::new(login::Client::new(authcid, password)?)
            }
            (Mechanism::CramMd5, Credentials::Password { authcid, password, .. }) => {
                Box::new(cram_md5::Client::new(authcid, password)?)
            }
            (_, Credentials::Password { authcid, authzid, password }) => {
                Box::new(scram::Client::new(mechanism, authcid, authzid.as_deref(), password, context)?)
            }
            (Mechanism::Xoauth2, Credentials::Token { user, token, .. }) => {
                Box::new(xoauth2::Client::new(user, token)?)
            }
            (_, Credentials::Token { user, token, host, port }) => {
                Box::new(oauthbearer::Client::new(user, token, host, *port)?)
            }
            (_, Credentials::Certificate { authzid }) => Box::new(external::Client::new(authzid.as_deref())?),
        };
        Ok(Exchange { mechanism, mechanics, held_back: None, failed: None })
    }

    /// The mechanism.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// The `AUTH` command without CRLF, with the initial response where that fits into `octets_max`
    /// (CRLF counted): [`super::limits::SMTP_AUTH_COMMAND_OCTETS_MAX`] or
    /// [`super::limits::POP3_AUTH_COMMAND_OCTETS_MAX`]. To be called once.
    pub fn command(&mut self, octets_max: usize) -> Secret {
        let name = self.mechanism.name();
        let Some(initial) = self.mechanics.initial() else { return framing::command(name, None) };
        let whole = framing::command(name, Some(&initial));
        if whole.expose().len() + 2 <= octets_max {
            return whole;
        }
        // RFC 4954 §4: it waits for an empty challenge then.
        self.held_back = Some(framing::encode_secret(&initial));
        framing::command(name, None)
    }

    /// A challenge came: the text after `334 ` or `+ `, CRLF removed.
    ///
    /// SCRAM computes here: at most [`super::limits::ITERATIONS_MAX`] iterations, some tenths of a second.
    pub fn challenge(&mut self, text: &[u8]) -> Step {
        if let Some(failure) = &self.failed {
            return Step::Cancel(failure.clone());
        }
        let response = match framing::decode(text) {
            // RFC 4954 §4: a challenge that isn't base64 is answered by `*`.
            Err(_) => Err(Failure::BadFraming),
            Ok(challenge) => match self.held_back.take() {
                Some(initial) if challenge.is_empty() => return Step::Respond(initial),
                Some(_) => Err(Failure::Protocol("a challenge before the client's first message")),
                None => self.mechanics.respond(&challenge),
            },
        };
        match response {
            Ok(message) => Step::Respond(framing::encode_secret(&message)),
            Err(failure) => {
                self.failed = Some(failure.clone());
                Step::Cancel(failure)
            }
        }
    }

    /// The server's verdict came: 235 or `+OK` is `accepted`. What this says is the outcome: a success
    /// that the server hasn't earned is a failure, and the connection should be closed.
    pub fn conclude(&mut self, accepted: bool) -> Result<(), Failure> {
        if let Some(failure) = self.failed.take() {
            return Err(failure);
        }
        if !accepted {
            return Err(Failure::Refused(self.mechanics.refusal()));
        }
        if self.held_back.is_some() {
            return Err(Failure::Protocol("success before the client's first message"));
        }
        self.mechanics.believes_success()
    }
}

/// A server's words, made safe to print.
pub(super) fn printable(words: &[u8]) -> String {
    let bounded = &words[..words.len().min(super::limits::SERVER_ERROR_OCTETS_MAX)];
    String::from_utf8_lossy(bounded).chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
