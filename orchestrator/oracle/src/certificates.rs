//! Authorities, certificates and keys of one throw-away control plane (ECDSA P-256, days in 2000 to 2999).

use crate::error::{Error, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::net::{IpAddr, Ipv4Addr};

/// A certificate chain and its private key, both in PEM.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// An authority that signs certificates.
pub(crate) struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// What a certificate is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    /// A server on loopback.
    Server,
    /// A client.
    Client,
    /// A server on loopback that is also a client: a member of etcd.
    Both,
}

impl std::fmt::Debug for Authority {
    /// The key stays out of messages.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl Authority {
    /// Makes an authority.
    pub(crate) fn new(name: &str) -> Result<Self> {
        let failed = |source| Error::Certificate { subject: name.to_owned(), source };
        let mut parameters = parameters(name, &[])?;
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = parameters.self_signed(&key).map_err(failed)?.pem();
        Ok(Self { certificate, issuer: Issuer::new(parameters, key) })
    }

    /// An authority that a server made: certificate and private key in PEM. What it signs names it by its common name,
    /// which must be all that its own name consists of.
    pub(crate) fn existing(certificate: &str, key: &str) -> Result<Self> {
        let failed = |source| Error::Certificate { subject: "a client".to_owned(), source };
        let wrong = |problem: &str| Error::format("the client authority", problem);
        let der = CertificateDer::from_pem_slice(certificate.as_bytes()).map_err(|error| wrong(&error.to_string()))?;
        let name = common_name(&der).ok_or_else(|| wrong("its name is no single common name in UTF-8"))?;
        let key = KeyPair::from_pem(key).map_err(failed)?;
        Ok(Self { certificate: certificate.to_owned(), issuer: Issuer::new(parameters(&name, &[])?, key) })
    }

    /// The authority's certificate in PEM.
    pub(crate) fn certificate(&self) -> String {
        self.certificate.clone()
    }

    /// The authority's private key in PEM.
    pub(crate) fn key(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// Signs a certificate for a subject: Kubernetes reads the user from the common name, groups from organisations.
    pub(crate) fn sign(&self, purpose: Purpose, name: &str, organisations: &[&str]) -> Result<Pair> {
        let failed = |source| Error::Certificate { subject: name.to_owned(), source };
        let mut parameters = parameters(name, organisations)?;
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let (server, client) = (ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth);
        parameters.extended_key_usages = match purpose {
            Purpose::Server => vec![server],
            Purpose::Client => vec![client],
            Purpose::Both => vec![server, client],
        };
        if matches!(purpose, Purpose::Server | Purpose::Both) {
            parameters.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        }
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = parameters.signed_by(&key, &self.issuer).map_err(failed)?;
        Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

/// A key for ServiceAccount tokens: private and public part in PEM.
pub(crate) fn token_key() -> Result<(String, String)> {
    let failed = |source| Error::Certificate { subject: "service-account".to_owned(), source };
    let key = KeyPair::generate().map_err(failed)?;
    Ok((key.serialize_pem(), key.public_key_pem()))
}

fn parameters(name: &str, organisations: &[&str]) -> Result<CertificateParams> {
    let failed = |source| Error::Certificate { subject: name.to_owned(), source };
    let mut parameters = CertificateParams::new(Vec::<String>::new()).map_err(failed)?;
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    for organisation in organisations {
        parameters.distinguished_name.push(DnType::OrganizationName, *organisation);
    }
    parameters.not_before = rcgen::date_time_ymd(2000, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2999, 12, 31);
    Ok(parameters)
}

/// The subject of a certificate (DER) that is one common name as UTF-8 text, which is how this module writes it.
fn common_name(certificate: &[u8]) -> Option<String> {
    const SEQUENCE: u8 = 0x30;
    const SET: u8 = 0x31;
    const OBJECT: u8 = 0x06;
    const UTF8: u8 = 0x0c;
    const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (mut rest, _) = element(certificate, SEQUENCE)?;
    // Version, serial number, signature algorithm, issuer and validity stand before the subject.
    for tag in [0xa0, 0x02, SEQUENCE, SEQUENCE, SEQUENCE] {
        rest = element(rest, tag)?.1;
    }
    let (subject, _) = element(rest, SEQUENCE)?;
    let (attributes, more) = element(subject, SET)?;
    let (attribute, others) = element(attributes, SEQUENCE)?;
    let (object, value) = element(attribute, OBJECT)?;
    let (text, _) = element(value, UTF8)?;
    let single = more.is_empty() && others.is_empty() && object == COMMON_NAME;
    single.then(|| String::from_utf8(text.to_vec()).ok())?
}

/// The content of a DER element of the tag at the start, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = bytes.split_first_chunk()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    if found == tag { rest.split_at_checked(length) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_existing_authority_signs_under_its_own_name() {
        let parameters = parameters("k3s-client-ca@17", &[]).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        assert_eq!(common_name(certificate.der()).as_deref(), Some("k3s-client-ca@17"));
        let authority = Authority::existing(&certificate.pem(), &key.serialize_pem()).unwrap();
        let pair = authority.sign(Purpose::Client, "someone", &["a", "b"]).unwrap();
        assert!(pair.certificate.starts_with("-----BEGIN CERTIFICATE-----"));
        assert_eq!(authority.certificate(), certificate.pem());
    }

    #[test]
    fn other_names_and_broken_certificates_are_refused() {
        let key = KeyPair::generate().unwrap();
        let two = parameters("a", &["b"]).unwrap().self_signed(&key).unwrap();
        assert_eq!(common_name(two.der()), None);
        let one = parameters("a", &[]).unwrap().self_signed(&key).unwrap();
        for length in 0..60 {
            assert_eq!(common_name(&one.der()[..length]), None);
        }
        assert!(Authority::existing("", "").is_err());
    }
}
