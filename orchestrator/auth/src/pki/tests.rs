use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

/// Everything a first start writes, in its order.
const FILES: [&str; 8] = [
    "server-ca.key",
    "server-ca.crt",
    "client-ca.key",
    "client-ca.crt",
    "request-header-ca.key",
    "request-header-ca.crt",
    "service.key",
    "complete",
];

fn contents(tls: &Path) -> Vec<Option<String>> {
    FILES.iter().map(|name| fs::read_to_string(tls.join(name)).ok()).collect()
}

#[test]
fn a_later_start_reads_what_the_first_one_made() {
    let data = tempfile::tempdir().unwrap();
    let first = Authorities::open(data.path()).unwrap();
    let tls = data.path().join("server/tls");
    let made = contents(&tls);
    let second = Authorities::open(data.path()).unwrap();
    assert_eq!(contents(&tls), made);
    assert_eq!(first.client.pem(), second.client.pem());
    assert_eq!(first.service_keys.signing_id(), second.service_keys.signing_id());
    assert_ne!(first.client.pem(), first.server.pem());
    for name in FILES {
        let mode = fs::metadata(tls.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, if name.ends_with(".key") { 0o600 } else { 0o644 }, "{name}");
    }
    assert_eq!(fs::metadata(&tls).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_first_start_that_was_cut_short_is_finished() {
    for written in 0..FILES.len() {
        let data = tempfile::tempdir().unwrap();
        Authorities::open(data.path()).unwrap();
        let tls = data.path().join("server/tls");
        let made = contents(&tls);
        for name in &FILES[written..] {
            fs::remove_file(tls.join(name)).unwrap();
        }
        fs::write(tls.join(format!(".{}.tmp", FILES[written])), "half").unwrap();
        Authorities::open(data.path()).unwrap();
        let repaired = contents(&tls);
        assert_eq!(repaired[..written], made[..written], "after {written}");
        assert!(repaired.iter().all(Option::is_some), "after {written}");
        let left = fs::read_dir(&tls).unwrap().count();
        assert_eq!(left, FILES.len(), "after {written}");
    }
}

#[test]
fn what_was_lost_is_not_replaced() {
    for name in &FILES[..7] {
        let data = tempfile::tempdir().unwrap();
        Authorities::open(data.path()).unwrap();
        let path = data.path().join("server/tls").join(name);
        fs::remove_file(&path).unwrap();
        let error = Authorities::open(data.path()).unwrap_err();
        assert!(matches!(&error, Error::Lost(lost) if *lost == path), "{name}: {error}");
        assert!(!path.exists(), "{name}");
    }
    // A certificate without its key is a loss even if the first start was never finished.
    let data = tempfile::tempdir().unwrap();
    Authorities::open(data.path()).unwrap();
    for name in ["complete", "client-ca.key"] {
        fs::remove_file(data.path().join("server/tls").join(name)).unwrap();
    }
    assert!(matches!(Authorities::open(data.path()), Err(Error::Lost(_))));
}

#[test]
fn what_is_damaged_is_named() {
    let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let cases = [
        ("server-ca.crt", ""),
        ("server-ca.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        ("client-ca.key", "nothing"),
        ("client-ca.key", other.as_str()),
        ("service.key", ""),
        ("service.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
        ("service.key", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
    ];
    for (name, text) in cases {
        let data = tempfile::tempdir().unwrap();
        Authorities::open(data.path()).unwrap();
        fs::write(data.path().join("server/tls").join(name), text).unwrap();
        let error = Authorities::open(data.path()).unwrap_err();
        let stem = name.split('.').next().unwrap();
        assert!(matches!(error, Error::Malformed { .. }) && error.to_string().contains(stem), "{name}: {error}");
        assert_eq!(fs::read_to_string(data.path().join("server/tls").join(name)).unwrap(), text);
    }
}

#[test]
fn a_rotated_key_signs_and_the_old_one_verifies() {
    let data = tempfile::tempdir().unwrap();
    let mut authorities = Authorities::open(data.path()).unwrap();
    let old = Arc::clone(&authorities.service_keys);
    let signature = old.sign(b"x").unwrap();
    authorities.rotate_service_key().unwrap();
    assert_ne!(authorities.service_keys.signing_id(), old.signing_id());
    let reread = Authorities::open(data.path()).unwrap().service_keys;
    assert_eq!(reread.signing_id(), authorities.service_keys.signing_id());
    assert!(reread.verify(Some(old.signing_id()), b"x", &signature));
    assert!(reread.verify(None, b"x", &signature));
    assert!(!reread.verify(Some(reread.signing_id()), b"x", &signature));
    assert!(!old.verify(None, b"x", &reread.sign(b"x").unwrap()));
}

#[test]
fn a_key_may_be_public_only() {
    let (newest, retired) = (rcgen::KeyPair::generate().unwrap(), rcgen::KeyPair::generate().unwrap());
    let old = KeySet::from_pem(&retired.serialize_pem()).unwrap();
    let both = KeySet::from_pem(&(retired.public_key_pem() + &newest.serialize_pem())).unwrap();
    assert!(both.verify(Some(old.signing_id()), b"x", &old.sign(b"x").unwrap()));
    assert_eq!(both.signing_id(), KeySet::from_pem(&newest.serialize_pem()).unwrap().signing_id());
    assert!(KeySet::from_pem(&retired.public_key_pem()).is_err());
}

#[test]
fn a_kubeconfig_is_complete_and_private() {
    let data = tempfile::tempdir().unwrap();
    let authorities = Authorities::open(data.path()).unwrap();
    let admin = authorities.client("system:admin", &["system:masters"], Lifetime::Device).unwrap();
    let text = kubeconfig("https://127.0.0.1:6443", &authorities.server, &admin);
    let path = data.path().join("k3s/k3s.yaml");
    write_kubeconfig(&path, &text).unwrap();
    write_kubeconfig(&path, &text).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let value = coracle_apimachinery::yaml::decode_any(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(value.text_at(&["current-context"]), "default");
    let user = &value.at(&["users"]).unwrap().items()[0];
    assert_eq!(user.text_at(&["name"]), "default");
    let certificate = user.text_at(&["user", "client-certificate-data"]);
    assert_eq!(coracle_apimachinery::base64::decode(certificate).unwrap(), admin.chain_pem().as_bytes());
    let cluster = &value.at(&["clusters"]).unwrap().items()[0];
    assert_eq!(cluster.text_at(&["cluster", "server"]), "https://127.0.0.1:6443");
}
