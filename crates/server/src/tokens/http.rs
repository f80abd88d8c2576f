//! One question over HTTP, and its answer: bounded, over TLS as everywhere else here. How long it may take
//! is the caller's limit.

use crate::limits::TOKEN_ANSWER_OCTETS_MAX;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Uri,
    client::conn::http1,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use posta_runtime::{
    Network, Stream,
    tls::{Connector, Demand, TlsEnd, Trust, handshake},
};
use posta_wire::Secret;
use std::{net::SocketAddr, sync::Arc};

/// Where to ask.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    uri: Uri,
    host: String,
    port: u16,
    is_tls: bool,
}

impl Endpoint {
    /// Tokens are secrets (RFC 7662 §4): they go inside TLS, or stay on this machine.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        let bad = |why: &str| format!("`introspection` = {url:?}: {why}");
        let uri: Uri = url.parse().map_err(|_| bad("no URL"))?;
        let host = uri.host().ok_or_else(|| bad("names no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let is_here = host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if is_here => false,
            _ => return Err(bad("expected https (or http on this machine)")),
        };
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        Ok(Endpoint { uri, host, port, is_tls })
    }

    /// Posts a form; the status and the body of the answer.
    pub(super) async fn post(
        &self,
        network: &dyn Network,
        trust: &Arc<Trust>,
        authorization: Option<&Secret>,
        form: &Secret,
    ) -> Result<(u16, Bytes), String> {
        let (mut stream, remote) = self.connect(network).await?;
        if !self.is_tls {
            return self.converse(stream, authorization, form).await;
        }
        let connector = Connector::new(trust.clone(), &self.host, remote.ip(), Demand::Verified);
        let (secured, _) = handshake(&TlsEnd::Connect(connector), &mut *stream)
            .await
            .map_err(|failure| failure.to_string())?;
        self.converse(secured, authorization, form).await
    }

    async fn connect(&self, network: &dyn Network) -> Result<(Box<dyn Stream>, SocketAddr), String> {
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        let mut reason = format!("{} has no address", self.host);
        for remote in found.map_err(|error| format!("{}: {error}", self.host))? {
            match network.connect(remote).await {
                Ok(stream) => return Ok((stream, remote)),
                Err(error) => reason = format!("{remote}: {error}"),
            }
        }
        Err(reason)
    }

    async fn converse(
        &self,
        stream: Box<dyn Stream + '_>,
        authorization: Option<&Secret>,
        form: &Secret,
    ) -> Result<(u16, Bytes), String> {
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        let request = self.request(authorization, form)?;
        let asking = async {
            let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
            let status = answer.status().as_u16();
            let body = Limited::new(answer.into_body(), TOKEN_ANSWER_OCTETS_MAX);
            let body = body.collect().await.map_err(|error| error.to_string())?;
            Ok((status, body.to_bytes()))
        };
        let mut asking = std::pin::pin!(asking);
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            answer = &mut asking => answer,
            // The answer may be whole all the same.
            _ = &mut connection => asking.await,
        }
    }

    fn request(&self, authorization: Option<&Secret>, form: &Secret) -> Result<Request<Full<Bytes>>, String> {
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let host = self.uri.authority().map_or(self.host.as_str(), |authority| authority.as_str());
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(HOST, host)
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::new(Bytes::copy_from_slice(form.expose().as_bytes())))
            .map_err(|error| error.to_string())?;
        if let Some(authorization) = authorization {
            let mut value =
                HeaderValue::from_str(authorization.expose()).map_err(|error| error.to_string())?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_go_nowhere_in_the_clear() {
        for (url, good) in [
            ("https://id.example/introspect", true),
            ("https://id.example:8443/introspect?x=1", true),
            ("http://127.0.0.1:9000/", true),
            ("http://[::1]:9000/", true),
            ("http://localhost/", true),
            ("http://id.example/", false),
            ("ftp://id.example/", false),
            ("/introspect", false),
            ("", false),
        ] {
            assert_eq!(Endpoint::parse(url).is_ok(), good, "{url}");
        }
    }
}
