//! Tokens of service accounts for pods: how they are asked for and when they are renewed.

use std::sync::Arc;
use std::time::Duration;

use coracle_apimachinery::{Object, Value};
use coracle_client::resources::SERVICE_ACCOUNTS;
use coracle_client::{Client, Write, object};

/// No token is kept longer, however long it is good for.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
const USUAL_SECONDS: i64 = 3600;

/// A token that the API gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) text: String,
    /// How long it is kept before it is renewed.
    pub(super) kept_for: Duration,
}

/// Asks for the token of a projection (`serviceAccountToken`) of a pod.
///
/// # Errors
/// The API does not give one.
pub(super) async fn fetch(client: &Arc<dyn Client>, pod: &Value, projection: &Value) -> Result<Token, String> {
    let write = Write::create(&SERVICE_ACCOUNTS, request(pod, projection)).at("token");
    let answer = client.write(write).await;
    let answer = answer.map_err(|status| format!("failed to fetch token: {}", status.message))?;
    let text = answer.text_at(&["status", "token"]).to_owned();
    if text.is_empty() {
        return Err("failed to fetch token: the API answered without one".to_owned());
    }
    let seconds = object::int(&answer, &["spec", "expirationSeconds"], USUAL_SECONDS);
    Ok(Token { text, kept_for: kept_for(seconds) })
}

/// Four fifths of its life, at most a day.
fn kept_for(seconds: i64) -> Duration {
    let life = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    (life * 4 / 5).min(LONGEST)
}

fn request(pod: &Value, projection: &Value) -> Value {
    let account = match pod.text_at(&["spec", "serviceAccountName"]) {
        "" => "default",
        name => name,
    };
    let object_of = |members: Vec<(&'static str, Value)>| {
        Value::Object(members.into_iter().map(|(name, value)| (name.into(), value)).collect::<Object>())
    };
    let bound = object_of(vec![
        ("apiVersion", Value::text("v1")),
        ("kind", Value::text("Pod")),
        ("name", Value::text(object::name(pod))),
        ("uid", Value::text(object::uid(pod))),
    ]);
    let mut spec = vec![
        ("boundObjectRef", bound),
        ("expirationSeconds", Value::Int(object::int(projection, &["expirationSeconds"], USUAL_SECONDS))),
    ];
    let audience = projection.text_at(&["audience"]);
    if !audience.is_empty() {
        spec.push(("audiences", Value::List(vec![Value::text(audience)])));
    }
    object_of(vec![
        ("apiVersion", Value::text("authentication.k8s.io/v1")),
        ("kind", Value::text("TokenRequest")),
        (
            "metadata",
            object_of(vec![("name", Value::text(account)), ("namespace", Value::text(object::namespace(pod)))]),
        ),
        ("spec", object_of(spec)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tests::tree;
    use coracle_apimachinery::json::encode_any;

    #[test]
    fn requests_name_the_pod() {
        let pod = tree(r#"{"metadata":{"name":"p","namespace":"n","uid":"u"},"spec":{"serviceAccountName":"s"}}"#);
        let request = request(&pod, &tree(r#"{"path":"t","audience":"vault","expirationSeconds":600}"#));
        assert_eq!(
            String::from_utf8(encode_any(&request)).unwrap(),
            r#"{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","metadata":{"name":"s","namespace":"n"},"spec":{"audiences":["vault"],"boundObjectRef":{"apiVersion":"v1","kind":"Pod","name":"p","uid":"u"},"expirationSeconds":600}}"#
        );
    }

    #[test]
    fn tokens_are_renewed_early() {
        for (life, want) in [(600, 480), (3600, 2880), (3607, 2885), (10_000_000, 86_400), (-1, 0)] {
            assert_eq!(kept_for(life).as_secs(), want, "{life}");
        }
    }
}
