use rcgen::{DnType, KeyPair, KeyUsagePurpose, PublicKeyData as _};
use x509_parser::prelude::*;

use super::super::super::Authorities;
use super::*;

/// 2026-06-01T12:00:00Z
const NOW: i64 = 1_780_315_200;

fn authority() -> (tempfile::TempDir, Authorities) {
    let data = tempfile::tempdir().unwrap();
    let authorities = Authorities::open(data.path()).unwrap();
    (data, authorities)
}

/// A request of `openssl req` that asks for what nobody gets: O twice, the uid of a user, CA:TRUE; and for DNS n1.
const GREEDY: &str = include_str!("greedy.csr");

fn der(text: &str) -> Vec<u8> {
    parse_x509_pem(text.as_bytes()).unwrap().1.contents
}

/// Reads the certificate and checks its signature.
fn check<T>(authority: &Authority, pem: &str, look: impl FnOnce(&X509Certificate<'_>) -> T) -> T {
    let block = parse_x509_pem(pem.as_bytes()).unwrap().1;
    assert_eq!(block.label, "CERTIFICATE");
    let certificate = block.parse_x509().unwrap();
    let issuer = X509Certificate::from_der(authority.certificate()).unwrap().1;
    certificate.verify_signature(Some(issuer.public_key())).unwrap();
    assert_eq!(certificate.issuer(), issuer.subject());
    look(&certificate)
}

fn request(name: Option<&str>, names: Vec<SanType>, key: &KeyPair) -> Vec<u8> {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    if let Some(name) = name {
        parameters.distinguished_name.push(DnType::OrganizationName, "system:nodes");
        parameters.distinguished_name.push(DnType::CommonName, name);
    }
    parameters.subject_alt_names = names;
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    parameters.serialize_request(key).unwrap().der().to_vec()
}

#[test]
fn a_certificate_has_the_key_subject_and_names_of_its_request() {
    let (_data, authorities) = authority();
    let key = KeyPair::generate().unwrap();
    let text = |text: &str| Ia5String::try_from(text).unwrap();
    let names = vec![
        SanType::IpAddress("192.0.2.7".parse().unwrap()),
        SanType::URI(text("spiffe://example.com/a")),
        SanType::DnsName(text("n1")),
        SanType::IpAddress("2001:db8::7".parse().unwrap()),
        SanType::Rfc822Name(text("a@example.com")),
    ];
    let request = request(Some("system:node:n1"), names, &key);
    let usages = ["server auth", "digital signature", "client auth"];
    let pem = authorities.server.sign_request(&request, &usages, NOW - 300, NOW + 600).unwrap();
    check(&authorities.server, &pem, |certificate| {
        assert_eq!(certificate.subject().to_string(), "O=system:nodes, CN=system:node:n1");
        assert_eq!(certificate.public_key().raw, key.subject_public_key_info());
        assert_eq!(certificate.validity().not_before.timestamp(), NOW - 300);
        assert_eq!(certificate.validity().not_after.timestamp(), NOW + 600);
        let usage = certificate.key_usage().unwrap().unwrap();
        assert!(usage.critical && usage.value.digital_signature());
        assert_eq!(usage.value.flags, 1);
        let extended = certificate.extended_key_usage().unwrap().unwrap().value;
        assert!(extended.server_auth && extended.client_auth && !extended.any && extended.other.is_empty());
        let names = certificate.subject_alternative_name().unwrap().unwrap();
        let printed: Vec<_> = names.value.general_names.iter().map(ToString::to_string).collect();
        assert!(!names.critical);
        assert_eq!(
            printed,
            [
                "DNSName(n1)",
                "RFC822Name(a@example.com)",
                "IPAddress(c0:00:02:07)",
                "IPAddress(20:01:0d:b8:00:00:00:00:00:00:00:00:00:00:00:07)",
                "URI(spiffe://example.com/a)"
            ]
        );
        let constraints = certificate.basic_constraints().unwrap().unwrap();
        assert!(constraints.critical && !constraints.value.ca);
    });
}

#[test]
fn a_request_gets_nothing_else_that_it_asks_for() {
    let (_data, authorities) = authority();
    let pem = authorities.client.sign_request(&der(GREEDY), &["client auth"], NOW, NOW + 600).unwrap();
    check(&authorities.client, &pem, |certificate| {
        assert_eq!(certificate.subject().to_string(), "C=XX, O=one, O=two, CN=alice");
        assert!(!certificate.is_ca() && certificate.key_usage().unwrap().is_none());
        assert!(certificate.extended_key_usage().unwrap().unwrap().value.client_auth);
        assert_eq!(certificate.subject_alternative_name().unwrap().unwrap().value.general_names.len(), 1);
    });
}

#[test]
fn without_a_subject_the_names_are_critical() {
    let (_data, authorities) = authority();
    let name = SanType::DnsName(Ia5String::try_from("n1").unwrap());
    let request = request(None, vec![name], &KeyPair::generate().unwrap());
    let pem = authorities.server.sign_request(&request, &["server auth"], NOW, NOW + 600).unwrap();
    check(&authorities.server, &pem, |certificate| {
        assert_eq!(certificate.subject().to_string(), "");
        assert!(certificate.subject_alternative_name().unwrap().unwrap().critical);
    });
}

#[test]
fn other_kinds_of_keys_are_signed() {
    let (_data, authorities) = authority();
    for algorithm in [&rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519, &rcgen::PKCS_RSA_SHA256] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let request = request(Some("alice"), Vec::new(), &key);
        let pem = authorities.client.sign_request(&request, &["client auth"], NOW, NOW + 600).unwrap();
        check(&authorities.client, &pem, |certificate| {
            assert_eq!(certificate.public_key().raw, key.subject_public_key_info(), "{algorithm:?}");
        });
    }
}

#[test]
fn only_the_holder_of_the_key_gets_a_certificate() {
    let (_data, authorities) = authority();
    let good = request(Some("alice"), Vec::new(), &KeyPair::generate().unwrap());
    let sign = |request: &[u8], usages: &[&str]| authorities.client.sign_request(request, usages, NOW, NOW + 600);
    assert!(sign(&good, &["client auth"]).is_ok());
    let name = good.windows(5).position(|window| window == b"alice").unwrap();
    let mut forged = good.clone();
    forged[name] = b'A';
    let error = sign(&forged, &["client auth"]).unwrap_err();
    assert!(error.starts_with("unable to verify certificate request signature: "), "{error}");
    let mut longer = good.clone();
    longer.push(0);
    assert_eq!(sign(&longer, &["client auth"]).unwrap_err(), "unable to parse certificate request: trailing data");
    let error = sign(b"x", &["client auth"]).unwrap_err();
    assert!(error.starts_with("unable to parse certificate request: "), "{error}");
    assert_eq!(sign(&good, &["client auth", "x"]).unwrap_err(), r#"unrecognized usage values: ["x"]"#);
}

#[test]
fn times_are_bounded_by_clock_and_authority() {
    let (_data, authorities) = authority();
    let authority = &authorities.client;
    let request = request(Some("alice"), Vec::new(), &KeyPair::generate().unwrap());
    let end = authority.not_after();
    assert_eq!(end, 32_503_593_600, "2999-12-31");
    for (not_before, not_after, wanted) in
        [(NOW, NOW + 600, (NOW, NOW + 600)), (300, 900, (0, end)), (NOW, i64::MAX, (NOW, end))]
    {
        let pem = authority.sign_request(&request, &["client auth"], not_before, not_after).unwrap();
        check(authority, &pem, |certificate| {
            let validity = certificate.validity();
            assert_eq!((validity.not_before.timestamp(), validity.not_after.timestamp()), wanted);
        });
    }
}

#[test]
fn every_usage_of_the_api_is_known() {
    let names = [
        "signing",
        "digital signature",
        "content commitment",
        "key encipherment",
        "key agreement",
        "data encipherment",
        "cert sign",
        "crl sign",
        "encipher only",
        "decipher only",
        "any",
        "server auth",
        "client auth",
        "code signing",
        "email protection",
        "s/mime",
        "ipsec end system",
        "ipsec tunnel",
        "ipsec user",
        "timestamping",
        "ocsp signing",
        "microsoft sgc",
        "netscape sgc",
    ];
    let (_data, authorities) = authority();
    let request = request(Some("alice"), Vec::new(), &KeyPair::generate().unwrap());
    let pem = authorities.client.sign_request(&request, &names, NOW, NOW + 600).unwrap();
    check(&authorities.client, &pem, |certificate| {
        assert_eq!(certificate.key_usage().unwrap().unwrap().value.flags, 0x1ff);
        let extended = certificate.extended_key_usage().unwrap().unwrap().value;
        assert!(extended.any && extended.server_auth && extended.client_auth && extended.code_signing);
        assert!(extended.email_protection && extended.time_stamping && extended.ocsp_signing);
        assert_eq!(extended.other.len(), 5);
    });
}
