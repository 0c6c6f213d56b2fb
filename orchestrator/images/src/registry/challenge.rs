//! What a registry wants to know of who asks: `WWW-Authenticate`.

use http::header::{HeaderMap, WWW_AUTHENTICATE};

/// One way to say who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// A token of the service at `realm`.
    Bearer {
        /// Address of the token service.
        realm: String,
        /// Its name for the registry.
        service: Option<String>,
        /// What the token is to allow.
        scope: Option<String>,
        /// Why the last token was not enough.
        error: Option<String>,
    },
    /// User name and password.
    Basic,
}

/// The best challenge that is understood: tokens before passwords.
pub(crate) fn of(headers: &HeaderMap) -> Option<Challenge> {
    let mut found: Vec<Challenge> =
        headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok()).filter_map(parse).collect();
    found.sort_by_key(|challenge| *challenge == Challenge::Basic);
    found.into_iter().next()
}

fn parse(text: &str) -> Option<Challenge> {
    let text = text.trim();
    let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let (mut realm, mut service, mut scope, mut error) = (None, None, None, None);
    for (name, value) in parameters(rest) {
        match name.to_ascii_lowercase().as_str() {
            "realm" => realm = Some(value),
            "service" => service = Some(value),
            "scope" => scope = Some(value),
            "error" => error = Some(value),
            _ => {}
        }
    }
    Some(Challenge::Bearer { realm: realm?, service, scope, error })
}

/// `NAME=VALUE` or `NAME="VALUE"`, separated by commas; a broken rest ends the list.
fn parameters(mut rest: &str) -> Vec<(&str, String)> {
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', ',', '\t']);
        let Some((name, after)) = rest.split_once('=') else { return found };
        let value;
        (value, rest) = match after.strip_prefix('"') {
            Some(quoted) => {
                let (mut text, mut escaped, mut end) = (String::new(), false, None);
                for (at, letter) in quoted.char_indices() {
                    match (escaped, letter) {
                        (false, '\\') => escaped = true,
                        (false, '"') => {
                            end = Some(at + 1);
                            break;
                        }
                        _ => {
                            text.push(letter);
                            escaped = false;
                        }
                    }
                }
                let Some(after) = end.and_then(|end| quoted.get(end..)) else { return found };
                (text, after)
            }
            None => {
                let (value, after) = after.split_once(',').unwrap_or((after, ""));
                (value.trim().to_owned(), after)
            }
        };
        found.push((name.trim(), value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Challenge::Bearer { realm: realm.to_owned(), service: own(service), scope: own(scope), error: None }
    }

    #[test]
    fn challenges_are_read() {
        for (values, want) in [
            (
                &[r#"Bearer realm="https://a/t",service="r.io",scope="repository:a/b:pull,push""#][..],
                Some(bearer("https://a/t", Some("r.io"), Some("repository:a/b:pull,push"))),
            ),
            (&[r#"bearer service=x , realm="a\"b""#], Some(bearer("a\"b", Some("x"), None))),
            (&["Basic realm=x", r#"Bearer realm="t""#], Some(bearer("t", None, None))),
            (&["Basic"], Some(Challenge::Basic)),
            (&[r#"Basic realm="x""#], Some(Challenge::Basic)),
            (&["Bearer service=x"], None),
            (&[r#"Bearer realm="unfinished"#], None),
            (&["Negotiate"], None),
            (&[""], None),
            (&[], None),
        ] {
            let headers: HeaderMap = values.iter().map(|value| (WWW_AUTHENTICATE, value.parse().unwrap())).collect();
            assert_eq!(of(&headers), want, "{values:?}");
        }
    }
}
