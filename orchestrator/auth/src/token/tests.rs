use super::*;
use crate::objects::tests::Fixed;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;

const NOW: i64 = 1_700_000_000;

/// A key that protects nothing, and the set that go-jose 2.6.3 prints of it under the id that Go's crypto/x509 and
/// crypto/sha256 give it.
const EXAMPLE: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgBAHC3Cr0VNJGxnfj
rt0c9iLhkmwyGTKn6iublz7E3fWhRANCAAQUgJwLnGWU5TpqOCw5ciiJ2DYl4bVI
SzNCNyUlZtRBFN8vduH3r0HB0qPojXayidGHc9ssynxtq1su3XJXqOvm
-----END PRIVATE KEY-----
";
const JWKS: &str = r#"{"keys":[{"use":"sig","kty":"EC","kid":"Sa4f9nA2lThT8TOeqVkuc-kzen5YYDDnNAXWnVCtK1Y","crv":"P-256","alg":"ES256","x":"FICcC5xllOU6ajgsOXIoidg2JeG1SEszQjclJWbUQRQ","y":"3y924fevQcHSo-iNdrKJ0Ydz2yzKfG2rWy7dcleo6-Y"}]}"#;

fn tokens() -> Tokens {
    Tokens::new(Arc::new(KeySet::from_pem(&KeySet::generate_pem().unwrap()).unwrap()), ISSUER, &[ISSUER])
}

fn request() -> Request {
    Request {
        namespace: "default".into(),
        service_account: Reference::new("web", "sa-uid"),
        expiration_seconds: 3600,
        ..Request::default()
    }
}

fn pod_request() -> Request {
    let (pod, node) = (Some(Reference::new("web-0", "pod-uid")), Some(Reference::new("node-a", "node-uid")));
    Request { pod, node, ..request() }
}

/// A token with another header or payload, signed by nobody or by `signer`.
fn forge(token: &str, header: Option<&str>, payload: Option<&str>, signer: Option<&Tokens>) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let part = |text: Option<&str>, old: &str| text.map_or_else(|| old.to_owned(), |text| URL_SAFE_NO_PAD.encode(text));
    let signed = format!("{}.{}", part(header, parts[0]), part(payload, parts[1]));
    let signature = signer.map_or_else(
        || parts[2].to_owned(),
        |tokens| URL_SAFE_NO_PAD.encode(tokens.keys.sign(signed.as_bytes()).unwrap()),
    );
    format!("{signed}.{signature}")
}

#[test]
fn claims_are_upstreams() {
    let tokens = tokens();
    let issued = tokens.issue(pod_request(), NOW).unwrap();
    let parts: Vec<String> = issued
        .token
        .split('.')
        .take(2)
        .map(|part| String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
        .collect();
    assert_eq!(parts[0], format!(r#"{{"alg":"ES256","kid":"{}"}}"#, tokens.keys.signing_id()));
    assert_eq!(
        parts[1].replace(&issued.claims.jti, "<uuid>"),
        r#"{"aud":["https://kubernetes.default.svc.cluster.local"],"exp":1700003600,"iat":1700000000,"iss":"https://kubernetes.default.svc.cluster.local","jti":"<uuid>","kubernetes.io":{"namespace":"default","node":{"name":"node-a","uid":"node-uid"},"pod":{"name":"web-0","uid":"pod-uid"},"serviceaccount":{"name":"web","uid":"sa-uid"}},"nbf":1700000000,"sub":"system:serviceaccount:default:web"}"#
    );
    let jti = &issued.claims.jti;
    assert_eq!((jti.len(), jti.as_bytes()[14]), (36, b'4'));
    assert!(b"89ab".contains(&jti.as_bytes()[19]), "{jti}");
    assert_eq!(tokens.verify(&issued.token, &[], NOW).unwrap(), issued.claims);
}

#[test]
fn the_kubelets_lifetime_is_extended() {
    let tokens = tokens();
    let lives = |seconds, audiences: &[&str], request: Request| {
        let audiences = audiences.iter().map(|text| (*text).to_owned()).collect();
        let issued = tokens.issue(Request { expiration_seconds: seconds, audiences, ..request }, NOW).unwrap();
        assert_eq!(issued.expiration, NOW + seconds);
        (issued.claims.exp - NOW, issued.claims.kubernetes.warnafter.map(|at| at - NOW))
    };
    assert_eq!(lives(3607, &[], pod_request()), (31_536_000, Some(3607)));
    assert_eq!(lives(3607, &["vault"], pod_request()), (3607, None));
    assert_eq!(lives(3607, &[], request()), (3607, None));
    assert_eq!(lives(3600, &[], pod_request()), (3600, None));
}

#[test]
fn a_token_is_refused_for_one_reason() {
    let (tokens, other) = (tokens(), tokens());
    let token = tokens.issue(request(), NOW).unwrap().token;
    let kid = tokens.keys.signing_id();
    let payload = String::from_utf8(URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap();
    let root = payload.replace("default:web", "kube-system:root");
    let foreign = payload.replace(r#""iss":"https://kubernetes"#, r#""iss":"https://elsewhere"#);
    let endless = payload.replace(r#""exp":1700003600,"#, "");
    let header = |alg: &str, kid: &str| format!(r#"{{"alg":"{alg}","kid":"{kid}"}}"#);
    let unsigned = format!("{}.{}.", URL_SAFE_NO_PAD.encode(header("none", kid)), token.split('.').nth(1).unwrap());
    let mut flipped = token.clone().into_bytes();
    let last = flipped.len() - 5;
    flipped[last] = if flipped[last] == b'A' { b'B' } else { b'A' };
    let table = [
        ("good", token.clone(), NOW, Ok(())),
        ("without kid", forge(&token, Some(r#"{"alg":"ES256"}"#), None, Some(&tokens)), NOW, Ok(())),
        ("within the leeway", token.clone(), NOW + 3660, Ok(())),
        ("expired", token.clone(), NOW + 3661, Err(Refused::Expired)),
        ("early within the leeway", token.clone(), NOW - 60, Ok(())),
        ("early", token.clone(), NOW - 61, Err(Refused::NotYet)),
        ("tampered payload", forge(&token, None, Some(&root), None), NOW, Err(Refused::Signature)),
        ("tampered signature", String::from_utf8(flipped).unwrap(), NOW, Err(Refused::Signature)),
        ("no signature", unsigned, NOW, Err(Refused::Signature)),
        ("alg none", forge(&token, Some(&header("none", kid)), None, Some(&tokens)), NOW, Err(Refused::Signature)),
        ("alg HS256", forge(&token, Some(&header("HS256", kid)), None, Some(&tokens)), NOW, Err(Refused::Signature)),
        (
            "crit",
            forge(&token, Some(r#"{"alg":"ES256","crit":["x"]}"#), None, Some(&tokens)),
            NOW,
            Err(Refused::Signature),
        ),
        ("wrong key", other.issue(request(), NOW).unwrap().token, NOW, Err(Refused::NoKey)),
        ("wrong key, known kid", forge(&token, None, None, Some(&other)), NOW, Err(Refused::Signature)),
        (
            "wrong key, no kid",
            forge(&token, Some(r#"{"alg":"ES256"}"#), None, Some(&other)),
            NOW,
            Err(Refused::Signature),
        ),
        ("foreign issuer", forge(&token, None, Some(&foreign), Some(&tokens)), NOW, Err(Refused::Unknown)),
        ("no end", forge(&token, None, Some(&endless), Some(&tokens)), NOW, Err(Refused::Unknown)),
        ("four parts", format!("{token}.x"), NOW, Err(Refused::Unknown)),
        ("padded", format!("{token}="), NOW, Err(Refused::Unknown)),
        ("empty", String::new(), NOW, Err(Refused::Unknown)),
        ("JSON", r#"{"payload":""}"#.into(), NOW, Err(Refused::Unknown)),
    ];
    for (name, token, now, outcome) in table {
        assert_eq!(tokens.verify(&token, &[], now).map(|_| ()), outcome, "{name}");
    }
}

#[test]
fn audiences_must_meet() {
    let tokens = tokens();
    let audiences = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let vault = tokens.issue(Request { audiences: audiences(&["vault"]), ..request() }, NOW).unwrap().token;
    assert_eq!(
        tokens.verify(&vault, &[], NOW).unwrap_err().to_string(),
        r#"token audiences ["vault"] is invalid for the target audiences ["https://kubernetes.default.svc.cluster.local"]"#
    );
    assert_eq!(
        tokens.verify(&vault, &audiences(&["x", "y"]), NOW).unwrap_err().review_error(),
        r#"[invalid bearer token, token audiences ["vault"] is invalid for the target audiences ["x" "y"]]"#
    );
    assert_eq!(tokens.verify("x", &[], NOW).unwrap_err().review_error(), "invalid bearer token");
    assert!(tokens.verify(&vault, &audiences(&["x", "vault"]), NOW).is_ok());
    let payload = serde_json::to_string(&tokens.verify(&vault, &audiences(&["vault"]), NOW).unwrap()).unwrap();
    let single = forge(&vault, None, Some(&payload.replace(r#"["vault"]"#, r#""vault""#)), Some(&tokens));
    assert!(tokens.verify(&single, &audiences(&["vault"]), NOW).is_ok());
}

#[test]
fn a_token_ends_with_what_it_is_bound_to() {
    let account = r#"{"metadata":{"uid":"sa-uid"}}"#;
    let pod = r#"{"metadata":{"uid":"pod-uid"}}"#;
    let deleted = r#"{"metadata":{"uid":"pod-uid","deletionTimestamp":"2023-11-14T22:12:19Z"}}"#;
    let deleting = r#"{"metadata":{"uid":"pod-uid","deletionTimestamp":"2023-11-14T22:12:20Z"}}"#;
    let tokens = tokens();
    let with_account = || Fixed::default().with("serviceaccounts", "default", "web", account);
    let secret = Request { secret: Some(Reference::new("s", "secret-uid")), ..request() };
    let node = Request { node: Some(Reference::new("node-a", "node-uid")), ..request() };
    let table = [
        (request(), with_account(), Ok(())),
        (request(), Fixed::default(), Err("serviceaccounts \"web\" not found")),
        (
            request(),
            Fixed::default().with("serviceaccounts", "default", "web", r#"{"metadata":{"uid":"new"}}"#),
            Err("service account UID (new) does not match claim (sa-uid)"),
        ),
        (
            request(),
            Fixed::default().with("serviceaccounts", "default", "web", &deleted.replace("pod-", "sa-")),
            Err("service account default/web has been deleted"),
        ),
        // The node of a pod's token need not exist.
        (pod_request(), with_account().with("pods", "default", "web-0", pod), Ok(())),
        (pod_request(), with_account().with("pods", "default", "web-0", deleting), Ok(())),
        (
            pod_request(),
            with_account().with("pods", "default", "web-0", deleted),
            Err("service account token has been invalidated"),
        ),
        (pod_request(), with_account(), Err("service account token has been invalidated")),
        (
            pod_request(),
            with_account().with("pods", "default", "web-0", account),
            Err("pod UID (sa-uid) does not match service account pod ref claim (pod-uid)"),
        ),
        (secret.clone(), with_account(), Err("service account token has been invalidated")),
        (secret, with_account().with("secrets", "default", "s", r#"{"metadata":{"uid":"secret-uid"}}"#), Ok(())),
        (node.clone(), with_account(), Err("service account token has been invalidated")),
        (node, with_account().with("nodes", "", "node-a", r#"{"metadata":{"uid":"node-uid"}}"#), Ok(())),
    ];
    for (request, objects, outcome) in table {
        let issued = tokens.issue(request.clone(), NOW).unwrap();
        let found = tokens.check(&issued.claims, &objects, NOW).map(|_| ()).map_err(|error| error.to_string());
        assert_eq!(found, outcome.map_err(str::to_owned), "{request:?}");
    }
    let issued = tokens.issue(pod_request(), NOW).unwrap();
    let identity = tokens.check(&issued.claims, &with_account().with("pods", "default", "web-0", pod), NOW).unwrap();
    assert_eq!(identity.name, "system:serviceaccount:default:web");
    assert_eq!(identity.uid, "sa-uid");
    assert_eq!(identity.groups, ["system:serviceaccounts", "system:serviceaccounts:default"]);
    let extra: Vec<(&str, &str)> =
        identity.extra.iter().map(|(key, values)| (key.as_str(), values[0].as_str())).collect();
    assert_eq!(
        extra,
        [
            ("authentication.kubernetes.io/credential-id", format!("JTI={}", issued.claims.jti).as_str()),
            ("authentication.kubernetes.io/node-name", "node-a"),
            ("authentication.kubernetes.io/node-uid", "node-uid"),
            ("authentication.kubernetes.io/pod-name", "web-0"),
            ("authentication.kubernetes.io/pod-uid", "pod-uid"),
        ]
    );
}

#[test]
fn the_key_set_is_published_as_upstream_prints_it() {
    let tokens = Tokens::new(Arc::new(KeySet::from_pem(EXAMPLE).unwrap()), ISSUER, &[ISSUER]);
    assert_eq!(tokens.jwks(), JWKS);
    assert_eq!(
        tokens.discovery("10.0.0.1:6443"),
        r#"{"issuer":"https://kubernetes.default.svc.cluster.local","jwks_uri":"https://10.0.0.1:6443/openid/v1/jwks","response_types_supported":["id_token"],"subject_types_supported":["public"],"id_token_signing_alg_values_supported":["ES256"]}"#
    );
}

proptest! {
    #[test]
    fn any_text_is_no_token(text: String, parts in proptest::collection::vec(any::<Vec<u8>>(), 3)) {
        let tokens = tokens();
        prop_assert!(tokens.verify(&text, &[], NOW).is_err());
        let parts: Vec<String> = parts.iter().map(|part| URL_SAFE_NO_PAD.encode(part)).collect();
        prop_assert!(tokens.verify(&parts.join("."), &[], NOW).is_err());
    }
}
