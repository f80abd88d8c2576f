//! HTTP/1.1 to one host, over TLS or to this machine.

use crate::{Endpoint, Outside};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use posta_runtime::tls::{self, Connector, Demand, TlsEnd};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::Mutex;

/// How long one answer may take, from its request to its end.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(120);
/// Octets of one answer: a message with all its files, and some more.
const ANSWER_OCTETS_MAX: usize = 160 * 1024 * 1024;

/// The text is no address of a server.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is no address like https://mail.example.org/")]
pub struct BadAddress(String);

/// Where a server is: `https://host[:port]/`, or `http://` for one on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    endpoint: Endpoint,
    is_tls: bool,
}

impl Address {
    /// Reads an address; a path is not looked at.
    pub fn parse(text: &str) -> Result<Address, BadAddress> {
        let bad = || BadAddress(text.to_owned());
        let (scheme, rest) = text.trim().split_once("://").ok_or_else(bad)?;
        let (is_tls, port) = match scheme.to_ascii_lowercase().as_str() {
            "https" => (true, 443),
            "http" => (false, 80),
            _ => return Err(bad()),
        };
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let endpoint = Endpoint::parse(host, port).map_err(|_| bad())?;
        Ok(Address { endpoint, is_tls })
    }
}

/// A connection that is made anew when it has gone.
pub(super) struct Client {
    outside: Outside,
    address: Address,
    sender: Mutex<Option<SendRequest<Full<Bytes>>>>,
}

/// An answer with all of its body.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) disposition: Option<String>,
    pub(super) media_type: Option<String>,
    pub(super) body: Bytes,
}

/// What is asked.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) authorization: &'a str,
    pub(super) media_type: Option<&'a str>,
    pub(super) body: Bytes,
}

impl Client {
    pub(super) fn new(outside: Outside, address: Address) -> Self {
        Client { outside, address, sender: Mutex::default() }
    }

    pub(super) async fn ask(&self, ask: Ask<'_>) -> Result<Answer, String> {
        let asking = async {
            // One request at a time: answers come in their order.
            let mut kept = self.sender.lock().await;
            let mut open = kept.take();
            let is_open = match &mut open {
                Some(sender) => sender.ready().await.is_ok(),
                None => false,
            };
            let mut sender = match open.filter(|_| is_open) {
                Some(sender) => sender,
                None => self.connect().await?,
            };
            let response = sender.send_request(self.request(ask)?).await.map_err(words)?;
            let (head, body) = response.into_parts();
            let text = |name: header::HeaderName| {
                head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
            };
            let (disposition, media_type) = (text(header::CONTENT_DISPOSITION), text(header::CONTENT_TYPE));
            let body = Limited::new(body, ANSWER_OCTETS_MAX).collect().await.map_err(words)?.to_bytes();
            *kept = Some(sender);
            Ok::<Answer, String>(Answer { status: head.status, disposition, media_type, body })
        };
        match tokio::time::timeout(ANSWER_TIME_MAX, asking).await {
            Ok(answer) => answer.map_err(|error| format!("{}: {error}", self.address.endpoint)),
            Err(_) => Err(format!("{} gave no answer in time", self.address.endpoint)),
        }
    }

    /// On a connection of its own, as the answer may last.
    pub(super) async fn stream(&self, ask: Ask<'_>) -> Result<Response<Incoming>, String> {
        let mut sender = self.connect().await?;
        let response = sender.send_request(self.request(ask)?).await.map_err(words)?;
        match response.status() {
            StatusCode::OK => Ok(response),
            status => Err(format!("{}: {status}", self.address.endpoint)),
        }
    }

    fn request(&self, ask: Ask<'_>) -> Result<Request<Full<Bytes>>, String> {
        let mut request = Request::builder()
            .method(ask.method)
            .uri(ask.path)
            .header(header::HOST, self.address.endpoint.to_string())
            .header(header::AUTHORIZATION, ask.authorization)
            .header(header::USER_AGENT, "posta");
        if let Some(media_type) = ask.media_type {
            request = request.header(header::CONTENT_TYPE, media_type);
        }
        request.body(Full::new(ask.body)).map_err(words)
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, String> {
        let (mut stream, remote) = self.outside.connect(&self.address.endpoint).await.map_err(words)?;
        if !self.address.is_tls {
            if !remote.ip().is_loopback() {
                return Err("without https nothing is said to another machine".to_owned());
            }
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(words)?;
            tokio::spawn(connection);
            return Ok(sender);
        }
        let host = self.address.endpoint.host();
        let connector = Connector::new(self.outside.trust.clone(), host, remote.ip(), Demand::Verified);
        let (given, got) = tokio::sync::oneshot::channel();
        // The TLS connection borrows the stream: both live in this task.
        tokio::spawn(async move {
            let secured = tls::handshake(&TlsEnd::Connect(connector), &mut *stream).await;
            let tls = match secured {
                Ok((tls, _)) => tls,
                Err(error) => return drop(given.send(Err(format!("no secure connection: {error}")))),
            };
            match http1::handshake(TokioIo::new(tls)).await {
                Ok((sender, connection)) => {
                    let _ = given.send(Ok(sender));
                    // How it ended is told by the request that was on it.
                    let _ = connection.await;
                }
                Err(error) => drop(given.send(Err(error.to_string()))),
            }
        });
        got.await.map_err(words)?
    }
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Text as a piece of a path or a query (RFC 3986 §2.3).
pub(super) fn encoded(text: &str) -> String {
    const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, RESERVED).to_string()
}

/// The file name of a `Content-Disposition` (RFC 8187 form), safe as such.
pub(super) fn file_name(disposition: &str) -> Option<String> {
    let (_, value) = disposition.split_once("filename*=UTF-8''")?;
    let value = value.split(';').next().unwrap_or_default();
    let (mut octets, mut rest) = (Vec::new(), value.bytes());
    while let Some(octet) = rest.next() {
        if octet != b'%' {
            octets.push(octet);
            continue;
        }
        let pair = [rest.next()?, rest.next()?];
        octets.extend(hex::decode(pair).ok()?);
    }
    let name: String = String::from_utf8_lossy(&octets)
        .chars()
        .map(|c| if c.is_control() || c == '/' || c == '\\' { '_' } else { c })
        .collect();
    let name = name.trim_start_matches('.');
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let table = [
            ("https://mail.example.org", Some(("mail.example.org:443", true))),
            ("https://mail.example.org:8443/mail", Some(("mail.example.org:8443", true))),
            ("http://127.0.0.1:8080/", Some(("127.0.0.1:8080", false))),
            ("http://[::1]/", Some(("[::1]:80", false))),
            ("mail.example.org", None),
            ("ftp://mail.example.org", None),
            ("https://user@mail.example.org", None),
            ("https://", None),
        ];
        for (text, expected) in table {
            let address = Address::parse(text).ok();
            let found = address.map(|address| (address.endpoint.to_string(), address.is_tls));
            assert_eq!(found.as_ref().map(|(host, tls)| (host.as_str(), *tls)), expected, "{text}");
        }
    }

    #[test]
    fn names_and_pieces() {
        assert_eq!(encoded("from:löv a/b&c"), "from%3Al%C3%B6v%20a%2Fb%26c");
        let table = [
            ("attachment; filename=\"x\"; filename*=UTF-8''caf%C3%A9.bmp", Some("café.bmp")),
            ("attachment; filename*=UTF-8''..%2F..%2Fetc", Some("_.._etc")),
            ("attachment; filename*=UTF-8''%1B%4", None),
            ("attachment", None),
        ];
        for (text, expected) in table {
            assert_eq!(file_name(text).as_deref(), expected, "{text}");
        }
    }
}
