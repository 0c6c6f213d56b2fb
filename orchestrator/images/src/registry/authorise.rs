//! Requests that say who asks: tokens of a token service, or a password.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use serde::Deserialize;

use super::address::{Address, Origin};
use super::challenge::{self, Challenge};
use super::connection::{Answer, Ask, Connections};
use super::credentials::Credential;
use super::error::Failure;

/// Most redirections of one request.
const REDIRECTIONS: usize = 5;
/// Most bytes of a token service's answer.
const TOKEN_BYTES: usize = 256 * 1024;
/// Tokens that are remembered.
const TOKENS: usize = 256;

/// What a remembered authorisation is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    origin: Origin,
    repository: String,
    /// User name and tokens, so that nobody gets what another's credentials opened.
    who: [String; 4],
}

/// Sends requests in somebody's name.
#[derive(Debug)]
pub(crate) struct Authorised {
    connections: Arc<Connections>,
    remembered: Mutex<HashMap<Key, HeaderValue>>,
}

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
}

impl Authorised {
    pub(crate) fn new(connections: Arc<Connections>) -> Self {
        Self { connections, remembered: Mutex::new(HashMap::new()) }
    }

    /// Sends a request to a registry. An answer of "unauthorized" is met with a token or password once.
    pub(crate) async fn send(
        &self,
        address: &Address,
        repository: &str,
        ask: &Ask,
        credential: Option<&Credential>,
    ) -> Result<Answer, Failure> {
        let key = Key {
            origin: address.origin.clone(),
            repository: repository.to_owned(),
            who: credential.map_or_else(Default::default, |who| {
                let Credential { username, password, identity_token, registry_token } = who.clone();
                [username, password, identity_token, registry_token]
            }),
        };
        let remembered = self.remembered().get(&key).cloned();
        let answer = self.follow(address, ask, remembered.as_ref()).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let Some(wanted) = challenge::of(&answer.headers) else {
            return Err(Failure::Denied("authorization failed: no supported challenge".to_owned()));
        };
        answer.discard().await;
        let header = self.meet(&address.origin, &wanted, repository, credential).await?;
        let answer = self.follow(address, ask, Some(&header)).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            let said = match challenge::of(&answer.headers) {
                Some(Challenge::Bearer { error: Some(error), .. }) => format!("server message: {error}: "),
                _ => String::new(),
            };
            self.remembered().remove(&key);
            return Err(Failure::Denied(format!("{said}authorization failed")));
        }
        let mut remembered = self.remembered();
        if remembered.len() >= TOKENS {
            remembered.clear();
        }
        remembered.insert(key, header);
        drop(remembered);
        Ok(answer)
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, HashMap<Key, HeaderValue>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows redirections. Another origin never sees the authorisation.
    async fn follow(
        &self,
        address: &Address,
        ask: &Ask,
        authorisation: Option<&HeaderValue>,
    ) -> Result<Answer, Failure> {
        let mut here = address.clone();
        for _ in 0..=REDIRECTIONS {
            let mut ask = ask.clone();
            if let Some(value) = authorisation.filter(|_| here.origin == address.origin) {
                ask.headers.insert(AUTHORIZATION, value.clone());
            }
            let answer = self.connections.send(&here, &ask).await?;
            if !matches!(answer.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(answer);
            }
            let next = here.redirected(&answer.headers);
            here = next.map_err(|error| Failure::Protocol(format!("{} {here}: {error}", ask.method)))?;
            answer.discard().await;
        }
        Err(Failure::Protocol(format!("{} {address}: stopped after {REDIRECTIONS} redirects", ask.method)))
    }

    /// The header that meets a challenge.
    async fn meet(
        &self,
        registry: &Origin,
        challenge: &Challenge,
        repository: &str,
        credential: Option<&Credential>,
    ) -> Result<HeaderValue, Failure> {
        match challenge {
            Challenge::Basic => {
                let who = credential.filter(|who| !who.username.is_empty() || !who.password.is_empty());
                let who =
                    who.ok_or_else(|| Failure::Denied("authorization failed: no basic auth credentials".to_owned()))?;
                secret(&basic(who))
            }
            Challenge::Bearer { realm, service, scope, .. } => {
                if let Some(given) = credential.filter(|who| !who.registry_token.is_empty()) {
                    return secret(&format!("Bearer {}", given.registry_token));
                }
                let realm = Address::parse(realm)
                    .filter(|realm| realm.origin.tls || !registry.tls)
                    .ok_or_else(|| Failure::Protocol(format!("invalid token service {realm:?}")))?;
                let scope = scope.clone().unwrap_or_else(|| format!("repository:{repository}:pull"));
                self.token(&realm, service.as_deref(), &scope, credential).await
            }
        }
    }

    async fn token(
        &self,
        realm: &Address,
        service: Option<&str>,
        scope: &str,
        credential: Option<&Credential>,
    ) -> Result<HeaderValue, Failure> {
        let mut query: Vec<(&str, &str)> = service.map(|service| ("service", service)).into_iter().collect();
        // Several scopes come in one text, separated by blanks.
        query.extend(scope.split(' ').filter(|scope| !scope.is_empty()).map(|scope| ("scope", scope)));
        let mut address = realm.clone();
        let mut ask = Ask { method: Method::GET, headers: HeaderMap::new(), body: Bytes::new() };
        match credential {
            Some(who) if !who.identity_token.is_empty() => {
                ask.method = Method::POST;
                ask.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
                query.extend([
                    ("grant_type", "refresh_token"),
                    ("refresh_token", who.identity_token.as_str()),
                    ("client_id", "coracle"),
                ]);
                ask.body = encoded(&query).into();
            }
            _ => {
                let separator = if address.path.contains('?') { '&' } else { '?' };
                address.path = format!("{}{separator}{}", address.path, encoded(&query));
                if let Some(who) = credential.filter(|who| !who.username.is_empty()) {
                    ask.headers.insert(AUTHORIZATION, secret(&basic(who))?);
                }
            }
        }
        let kind = if credential.is_some() { "oauth" } else { "anonymous" };
        let failed = |failure| Failure::Token { kind, cause: Box::new(failure) };
        let answer = self.connections.send(&address, &ask).await.map_err(failed)?;
        if answer.status != StatusCode::OK {
            let method = if ask.method == Method::POST { "POST" } else { "GET" };
            return Err(failed(Failure::of_status(method, &address, answer.status, &answer.headers)));
        }
        let bytes = answer.collect(TOKEN_BYTES).await.map_err(failed)?;
        let token: Token = serde_json::from_slice(&bytes)
            .map_err(|_| failed(Failure::Protocol("unable to decode token response".to_owned())))?;
        let token = if token.token.is_empty() { token.access_token } else { token.token };
        if token.is_empty() {
            return Err(failed(Failure::Protocol("authorization server did not include a token".to_owned())));
        }
        secret(&format!("Bearer {token}"))
    }
}

fn basic(who: &Credential) -> String {
    format!("Basic {}", STANDARD.encode(format!("{}:{}", who.username, who.password)))
}

/// A header that is not printed.
fn secret(text: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| Failure::Protocol("credentials do not fit into a header".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// As a query or form.
fn encoded(pairs: &[(&str, &str)]) -> String {
    let escape = |text: &str| {
        let mut escaped = String::with_capacity(text.len());
        for byte in text.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(byte.into()),
                _ => escaped.push_str(&format!("%{byte:02X}")),
            }
        }
        escaped
    };
    pairs.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect::<Vec<_>>().join("&")
}
