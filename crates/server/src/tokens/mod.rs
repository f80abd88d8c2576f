//! Bearer tokens (RFC 6750) that people log in with by OAUTHBEARER (RFC 7628) or XOAUTH2: whether one is
//! good, and whose.
//!
//! Either an authorization server is asked (RFC 7662, [`introspection`]), or the token is a JWT (RFC 7519)
//! that a known key has signed ([`signature`]).

mod http;
mod introspection;
mod signature;

use crate::{
    config::{Config, Oauth},
    limits::{TOKEN_CLOCK_LEEWAY_SECS, TOKEN_MEMORY, TOKENS_CHECKED_AT_ONCE_MAX, TOKENS_REMEMBERED_MAX},
};
use introspection::Introspection;
use posta_runtime::{Clock, Entropy, Network, tls::Trust};
use posta_wire::Secret;
use serde_json::{Map, Value};
use signature::Keys;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;

/// Why a token is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TokenFault {
    /// It is not good, in these words for the journal.
    Refused(&'static str),
    /// It can't be found out now.
    Unavailable(String),
}

/// What a checker says of a token.
type Claims = Map<String, Value>;

enum Checker {
    Introspection(Introspection),
    Keys(Keys),
}

/// Checks tokens.
pub(crate) struct Tokens {
    settings: Oauth,
    checker: Checker,
    clock: Arc<dyn Clock>,
    turns: Semaphore,
    /// Good ones by keyed hash, for a short time: a client that polls does not cost a question each time.
    remembered: Mutex<HashMap<[u8; 32], Remembered>>,
    /// New in each process; without it what is remembered says nothing.
    key: [u8; 32],
}

struct Remembered {
    name: String,
    until: Instant,
}

impl Tokens {
    /// As the configuration has it; none where it says nothing of tokens.
    pub(crate) fn new(
        config: &Config,
        clock: Arc<dyn Clock>,
        entropy: &dyn Entropy,
        network: Arc<dyn Network>,
        trust: Arc<Trust>,
    ) -> Result<Option<Arc<Self>>, String> {
        let settings = config.oauth.clone();
        let checker = match (&settings.introspection, &settings.keys) {
            (Some(url), _) => {
                let secret = config.oauth_client_secret.clone();
                Checker::Introspection(Introspection::new(url, &settings, secret, network, trust)?)
            }
            (None, Some(file)) => Checker::Keys(Keys::from_file(file)?),
            (None, None) => return Ok(None),
        };
        let mut key = [0; 32];
        entropy.fill(&mut key);
        Ok(Some(Arc::new(Tokens {
            settings,
            checker,
            clock,
            turns: Semaphore::new(TOKENS_CHECKED_AT_ONCE_MAX),
            remembered: Mutex::default(),
            key,
        })))
    }

    /// The name of the account whose token it is.
    pub(crate) async fn check(&self, token: &Secret) -> Result<String, TokenFault> {
        let memory = *blake3::keyed_hash(&self.key, token.expose().as_bytes()).as_bytes();
        if let Some(name) = self.recall(&memory) {
            return Ok(name);
        }
        let checked = tokio::time::timeout(self.settings.timeout.0, self.claims(token)).await;
        let claims =
            checked.map_err(|_| TokenFault::Unavailable("no answer on the token in time".into()))??;
        let now = self.clock.timestamp().as_second();
        let (name, lives) = judge(&self.settings, &claims, now)?;
        self.remember(memory, &name, lives);
        Ok(name)
    }

    async fn claims(&self, token: &Secret) -> Result<Claims, TokenFault> {
        match &self.checker {
            Checker::Introspection(introspection) => {
                let _turn = self.turns.acquire().await;
                introspection.ask(token).await
            }
            Checker::Keys(keys) => {
                let claims = keys.verify(token)?;
                // RFC 9068 §2.2: nobody is asked whether it still holds, so it must end by itself.
                match claims.contains_key("exp") {
                    true => Ok(claims),
                    false => Err(TokenFault::Refused("the token never expires")),
                }
            }
        }
    }

    fn recall(&self, memory: &[u8; 32]) -> Option<String> {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let known = remembered.get(memory)?;
        (self.clock.now() < known.until).then(|| known.name.clone())
    }

    fn remember(&self, memory: [u8; 32], name: &str, lives: Duration) {
        let now = self.clock.now();
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= TOKENS_REMEMBERED_MAX {
            remembered.retain(|_, known| now < known.until);
            if remembered.len() >= TOKENS_REMEMBERED_MAX {
                remembered.clear();
            }
        }
        let until = now + lives.min(TOKEN_MEMORY);
        remembered.insert(memory, Remembered { name: name.to_owned(), until });
    }
}

/// Whether the claims are what the site wants, whose the token is, and how long it lives.
fn judge(settings: &Oauth, claims: &Claims, now: i64) -> Result<(String, Duration), TokenFault> {
    let leeway = TOKEN_CLOCK_LEEWAY_SECS;
    let lives = match claims.get("exp") {
        None => TOKEN_MEMORY,
        Some(expires) => {
            let expires = seconds(expires).ok_or(TokenFault::Refused("the token's exp is no time"))?;
            if expires.saturating_add(leeway) <= now {
                return Err(TokenFault::Refused("the token has expired"));
            }
            Duration::from_secs(u64::try_from(expires.saturating_sub(now)).unwrap_or_default())
        }
    };
    if claims.get("nbf").and_then(seconds).is_some_and(|from| now.saturating_add(leeway) < from) {
        return Err(TokenFault::Refused("the token is not good yet"));
    }
    if settings.issuer.as_deref().is_some_and(|issuer| !names(claims.get("iss"), issuer)) {
        return Err(TokenFault::Refused("the token is another issuer's"));
    }
    if settings.audience.as_deref().is_some_and(|audience| !names(claims.get("aud"), audience)) {
        return Err(TokenFault::Refused("the token is not for us"));
    }
    let scopes = claims.get("scope").or_else(|| claims.get("scp"));
    if settings.scope.as_deref().is_some_and(|scope| !has_scope(scopes, scope)) {
        return Err(TokenFault::Refused("the token lacks the scope"));
    }
    if settings.claim == "email" && claims.get("email_verified") == Some(&Value::Bool(false)) {
        return Err(TokenFault::Refused("the token's address is not verified"));
    }
    let name = claims.get(&settings.claim).and_then(Value::as_str).filter(|name| !name.is_empty());
    let name = name.ok_or(TokenFault::Refused("the token names nobody"))?;
    Ok((name.to_owned(), lives))
}

/// RFC 7519 §2 NumericDate: may have a fraction.
fn seconds(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64))
}

/// RFC 7519 §4.1.3: one text or several.
fn names(value: Option<&Value>, wanted: &str) -> bool {
    match value {
        Some(Value::String(text)) => text == wanted,
        Some(Value::Array(list)) => list.iter().any(|one| one.as_str() == Some(wanted)),
        _ => false,
    }
}

/// RFC 7662 §2.2: separated by spaces; some write a list.
fn has_scope(value: Option<&Value>, wanted: &str) -> bool {
    match value {
        Some(Value::String(text)) => text.split(' ').any(|scope| scope == wanted),
        list => names(list, wanted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn claims(value: Value) -> Claims {
        match value {
            Value::Object(claims) => claims,
            _ => panic!("an object"),
        }
    }

    #[test]
    fn claims_are_judged() {
        let settings = Oauth {
            issuer: Some("https://id.example".into()),
            audience: Some("mail".into()),
            scope: Some("mail.send".into()),
            ..Oauth::default()
        };
        let good = json!({
            "iss": "https://id.example", "aud": ["web", "mail"], "scope": "openid mail.send",
            "exp": 2000, "nbf": 900, "email": "alice@north.example",
        });
        let with = |key: &str, value: Value| {
            let mut claims = claims(good.clone());
            claims.insert(key.into(), value);
            claims
        };
        let name = |claims: &Claims| judge(&settings, claims, 1000).map(|(name, _)| name);
        assert_eq!(name(&claims(good.clone())), Ok("alice@north.example".to_owned()));
        assert_eq!(judge(&settings, &claims(good.clone()), 1000).expect("good").1.as_secs(), 1000);
        for (key, value) in [
            ("iss", json!("https://other.example")),
            ("aud", json!("web")),
            ("aud", Value::Null),
            ("scope", json!("openid mail")),
            ("exp", json!(900)),
            ("exp", json!("tomorrow")),
            ("nbf", json!(1200.5)),
            ("email", json!("")),
            ("email", json!(7)),
            ("email_verified", json!(false)),
        ] {
            let refused = name(&with(key, value.clone()));
            assert!(matches!(refused, Err(TokenFault::Refused(_))), "{key}: {value}: {refused:?}");
        }
        // Clocks differ a little.
        assert!(name(&with("exp", json!(980))).is_ok() && name(&with("nbf", json!(1030))).is_ok());
    }
}
