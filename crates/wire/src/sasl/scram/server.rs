//! The server's half of SCRAM.

use super::hash::{Hash, Key};
use super::messages::{BindingFlag, ClientFinal, ClientFirst, ServerFinal, ServerFirst};
use super::verifier::Verifier;
use crate::sasl::limits::NONCE_OCTETS_MAX;
use crate::sasl::server::{self, Answer, Context, Failure, Identity, Mechanics, Question, Settings, Turn};
use crate::sasl::{ChannelBindings, Mechanism, prepare};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// ```text
/// First --client-first--> Asked --verifier--> Challenged --client-final--> Proven --""--> Done
/// ```
#[derive(Debug)]
enum State {
    First,
    Asked(Opening),
    Challenged(Box<Challenged>),
    /// SMTP and POP3 carry no data with a success, so our proof goes out as a challenge, and the
    /// client answers with nothing (RFC 4422 §3, RFC 4954 §4).
    Proven(Identity),
    Over,
}

/// What the client's first message said.
#[derive(Debug)]
struct Opening {
    authcid: String,
    authzid: Option<String>,
    bare: String,
    /// GS2 header and channel binding data: what the client's `c=` must be.
    binding: Key,
    nonce: String,
}

/// What the second message is held against.
#[derive(Debug)]
struct Challenged {
    opening: Opening,
    /// Both nonces.
    nonce: String,
    server_first: String,
    verifier: Verifier,
    /// Whether the verifier is real.
    known: bool,
}

/// The server's half.
#[derive(Debug)]
pub(in crate::sasl) struct Server {
    mechanism: Mechanism,
    hash: Hash,
    settings: Settings,
    bindings: ChannelBindings,
    /// Our part of the nonce.
    nonce: String,
    state: State,
}

impl Server {
    pub(in crate::sasl) fn new(mechanism: Mechanism, settings: &Settings, context: Context) -> Self {
        let nonce = STANDARD_NO_PAD.encode(context.random);
        Self::with_nonce(mechanism, settings, context.bindings, nonce)
    }

    pub(super) fn with_nonce(
        mechanism: Mechanism,
        settings: &Settings,
        bindings: ChannelBindings,
        nonce: String,
    ) -> Self {
        let hash = Hash::of(mechanism).expect("called for SCRAM mechanisms only");
        Server { mechanism, hash, settings: settings.clone(), bindings, nonce, state: State::First }
    }

    /// RFC 5802 §6: the data to bind to, where the client's flag can be accepted.
    fn binding_data(&self, flag: BindingFlag<'_>) -> Result<&[u8], Failure> {
        match (flag, self.mechanism.binds_channel()) {
            (BindingFlag::Bound(name), true) => self.bindings.data(name).ok_or(Failure::ChannelBinding),
            (BindingFlag::Cannot, false) => Ok(&[]),
            // The client believes that we can't. If we can, somebody took `-PLUS` out of our list.
            (BindingFlag::ServerCannot, false) if self.bindings.is_empty() => Ok(&[]),
            _ => Err(Failure::ChannelBinding),
        }
    }

    fn first(&mut self, response: &[u8]) -> Result<Turn, Failure> {
        let message = ClientFirst::parse(server::text(response)?).ok_or(Failure::Malformed)?;
        if message.nonce.len() > NONCE_OCTETS_MAX {
            return Err(Failure::Malformed);
        }
        let data = self.binding_data(message.flag)?;
        let authcid = prepare::name(&message.username)?;
        let authzid = message.authzid.as_deref().map(prepare::name).transpose()?;
        let question =
            Question::Verifier { hash: self.hash, authcid: authcid.clone(), authzid: authzid.clone() };
        self.state = State::Asked(Opening {
            authcid,
            authzid,
            bare: message.bare.to_owned(),
            binding: Key([message.gs2_header.as_bytes(), data].concat()),
            nonce: message.nonce.to_owned(),
        });
        Ok(Turn::Ask(question))
    }

    fn challenge(&self, opening: Opening, answer: Answer) -> Result<Challenged, Failure> {
        // Made for known names too, so that it takes them as long.
        let iterations = self.settings.decoy_iterations;
        let decoy = Verifier::decoy(self.hash, &self.settings.decoys, &opening.authcid, iterations);
        let (verifier, known) = match answer {
            Answer::Verifier(verifier) if verifier.hash() == self.hash => (verifier, true),
            Answer::Refused => (decoy, false),
            _ => return Err(Failure::Unavailable),
        };
        let nonce = format!("{}{}", opening.nonce, self.nonce);
        let server_first = ServerFirst::write(&nonce, verifier.salt(), verifier.iterations());
        Ok(Challenged { opening, nonce, server_first, verifier, known })
    }

    fn verdict(challenged: Challenged, response: &[u8]) -> Result<(Identity, String), Failure> {
        let Challenged { opening, nonce, server_first, verifier, known } = challenged;
        let message = ClientFinal::parse(server::text(response)?).ok_or(Failure::Malformed)?;
        // RFC 5802 §6: the server MUST always validate `c=`.
        if message.binding != opening.binding {
            return Err(Failure::ChannelBinding);
        }
        if message.nonce != nonce {
            return Err(Failure::Malformed);
        }
        let auth_message = format!("{},{server_first},{}", opening.bare, message.without_proof);
        let accepted = verifier.accepts(&message.proof, auth_message.as_bytes());
        if !(accepted && known) {
            // RFC 5802 §5.1: the outcome alone will do; an `e=` would say too much.
            return Err(Failure::Refused);
        }
        let signature = verifier.server_signature(auth_message.as_bytes());
        Ok((Identity::new(opening.authcid, opening.authzid), ServerFinal::write(&signature)))
    }
}

impl Mechanics for Server {
    fn respond(&mut self, response: &[u8]) -> Turn {
        match std::mem::replace(&mut self.state, State::Over) {
            State::First => self.first(response).unwrap_or_else(Turn::Failed),
            State::Challenged(challenged) => match Self::verdict(*challenged, response) {
                Ok((identity, server_final)) => {
                    self.state = State::Proven(identity);
                    Turn::Challenge(server_final.into_bytes())
                }
                Err(failure) => Turn::Failed(failure),
            },
            State::Proven(identity) if response.is_empty() => Turn::Done(identity),
            State::Proven(_) => Turn::Failed(Failure::Malformed),
            State::Asked(_) | State::Over => Turn::Failed(Failure::OutOfTurn),
        }
    }

    fn answer(&mut self, answer: Answer) -> Turn {
        let State::Asked(opening) = std::mem::replace(&mut self.state, State::Over) else {
            return Turn::Failed(Failure::OutOfTurn);
        };
        match self.challenge(opening, answer) {
            Ok(challenged) => {
                let message = challenged.server_first.clone().into_bytes();
                self.state = State::Challenged(Box::new(challenged));
                Turn::Challenge(message)
            }
            Err(failure) => Turn::Failed(failure),
        }
    }
}
