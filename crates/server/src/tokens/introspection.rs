//! Asking the authorization server (RFC 7662).

use super::{Claims, TokenFault, http::Endpoint};
use crate::config::Oauth;
use base64::{Engine, prelude::BASE64_STANDARD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use posta_runtime::{Network, tls::Trust};
use posta_wire::Secret;
use serde_json::Value;
use std::sync::Arc;

/// Where tokens are asked about, and as whom.
pub(super) struct Introspection {
    endpoint: Endpoint,
    authorization: Option<Secret>,
    network: Arc<dyn Network>,
    trust: Arc<Trust>,
}

impl Introspection {
    pub(super) fn new(
        url: &str,
        settings: &Oauth,
        secret: Option<Secret>,
        network: Arc<dyn Network>,
        trust: Arc<Trust>,
    ) -> Result<Self, String> {
        let authorization = settings.client.as_deref().zip(secret).map(|(client, secret)| {
            // RFC 6749 §2.3.1: both are encoded as in forms first.
            let pair = format!("{}:{}", form_encoded(client), form_encoded(secret.expose()));
            Secret::new(format!("Basic {}", BASE64_STANDARD.encode(pair)))
        });
        Ok(Introspection { endpoint: Endpoint::parse(url)?, authorization, network, trust })
    }

    /// RFC 7662 §2.1, §2.2.
    pub(super) async fn ask(&self, token: &Secret) -> Result<Claims, TokenFault> {
        let form =
            Secret::new(format!("token={}&token_type_hint=access_token", form_encoded(token.expose())));
        let answer = self.endpoint.post(&*self.network, &self.trust, self.authorization.as_ref(), &form);
        let unavailable = |reason: String| TokenFault::Unavailable(format!("asking about a token: {reason}"));
        let (status, body) = answer.await.map_err(unavailable)?;
        // RFC 7662 §2.3: anything but 200 is about us, not about the token.
        if status != 200 {
            return Err(unavailable(format!("the server answers {status}")));
        }
        let answer = serde_json::from_slice(&body);
        let Ok(Value::Object(claims)) = answer else {
            return Err(unavailable("the answer is no JSON object".into()));
        };
        match claims.get("active") {
            Some(Value::Bool(true)) => Ok(claims),
            Some(Value::Bool(false)) => Err(TokenFault::Refused("the token is not active")),
            _ => Err(unavailable("the answer lacks `active`".into())),
        }
    }
}

/// `application/x-www-form-urlencoded`.
fn form_encoded(text: &str) -> String {
    const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*');
    utf8_percent_encode(text, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_encoded() {
        assert_eq!(form_encoded("aZ9-._*"), "aZ9-._*");
        assert_eq!(form_encoded("a&b=c +ü"), "a%26b%3Dc%20%2B%C3%BC");
    }
}
