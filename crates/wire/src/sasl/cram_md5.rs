//! CRAM-MD5 (RFC 2195): the client keys MD5 with the password over a challenge. The server must know
//! the password itself, and never proves that it does; kept for old clients.

use super::client::{self, Unusable};
use super::limits::RANDOM_OCTETS;
use super::prepare;
use super::server::{self, Answer, Failure, Identity, Question, Turn};
use crate::Secret;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use std::fmt::Write;
use subtle::ConstantTimeEq;

/// The digest, in lower-case hexadecimal (RFC 2195 §2). The password is used as it is: SASLprep is
/// younger than this mechanism, and old clients don't know it.
fn digest(secret: &Secret, challenge: &[u8]) -> String {
    let mut mac =
        Hmac::<Md5>::new_from_slice(secret.expose().as_bytes()).expect("HMAC takes keys of any length");
    mac.update(challenge);
    let mut hexadecimal = String::with_capacity(32);
    for octet in mac.finalize().into_bytes() {
        // Writing to a String cannot fail.
        let _ = write!(hexadecimal, "{octet:02x}");
    }
    hexadecimal
}

/// `<random.time@host>`, a msg-id (RFC 2195 §2).
fn challenge(random: &[u8; RANDOM_OCTETS], unix_secs: u64, hostname: &str) -> String {
    let mut digits = String::with_capacity(3 * RANDOM_OCTETS);
    for octet in random {
        let _ = write!(digits, "{octet}");
    }
    format!("<{digits}.{unix_secs}@{hostname}>")
}

/// The server's half.
#[derive(Debug)]
pub(super) struct Server {
    challenge: String,
    claim: Option<Claim>,
}

/// What the client says.
#[derive(Debug)]
struct Claim {
    authcid: String,
    digest: Secret,
}

impl Server {
    pub(super) fn new(settings: &server::Settings, context: &server::Context) -> Self {
        Self::with_challenge(challenge(&context.random, context.unix_secs, &settings.hostname))
    }

    pub(super) fn with_challenge(challenge: String) -> Self {
        Server { challenge, claim: None }
    }

    fn question(&mut self, response: &[u8]) -> Result<Question, Failure> {
        // Names may hold spaces, the digest never does.
        let (name, digest) = server::text(response)?.rsplit_once(' ').ok_or(Failure::Malformed)?;
        if digest.len() != 32 || !digest.bytes().all(|octet| matches!(octet, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(Failure::Malformed);
        }
        let authcid = prepare::name(name)?;
        self.claim = Some(Claim { authcid: authcid.clone(), digest: Secret::new(digest) });
        Ok(Question::SharedSecret { authcid })
    }
}

impl server::Mechanics for Server {
    fn begin(&mut self) -> Turn {
        Turn::Challenge(self.challenge.clone().into_bytes())
    }

    fn respond(&mut self, response: &[u8]) -> Turn {
        self.question(response).map_or_else(Turn::Failed, Turn::Ask)
    }

    fn answer(&mut self, answer: Answer) -> Turn {
        // An unknown name costs the same digest as a known one.
        let (secret, known) = match answer {
            Answer::SharedSecret(secret) => (secret, true),
            Answer::Refused => (Secret::new("unknown"), false),
            Answer::Accepted { .. } | Answer::Verifier(_) | Answer::Unavailable => {
                return Turn::Failed(Failure::Unavailable);
            }
        };
        let Some(claim) = self.claim.take() else { return Turn::Failed(Failure::OutOfTurn) };
        let expected = digest(&secret, self.challenge.as_bytes());
        let equal: bool = expected.as_bytes().ct_eq(claim.digest.expose().as_bytes()).into();
        if equal && known {
            Turn::Done(Identity::new(claim.authcid, None))
        } else {
            Turn::Failed(Failure::Refused)
        }
    }
}

/// The client's half.
#[derive(Debug)]
pub(super) struct Client {
    authcid: String,
    password: Option<Secret>,
}

impl Client {
    pub(super) fn new(authcid: &str, password: &Secret) -> Result<Self, Unusable> {
        // Looked at, not changed: see `digest`.
        prepare::password(password)?;
        Ok(Client { authcid: prepare::name(authcid)?, password: Some(password.clone()) })
    }
}

impl client::Mechanics for Client {
    fn initial(&mut self) -> Option<Vec<u8>> {
        None
    }

    fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>, client::Failure> {
        let password = self.password.take().ok_or(client::Failure::Protocol("CRAM-MD5 has one challenge"))?;
        // RFC 2195 §2: the challenge is a msg-id. A false server must not choose what is signed freely.
        if !(challenge.starts_with(b"<") && challenge.ends_with(b">")) {
            return Err(client::Failure::Protocol("CRAM-MD5's challenge must be a msg-id"));
        }
        Ok(format!("{} {}", self.authcid, digest(&password, challenge)).into_bytes())
    }

    fn believes_success(&self) -> Result<(), client::Failure> {
        match self.password {
            None => Ok(()),
            Some(_) => Err(client::Failure::Protocol("success before the response")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::client::Mechanics as _;
    use super::server::Mechanics as _;
    use super::*;

    const CHALLENGE: &str = "<1896.697170952@postoffice.reston.mci.net>";

    /// RFC 2195 §2.
    #[test]
    fn the_example_of_rfc_2195() {
        let password = Secret::new("tanstaaftanstaaf");
        let mut server = Server::with_challenge(CHALLENGE.into());
        let Turn::Challenge(challenge) = server.begin() else { panic!("a challenge is due") };
        let response = Client::new("tim", &password).unwrap().respond(&challenge).unwrap();
        assert_eq!(response, b"tim b913a602c7eda7a495b4e6e7334d3890");
        assert!(matches!(
            server.respond(&response),
            Turn::Ask(Question::SharedSecret { authcid }) if authcid == "tim"
        ));
        let Turn::Done(identity) = server.answer(Answer::SharedSecret(password)) else {
            panic!("the digest is right")
        };
        assert_eq!(identity, Identity { authcid: "tim".into(), authzid: "tim".into() });
    }

    #[test]
    fn challenges_are_message_identifiers() {
        let made = challenge(&[9; RANDOM_OCTETS], 1_700_000_000, "mx.example");
        assert_eq!(made, "<999999999999999999.1700000000@mx.example>");
    }

    #[test]
    fn the_made_up_secret_opens_nothing() {
        let mut server = Server::with_challenge(CHALLENGE.into());
        let response = format!("nobody {}", digest(&Secret::new("unknown"), CHALLENGE.as_bytes()));
        assert!(matches!(server.respond(response.as_bytes()), Turn::Ask(_)));
        assert!(matches!(server.answer(Answer::Refused), Turn::Failed(Failure::Refused)));
    }
}
