//! XOAUTH2: Google's and Microsoft's form of bearer tokens before RFC 7628; no RFC has it.
//! `user=NAME ^A auth=Bearer TOKEN ^A ^A`.

use super::client::{self, Unusable};
use super::oauthbearer::{bearer_token, error_json, is_field_text, is_token};
use super::prepare;
use super::server::{self, Answer, Failure, Question, Turn};
use crate::Secret;

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
        user: String,
    },
    /// The error went out; the client acknowledges it by an empty response.
    Refused,
}

impl Server {
    pub(super) fn new(settings: &server::Settings) -> Self {
        let mut fields = vec![("status", "401"), ("schemes", "bearer")];
        fields.extend(settings.oauth_scope.as_deref().map(|scope| ("scope", scope)));
        Server { refusal: error_json(&fields), state: State::First }
    }

    fn question(&mut self, response: &[u8]) -> Result<Question, Failure> {
        let text = server::text(response)?;
        let fields = text.strip_suffix("\x01\x01").ok_or(Failure::Malformed)?;
        let (user, auth) = fields.split_once('\x01').ok_or(Failure::Malformed)?;
        let user = prepare::name(user.strip_prefix("user=").ok_or(Failure::Malformed)?)?;
        let token = bearer_token(auth.strip_prefix("auth=").ok_or(Failure::Malformed)?)?;
        self.state = State::Asked { user: user.clone() };
        Ok(Question::CheckToken { token, authzid: Some(user), host: None, port: None })
    }
}

impl server::Mechanics for Server {
    fn respond(&mut self, response: &[u8]) -> Turn {
        match self.state {
            State::First => self.question(response).map_or_else(Turn::Failed, Turn::Ask),
            State::Asked { .. } => Turn::Failed(Failure::OutOfTurn),
            State::Refused => Turn::Failed(Failure::Refused),
        }
    }

    fn answer(&mut self, answer: Answer) -> Turn {
        let State::Asked { user } = std::mem::replace(&mut self.state, State::Refused) else {
            return Turn::Failed(Failure::OutOfTurn);
        };
        match answer {
            Answer::Refused => Turn::Challenge(self.refusal.clone().into_bytes()),
            other => server::outcome(other, Some(user)),
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
    pub(super) fn new(user: &str, token: &Secret) -> Result<Self, Unusable> {
        let user = prepare::name(user)?;
        if !is_field_text(&user) || !is_token(token.expose()) {
            return Err(Unusable::Unwritable);
        }
        let message = format!("user={user}\x01auth=Bearer {}\x01\x01", token.expose());
        Ok(Client { message: Some(Secret::new(message)), refusal: None })
    }
}

impl client::Mechanics for Client {
    fn initial(&mut self) -> Option<Vec<u8>> {
        self.message.take().map(|message| message.expose().as_bytes().to_vec())
    }

    fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>, client::Failure> {
        if self.refusal.is_some() {
            return Err(client::Failure::Protocol("XOAUTH2 has one challenge"));
        }
        self.refusal = Some(client::printable(challenge));
        Ok(Vec::new())
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
