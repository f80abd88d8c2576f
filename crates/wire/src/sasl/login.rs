//! LOGIN: `Username:`, `Password:`. No RFC has it; an old draft (draft-murchison-sasl-login) wrote down
//! what Microsoft's clients do.

use super::client::{self, Unusable};
use super::prepare;
use super::server::{self, Answer, Failure, Question, Turn};
use crate::Secret;

/// The server's half.
#[derive(Debug)]
pub(super) enum Server {
    /// Waits for the name, which may come with the command.
    Name,
    /// Waits for the password.
    Password { authcid: String },
    /// Has asked.
    Asked,
}

impl Server {
    pub(super) fn new() -> Self {
        Server::Name
    }

    fn next(&mut self, response: &[u8]) -> Result<Turn, Failure> {
        let text = server::text(response)?;
        match std::mem::replace(self, Server::Asked) {
            Server::Name => {
                *self = Server::Password { authcid: prepare::name(text)? };
                // Old clients compare this text, so it is the usual one to the letter.
                Ok(Turn::Challenge(b"Password:".to_vec()))
            }
            Server::Password { authcid } => {
                let password = prepare::password(&Secret::new(text))?;
                Ok(Turn::Ask(Question::CheckPassword { authcid, authzid: None, password }))
            }
            Server::Asked => Err(Failure::OutOfTurn),
        }
    }
}

impl server::Mechanics for Server {
    fn begin(&mut self) -> Turn {
        Turn::Challenge(b"Username:".to_vec())
    }

    fn respond(&mut self, response: &[u8]) -> Turn {
        self.next(response).unwrap_or_else(Turn::Failed)
    }

    fn answer(&mut self, answer: Answer) -> Turn {
        server::outcome(answer, None)
    }
}

/// The client's half. It answers the first challenge by the name and the second by the password,
/// whatever their texts are: servers differ.
#[derive(Debug)]
pub(super) struct Client {
    name: Option<String>,
    password: Option<Secret>,
}

impl Client {
    pub(super) fn new(authcid: &str, password: &Secret) -> Result<Self, Unusable> {
        Ok(Client { name: Some(prepare::name(authcid)?), password: Some(prepare::password(password)?) })
    }
}

impl client::Mechanics for Client {
    fn initial(&mut self) -> Option<Vec<u8>> {
        None
    }

    fn respond(&mut self, _challenge: &[u8]) -> Result<Vec<u8>, client::Failure> {
        if let Some(name) = self.name.take() {
            return Ok(name.into_bytes());
        }
        let password = self.password.take().ok_or(client::Failure::Protocol("LOGIN has two challenges"))?;
        Ok(password.expose().as_bytes().to_vec())
    }

    fn believes_success(&self) -> Result<(), client::Failure> {
        match self.password {
            None => Ok(()),
            Some(_) => Err(client::Failure::Protocol("success before the password")),
        }
    }
}
