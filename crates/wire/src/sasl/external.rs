//! EXTERNAL (RFC 4422 §A): what TLS has proven; the client only says whom it wants to act as.

use super::client::{self, Unusable};
use super::prepare;
use super::server::{self, Answer, Failure, Question, Turn};

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
        self.authzid = server::authzid(server::text(response)?)?;
        Ok(Question::CheckCertificate { authzid: self.authzid.clone() })
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
    authzid: Option<String>,
}

impl Client {
    pub(super) fn new(authzid: Option<&str>) -> Result<Self, Unusable> {
        Ok(Client { authzid: Some(authzid.map(prepare::name).transpose()?.unwrap_or_default()) })
    }
}

impl client::Mechanics for Client {
    fn initial(&mut self) -> Option<Vec<u8>> {
        self.authzid.take().map(String::into_bytes)
    }

    fn respond(&mut self, _challenge: &[u8]) -> Result<Vec<u8>, client::Failure> {
        Err(client::Failure::Protocol("EXTERNAL has one message"))
    }
}
