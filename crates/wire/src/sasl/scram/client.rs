//! The client's half of SCRAM.

use super::hash::{Hash, Key};
use super::messages::{ClientFinal, ServerFinal, ServerFirst, write_saslname};
use super::verifier::{client_key, server_key};
use crate::Secret;
use crate::sasl::client::{Context, Failure, Mechanics, Unusable, printable};
use crate::sasl::limits::{ITERATIONS_MAX, ITERATIONS_MIN};
use crate::sasl::{Mechanism, prepare};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// ```text
/// First --client-first--> Opened --server-first--> Answered --server-final--> Proven
/// ```
#[derive(Debug)]
enum State {
    First,
    Opened,
    Answered { signature: Key },
    Proven,
    Over,
}

/// The client's half.
#[derive(Debug)]
pub(in crate::sasl) struct Client {
    hash: Hash,
    password: Secret,
    gs2_header: String,
    /// The channel binding data after the GS2 header; empty unless bound.
    data: Key,
    bare: String,
    nonce: String,
    state: State,
}

impl Client {
    pub(in crate::sasl) fn new(
        mechanism: Mechanism,
        authcid: &str,
        authzid: Option<&str>,
        password: &Secret,
        context: &Context,
    ) -> Result<Self, Unusable> {
        let nonce = STANDARD_NO_PAD.encode(context.random);
        Self::with_nonce(mechanism, authcid, authzid, password, context, nonce)
    }

    pub(super) fn with_nonce(
        mechanism: Mechanism,
        authcid: &str,
        authzid: Option<&str>,
        password: &Secret,
        context: &Context,
        nonce: String,
    ) -> Result<Self, Unusable> {
        let hash = Hash::of(mechanism).ok_or(Unusable::OtherCredentials)?;
        let (flag, data) = binding(mechanism, context)?;
        let authcid = prepare::name(authcid)?;
        let authzid = match authzid {
            None => String::new(),
            Some(authzid) => format!("a={}", write_saslname(&prepare::name(authzid)?)),
        };
        Ok(Client {
            hash,
            password: prepare::password(password)?,
            gs2_header: format!("{flag},{authzid},"),
            data,
            bare: format!("n={},r={nonce}", write_saslname(&authcid)),
            nonce,
            state: State::First,
        })
    }

    fn answer(&mut self, challenge: &str) -> Result<Vec<u8>, Failure> {
        let message = ServerFirst::parse(challenge).ok_or(Failure::Protocol("server-first-message"))?;
        // RFC 5802 §5.1: the client MUST verify that its nonce comes first; and the server must add to it.
        if !message.nonce.starts_with(&self.nonce) || message.nonce.len() == self.nonce.len() {
            return Err(Failure::Protocol("the server's nonce does not extend ours"));
        }
        let iterations = u32::try_from(message.iterations)
            .ok()
            .filter(|iterations| (ITERATIONS_MIN..=ITERATIONS_MAX).contains(iterations))
            .ok_or(Failure::Iterations(message.iterations))?;
        let binding = [self.gs2_header.as_bytes(), &self.data.0].concat();
        let without_proof = ClientFinal::write_without_proof(&binding, message.nonce);
        let auth_message = format!("{},{challenge},{without_proof}", self.bare);

        let salted = self.hash.salted_password(&self.password, &message.salt, iterations);
        let client_key = client_key(self.hash, &salted);
        let stored_key = self.hash.digest(&client_key.0);
        let proof = client_key.xor(&self.hash.hmac(&stored_key.0, auth_message.as_bytes()));
        let signature = self.hash.hmac(&server_key(self.hash, &salted).0, auth_message.as_bytes());
        self.state = State::Answered { signature };
        Ok(ClientFinal::write(&without_proof, &proof).into_bytes())
    }

    fn check(&mut self, challenge: &str, signature: &Key) -> Result<Vec<u8>, Failure> {
        match ServerFinal::parse(challenge).ok_or(Failure::Protocol("server-final-message"))? {
            ServerFinal::Signature(theirs) if theirs == *signature => {
                self.state = State::Proven;
                Ok(Vec::new())
            }
            ServerFinal::Signature(_) => Err(Failure::ServerUnproven),
            ServerFinal::Error(error) => Err(Failure::Refused(Some(printable(error.as_bytes())))),
        }
    }
}

/// The GS2 flag and the data to bind to (RFC 5802 §6).
fn binding(mechanism: Mechanism, context: &Context) -> Result<(String, Key), Unusable> {
    if mechanism.binds_channel() {
        let (kind, data) = context.bindings.best().ok_or(Unusable::NothingToBind)?;
        return Ok((format!("p={}", kind.name()), Key(data.to_vec())));
    }
    if context.bindings.is_empty() {
        return Ok(("n".into(), Key(Vec::new())));
    }
    if context.offered.iter().any(|offered| offered.binds_channel()) {
        return Err(Unusable::MustBind);
    }
    // We could, and the server didn't say that it can: if it did, it will notice now.
    Ok(("y".into(), Key(Vec::new())))
}

impl Mechanics for Client {
    fn initial(&mut self) -> Option<Vec<u8>> {
        self.state = State::Opened;
        Some(format!("{}{}", self.gs2_header, self.bare).into_bytes())
    }

    fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>, Failure> {
        let challenge = std::str::from_utf8(challenge).map_err(|_| Failure::Protocol("UTF-8"))?;
        match std::mem::replace(&mut self.state, State::Over) {
            State::Opened => self.answer(challenge),
            State::Answered { signature } => self.check(challenge, &signature),
            State::First | State::Proven | State::Over => {
                Err(Failure::Protocol("SCRAM has two challenges after the client's first message"))
            }
        }
    }

    /// RFC 5802 §5: without the server's signature a success means nothing.
    fn believes_success(&self) -> Result<(), Failure> {
        match self.state {
            State::Proven => Ok(()),
            _ => Err(Failure::ServerUnproven),
        }
    }
}
