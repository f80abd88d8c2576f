//! The server's end of an exchange.
//!
//! ```text
//!                 begin(initial)          respond(line)
//!                       |                       |
//!                       v                       v
//!                  +---------+  Challenge  +---------+
//!                  | the mechanism's steps | waiting |
//!                  +---------+ <---------- +---------+
//!                    |     ^ \
//!                Ask |     |  `--> Done(Identity) | Failed(Failure)
//!                    v     | answer(Answer)
//!                  the driver
//! ```

use super::framing::{self, BadLine};
use super::limits::{ITERATIONS_DEFAULT, RANDOM_OCTETS};
use super::scram::{self, Verifier};
use super::{ChannelBindings, Mechanism, cram_md5, external, login, oauthbearer, plain, xoauth2};
use crate::Secret;
use std::fmt;

/// What is true for all exchanges of a server.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The name in CRAM-MD5's challenge (RFC 2195 §2).
    pub hostname: String,
    /// Makes up salts for names that don't exist.
    pub decoys: DecoyKey,
    /// The iterations that made-up verifiers show; those of real ones should be the same.
    pub decoy_iterations: u32,
    /// The scope that a token needs, told to clients whose token is refused (RFC 7628 §3.2.2).
    pub oauth_scope: Option<String>,
    /// Where clients find how to get a token: an https URL (RFC 7628 §3.2.2).
    pub oauth_configuration: Option<String>,
}

impl Settings {
    /// Settings without OAuth.
    pub fn new(hostname: impl Into<String>, decoys: DecoyKey) -> Self {
        Settings {
            hostname: hostname.into(),
            decoys,
            decoy_iterations: ITERATIONS_DEFAULT,
            oauth_scope: None,
            oauth_configuration: None,
        }
    }
}

/// A key that must stay the same as long as the accounts do: the salt that a name gets which doesn't
/// exist must be the same tomorrow, or it shows (RFC 5802 §9 speaks of the danger).
#[derive(Clone)]
pub struct DecoyKey(pub(super) [u8; 32]);

impl DecoyKey {
    /// Takes 32 random octets, made once per installation.
    pub fn new(octets: [u8; 32]) -> Self {
        DecoyKey(octets)
    }
}

impl fmt::Debug for DecoyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DecoyKey(…)")
    }
}

/// What is true for one exchange.
#[derive(Debug, Clone)]
pub struct Context {
    /// Fresh random octets, for nonce and challenge.
    pub random: [u8; RANDOM_OCTETS],
    /// Seconds since 1970, for CRAM-MD5's challenge.
    pub unix_secs: u64,
    /// What this connection can be bound to; empty unless `-PLUS` mechanisms were announced.
    pub bindings: ChannelBindings,
}

/// What the server must look up. Names are prepared ([`super::prepare::name`]).
///
/// Where `authzid` is there, the client wants to act as somebody else than it proves to be: whoever
/// answers checks that it may, and refuses if not. All refusals look alike to the peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Is this the password? (PLAIN, LOGIN). Answer: `Accepted` or `Refused`.
    CheckPassword {
        /// Whose password.
        authcid: String,
        /// Whom to act as.
        authzid: Option<String>,
        /// The password, prepared ([`super::prepare::password`]).
        password: Secret,
    },
    /// What is the password? (CRAM-MD5). Answer: `SharedSecret` or `Refused`.
    SharedSecret {
        /// Whose password.
        authcid: String,
    },
    /// What is the SCRAM verifier? Answer: `Verifier` of the same hash, or `Refused`.
    Verifier {
        /// By which hash function.
        hash: scram::Hash,
        /// Whose verifier.
        authcid: String,
        /// Whom to act as.
        authzid: Option<String>,
    },
    /// Is this bearer token good, and whose? Answer: `Accepted` or `Refused`.
    CheckToken {
        /// The token.
        token: Secret,
        /// Whom to act as; without, the token's owner.
        authzid: Option<String>,
        /// The host and port that the client believes it talks to. RFC 7628 §3.2: what the server
        /// knows of them MUST match.
        host: Option<String>,
        /// See `host`.
        port: Option<u16>,
    },
    /// Whom does the client's certificate name? Answer: `Accepted` or `Refused`.
    CheckCertificate {
        /// Whom to act as; without, whom the certificate names.
        authzid: Option<String>,
    },
}

/// The answer to a [`Question`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Yes; and this is the account that has proven itself.
    Accepted {
        /// The account's name.
        authcid: String,
    },
    /// No, for whatever reason: unknown, wrong, locked, not allowed to act as the other.
    Refused,
    /// The password itself.
    SharedSecret(Secret),
    /// The verifier.
    Verifier(Verifier),
    /// It can't be found out now.
    Unavailable,
}

/// Who the client is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who has proven itself.
    pub authcid: String,
    /// Whom it acts as; mostly the same.
    pub authzid: String,
}

impl Identity {
    pub(super) fn new(authcid: String, authzid: Option<String>) -> Self {
        Identity { authzid: authzid.unwrap_or_else(|| authcid.clone()), authcid }
    }
}

/// Why an exchange failed; in brackets SMTP's reply (RFC 4954 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The client sent `*` (501 5.7.0).
    #[error("cancelled by the client")]
    Cancelled,
    /// A line was not base64 (501 5.5.2).
    #[error("not base64")]
    NotBase64,
    /// A line was longer than [`super::limits::LINE_OCTETS_MAX`] (500 5.5.6).
    #[error("line too long")]
    TooLong,
    /// An initial response for a mechanism in which the server speaks first (501 5.7.0).
    #[error("the mechanism has no initial response")]
    UnexpectedInitial,
    /// The mechanism's syntax was not kept, or a name can't be one (535 5.7.8; POP3 `[AUTH]`).
    #[error("malformed response")]
    Malformed,
    /// Wrong, unknown or not allowed: nobody outside shall know which (535 5.7.8; POP3 `[AUTH]`).
    #[error("credentials refused")]
    Refused,
    /// The exchange was bound to another channel, or to none though both ends can: somebody sits
    /// between, or the client is broken (535 5.7.8; POP3 `[AUTH]`).
    #[error("channel binding failed")]
    ChannelBinding,
    /// The look-up failed for now (454 4.7.0; POP3 `[SYS/TEMP]`).
    #[error("authentication is unavailable for now")]
    Unavailable,
    /// Steps after the end or out of turn: our own session's mistake, answered safely (454 4.7.0).
    #[error("no step was due")]
    OutOfTurn,
}

/// What to do next.
#[derive(Debug)]
pub enum Step {
    /// Send this: `334 ` and the text in SMTP, `+ ` and the text in POP3. The text may be empty.
    Challenge(String),
    /// Answer this.
    Ask(Box<Question>),
    /// The client is who it says.
    Done(Identity),
    /// It is not.
    Failed(Failure),
}

/// A mechanism's step, its challenge not yet encoded.
#[derive(Debug)]
pub(super) enum Turn {
    Challenge(Vec<u8>),
    Ask(Question),
    Done(Identity),
    Failed(Failure),
}

/// What each mechanism does at the server's end.
pub(super) trait Mechanics: fmt::Debug + Send + Sync {
    /// `AUTH` came without initial response. RFC 4422 §3: an empty challenge where the client
    /// speaks first.
    fn begin(&mut self) -> Turn {
        Turn::Challenge(Vec::new())
    }

    /// A response came.
    fn respond(&mut self, response: &[u8]) -> Turn;

    /// The answer to its question came.
    fn answer(&mut self, answer: Answer) -> Turn;
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Begin,
    Response,
    Answer,
    Nothing,
}

/// One exchange at the server's end, from the `AUTH` command to its outcome.
#[derive(Debug)]
pub struct Exchange {
    mechanism: Mechanism,
    mechanics: Box<dyn Mechanics>,
    due: Due,
}

impl Exchange {
    /// Prepares an exchange; [`begin`](Self::begin) comes next. That the mechanism was announced, and
    /// that a plaintext one has TLS around it, is checked before.
    pub fn new(mechanism: Mechanism, settings: &Settings, context: Context) -> Self {
        let mechanics: Box<dyn Mechanics> = match mechanism {
            Mechanism::Plain => Box::new(plain::Server::new()),
            Mechanism::Login => Box::new(login::Server::new()),
            Mechanism::CramMd5 => Box::new(cram_md5::Server::new(settings, &context)),
            Mechanism::ScramSha1
            | Mechanism::ScramSha1Plus
            | Mechanism::ScramSha256
            | Mechanism::ScramSha256Plus => Box::new(scram::Server::new(mechanism, settings, context)),
            Mechanism::OauthBearer => Box::new(oauthbearer::Server::new(settings)),
            Mechanism::Xoauth2 => Box::new(xoauth2::Server::new(settings)),
            Mechanism::External => Box::new(external::Server::new()),
        };
        Exchange { mechanism, mechanics, due: Due::Begin }
    }

    /// The mechanism.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// The `AUTH` command came, with its second argument if it had one.
    pub fn begin(&mut self, initial: Option<&[u8]>) -> Step {
        if self.due != Due::Begin {
            return self.fail(Failure::OutOfTurn);
        }
        let turn = match initial {
            None => self.mechanics.begin(),
            // RFC 4954 §4: an initial response where the client doesn't begin is rejected.
            Some(_) if !self.mechanism.takes_initial_response() => Turn::Failed(Failure::UnexpectedInitial),
            Some(argument) => match framing::decode_initial(argument) {
                Ok(response) => self.mechanics.respond(&response),
                Err(bad) => Turn::Failed(bad.into()),
            },
        };
        self.take(turn)
    }

    /// A line came, CRLF removed. The session reads lines of [`super::limits::LINE_OCTETS_MAX`] while
    /// an exchange is going on, and says [`too_long`](Self::too_long) of longer ones.
    pub fn respond(&mut self, line: &[u8]) -> Step {
        if self.due != Due::Response {
            return self.fail(Failure::OutOfTurn);
        }
        let turn = if line == framing::CANCEL.as_bytes() {
            Turn::Failed(Failure::Cancelled)
        } else {
            match framing::decode(line) {
                Ok(response) => self.mechanics.respond(&response),
                Err(bad) => Turn::Failed(bad.into()),
            }
        };
        self.take(turn)
    }

    /// A line came that was longer than the session reads.
    pub fn too_long(&mut self) -> Step {
        self.fail(Failure::TooLong)
    }

    /// Answers the open question.
    pub fn answer(&mut self, answer: Answer) -> Step {
        if self.due != Due::Answer {
            return self.fail(Failure::OutOfTurn);
        }
        let turn = self.mechanics.answer(answer);
        self.take(turn)
    }

    fn take(&mut self, turn: Turn) -> Step {
        match turn {
            Turn::Challenge(message) => {
                self.due = Due::Response;
                Step::Challenge(framing::encode(&message))
            }
            Turn::Ask(question) => {
                self.due = Due::Answer;
                Step::Ask(Box::new(question))
            }
            Turn::Done(identity) => {
                self.due = Due::Nothing;
                Step::Done(identity)
            }
            Turn::Failed(failure) => self.fail(failure),
        }
    }

    fn fail(&mut self, failure: Failure) -> Step {
        self.due = Due::Nothing;
        Step::Failed(failure)
    }
}

impl From<BadLine> for Failure {
    fn from(bad: BadLine) -> Self {
        match bad {
            BadLine::TooLong => Failure::TooLong,
            BadLine::NotBase64 => Failure::NotBase64,
        }
    }
}

impl From<super::prepare::Unprepared> for Failure {
    fn from(_: super::prepare::Unprepared) -> Self {
        Failure::Malformed
    }
}

/// Text of a message, where it is valid UTF-8.
pub(super) fn text(message: &[u8]) -> Result<&str, Failure> {
    std::str::from_utf8(message).map_err(|_| Failure::Malformed)
}

/// A prepared authorization identity; `None` where the client sent an empty one.
/// RFC 4954 §4: one that preparation empties is refused.
pub(super) fn authzid(text: &str) -> Result<Option<String>, Failure> {
    if text.is_empty() { Ok(None) } else { Ok(Some(super::prepare::name(text)?)) }
}

/// For mechanisms whose only question is a yes or no that names the account.
pub(super) fn outcome(answer: Answer, authzid: Option<String>) -> Turn {
    match answer {
        Answer::Accepted { authcid } => Turn::Done(Identity::new(authcid, authzid)),
        Answer::Refused => Turn::Failed(Failure::Refused),
        // An answer of another kind proves nothing.
        Answer::Unavailable | Answer::SharedSecret(_) | Answer::Verifier(_) => {
            Turn::Failed(Failure::Unavailable)
        }
    }
}
