use super::*;
use crate::objects::tests::Fixed;
use crate::pki::{Bundle, Lifetime};
use crate::token::{ISSUER, Reference, Request};
use proptest::prelude::*;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

const NOW: i64 = 1_900_000_000;

struct Scene {
    authorities: Authorities,
    tokens: Tokens,
    authenticator: Authenticator,
    data: tempfile::TempDir,
}

fn scene() -> Scene {
    let data = tempfile::tempdir().unwrap();
    let authorities = Authorities::open(data.path()).unwrap();
    let tokens = Tokens::new(Arc::clone(&authorities.service_keys), ISSUER, &[ISSUER]);
    let objects = Fixed::default().with("serviceaccounts", "default", "web", r#"{"metadata":{"uid":"u"}}"#).with(
        "secrets",
        "kube-system",
        "bootstrap-token-abcdef",
        r#"{"type":"bootstrap.kubernetes.io/token","data":{"token-id":"YWJjZGVm","token-secret":"MDEyMzQ1Njc4OWFiY2RlZg==","usage-bootstrap-authentication":"dHJ1ZQ=="}}"#,
    );
    let authenticator = Authenticator::new(&authorities, tokens.clone(), Arc::new(objects)).unwrap();
    Scene { authorities, tokens, authenticator, data }
}

impl Scene {
    fn token(&self) -> String {
        let service_account = Reference::new("web", "u");
        let request =
            Request { namespace: "default".into(), service_account, expiration_seconds: 600, ..Request::default() };
        self.tokens.issue(request, NOW).unwrap().token
    }

    /// A certificate of the client authority that the authority itself would never make.
    fn odd(&self, change: impl FnOnce(&mut CertificateParams)) -> Vec<CertificateDer<'static>> {
        let directory = self.data.path().join("server/tls");
        let key = KeyPair::from_pem(&std::fs::read_to_string(directory.join("client-ca.key")).unwrap()).unwrap();
        let issuer = Issuer::from_ca_cert_der(self.authorities.client.certificate(), key).unwrap();
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, "odd");
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut parameters);
        vec![parameters.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap().der().clone()]
    }
}

#[test]
fn a_certificate_names_user_and_groups() {
    let scene = scene();
    for groups in [&[][..], &["system:masters"], &["a", "b"], &["one", "two", "drei \u{e4}"]] {
        let credential = scene.authorities.client("system:admin", groups, Lifetime::Device).unwrap();
        let identity = scene.authenticator.authenticate(credential.chain(), None, NOW).unwrap();
        assert_eq!(identity.name, "system:admin");
        assert_eq!(identity.groups, [groups, &["system:authenticated"]].concat());
        assert_eq!(identity.uid, "");
        let id = &identity.extra["authentication.kubernetes.io/credential-id"][0];
        let hash = id.strip_prefix("X509SHA256=").unwrap();
        assert!(hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{id}");
    }
    let uid = scene.odd(|parameters| {
        parameters.distinguished_name.push(DnType::from_oid(&[1, 3, 6, 1, 4, 1, 57683, 2]), "the-uid");
    });
    assert_eq!(scene.authenticator.authenticate(&uid, None, NOW).unwrap().uid, "the-uid");
}

#[test]
fn a_certificate_must_be_right_in_everything() {
    let (scene, other) = (scene(), scene());
    let client = |authorities: &Authorities, lifetime| authorities.client("x", &[], lifetime).unwrap().chain().to_vec();
    let day = Lifetime::Seconds { now: NOW, seconds: 86_400 };
    let unset = Lifetime::Seconds { now: 100, seconds: 86_400 };
    let server = scene.authorities.serving(&["localhost"], &[[127, 0, 0, 1].into()]).unwrap();
    let proxy = scene.authorities.request_header.client("x", &[], Lifetime::Device).unwrap();
    let table = [
        ("right", client(&scene.authorities, Lifetime::Device), NOW, true),
        ("right before the clock is set", client(&scene.authorities, Lifetime::Device), 0, true),
        ("right with a negative clock", client(&scene.authorities, Lifetime::Device), -5, true),
        ("within its life", client(&scene.authorities, day), NOW + 86_399, true),
        ("expired", client(&scene.authorities, day), NOW + 86_401, false),
        ("bounded, made before the clock was set", client(&scene.authorities, unset), NOW, true),
        ("other device", client(&other.authorities, Lifetime::Device), NOW, false),
        ("serving certificate", server.chain().to_vec(), NOW, false),
        ("front proxy's authority", proxy.chain().to_vec(), NOW, false),
        ("the authority itself", vec![scene.authorities.client.certificate().clone()], NOW, false),
        ("for servers", scene.odd(|of| of.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]), NOW, false),
        ("for nothing", scene.odd(|of| of.extended_key_usages.clear()), NOW, false),
        ("an authority", scene.odd(|of| of.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained)), NOW, false),
        ("not yet", scene.odd(|of| of.not_before = rcgen::date_time_ymd(2500, 1, 1)), NOW, false),
        ("no certificate", vec![CertificateDer::from(vec![1, 2, 3])], NOW, false),
        ("empty", vec![CertificateDer::from(Vec::new())], NOW, false),
    ];
    for (name, chain, now, right) in table {
        let outcome = scene.authenticator.authenticate(&chain, None, now);
        assert_eq!(outcome.is_ok(), right, "{name}: {outcome:?}");
    }
    // A certificate that names nobody is as good as none.
    let nameless = scene.odd(|of| of.distinguished_name = rcgen::DistinguishedName::new());
    assert_eq!(scene.authenticator.authenticate(&nameless, None, NOW).unwrap(), Identity::anonymous());
}

#[test]
fn headers_are_read_as_upstream_reads_them() {
    let scene = scene();
    let token = scene.token();
    let account = Some("system:serviceaccount:default:web");
    let anonymous = Some("system:anonymous");
    let table = [
        (None, anonymous),
        (Some(String::new()), anonymous),
        (Some("Basic eDp5".into()), anonymous),
        (Some("Bearer".into()), anonymous),
        (Some("Bearer ".into()), anonymous),
        (Some(format!("Bearer  {token}")), anonymous),
        (Some(format!("Bearer {token}")), account),
        (Some(format!("bEARER {token} and more")), account),
        (Some("Bearer abcdef.0123456789abcdef".into()), Some("system:bootstrap:abcdef")),
        (Some("Bearer abcdef.0123456789abcdee".into()), None),
        (Some("Bearer x".into()), None),
        (Some(format!("Bearer {token}x")), None),
    ];
    for (header, name) in table {
        let outcome = scene.authenticator.authenticate(&[], header.as_deref(), NOW);
        assert_eq!(outcome.ok().map(|identity| identity.name).as_deref(), name, "{header:?}");
    }
}

#[test]
fn the_certificate_counts_before_the_token() {
    let (scene, other) = (scene(), scene());
    let good = scene.authorities.client("system:admin", &[], Lifetime::Device).unwrap();
    let bad = other.authorities.client("system:admin", &[], Lifetime::Device).unwrap();
    let token = format!("Bearer {}", scene.token());
    let who = |chain: &[CertificateDer<'_>], header: &str| {
        scene.authenticator.authenticate(chain, Some(header), NOW).map(|identity| identity.name).ok()
    };
    assert_eq!(who(good.chain(), &token).as_deref(), Some("system:admin"));
    assert_eq!(who(good.chain(), "Bearer x").as_deref(), Some("system:admin"));
    assert_eq!(who(bad.chain(), &token).as_deref(), Some("system:serviceaccount:default:web"));
    assert_eq!(who(bad.chain(), "Bearer x"), None);
    assert_eq!(who(bad.chain(), "Basic x"), None);
}

#[test]
fn a_review_names_the_audiences_a_token_is_good_for() {
    let scene = scene();
    let audiences = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let review = |token: &str, wanted: &[&str]| {
        scene.authenticator.token(token, &audiences(wanted), NOW).map(|(_, audiences)| audiences).ok()
    };
    let bootstrap = "abcdef.0123456789abcdef";
    assert_eq!(review(&scene.token(), &[]), Some(audiences(&[ISSUER])));
    assert_eq!(review(&scene.token(), &["vault", ISSUER]), Some(audiences(&[ISSUER])));
    assert_eq!(review(&scene.token(), &["vault"]), None);
    assert_eq!(review(bootstrap, &[]), Some(audiences(&[ISSUER])));
    assert_eq!(review(bootstrap, &["vault"]), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_bytes_are_refused_without_a_panic(header: String, bytes: Vec<u8>, at: usize, bit in 0u32..8) {
        let scene = scene();
        let _ = scene.authenticator.authenticate(&[CertificateDer::from(bytes)], Some(&header), NOW);
        let bearer = scene.authenticator.authenticate(&[], Some(&format!("Bearer {header}")), NOW);
        prop_assert!(bearer.is_err() || bearer.unwrap() == Identity::anonymous());
        let credential = scene.authorities.client("x", &["a", "b"], Lifetime::Device).unwrap();
        let mut damaged = credential.chain()[0].to_vec();
        let at = at % damaged.len();
        damaged[at] ^= 1 << bit;
        prop_assert!(scene.authenticator.authenticate(&[CertificateDer::from(damaged)], None, NOW).is_err());
    }
}

#[test]
fn authorities_of_the_user_count_besides_the_own_one() {
    let (mut scene, theirs, other) = (scene(), scene(), scene());
    let objects = || Arc::new(Fixed::default());
    let authenticate = |scene: &Scene, of: &Scene| {
        let authenticator = Authenticator::new(&scene.authorities, scene.tokens.clone(), objects()).unwrap();
        let credential = of.authorities.client("alice", &["system:masters"], Lifetime::Device).unwrap();
        authenticator.authenticate(credential.chain(), None, NOW)
    };
    assert!(authenticate(&scene, &theirs).is_err());
    scene.authorities.trust_clients(Bundle::parse(theirs.authorities.client.pem()).unwrap());
    let identity = authenticate(&scene, &theirs).unwrap();
    assert_eq!(identity.name, "alice");
    assert_eq!(identity.groups, ["system:masters", "system:authenticated"]);
    assert!(authenticate(&scene, &scene).is_ok());
    assert!(authenticate(&scene, &other).is_err());
    // Clients choose among their certificates by the names that the handshake sends.
    let names = |scene: &Scene| tls::chain_verifier(&scene.authorities).unwrap().root_hint_subjects().len();
    assert_eq!((names(&scene), names(&other)), (2, 1));
}
