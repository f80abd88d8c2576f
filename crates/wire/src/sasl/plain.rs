//! PLAIN (RFC 4616): `authzid NUL authcid NUL password`, in one message.

use super::client::{self, Unusable};
use super::prepare;
use super::server::{self, Answer, Failure, Question, Turn};
use crate::Secret;

/// The server's half.
#[derive(Debug)]
pub(super) struct Server {
    authzid: Option<String>,
}

impl Server {
    pub(super) fn new() -> Self {
        Server { authzid: None }
    }

    fn question(&mut self, response: &[u8]) -> Result<Question, Failure> {
        let mut fields = server::text(response)?.split('\0');
        let (Some(authzid), Some(authcid), Some(password), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(Failure::Malformed);
        };
        self.authzid = server::authzid(authzid)?;
        Ok(Question::CheckPassword {
            authcid: prepare::name(authcid)?,
            authzid: self.authzid.clone(),
            password: prepare::password(&Secret::new(password))?,
        })
    }
}

impl server::Mechanics for Server {
    fn respond(&mut self, response: &[u8]) -> Turn {
        self.question(response).map_or_else(Turn::Failed, Turn::Ask)
    }

    fn answer(&mut self, answer: Answer) -> Turn {
        server::outcome(answer, self.authzid.take())
    }
}

/// The client's half.
#[derive(Debug)]
pub(super) struct Client {
    message: Option<Secret>,
}

impl Client {
    pub(super) fn new(authcid: &str, authzid: Option<&str>, password: &Secret) -> Result<Self, Unusable> {
        let authcid = prepare::name(authcid)?;
        let authzid = authzid.map(prepare::name).transpose()?.unwrap_or_default();
        let password = prepare::password(password)?;
        // A name can't hold NUL once prepared; a password could.
        if password.expose().contains('\0') {
            return Err(Unusable::Unwritable);
        }
        Ok(Client { message: Some(Secret::new(format!("{authzid}\0{authcid}\0{}", password.expose()))) })
    }
}

impl client::Mechanics for Client {
    fn initial(&mut self) -> Option<Vec<u8>> {
        self.message.take().map(|message| message.expose().as_bytes().to_vec())
    }

    fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>, client::Failure> {
        // A server that ignored the initial response asks for it by an empty challenge; one that got
        // it has nothing to ask. Either way nothing is left to say.
        let _ = challenge;
        Err(client::Failure::Protocol("PLAIN has one message"))
    }
}
