//! Authorities, certificates and keys of one throw-away control plane (ECDSA P-256, days in 2000 to 2999).

use crate::error::{Error, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};
use std::net::{IpAddr, Ipv4Addr};

/// A certificate chain and its private key, both in PEM.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// An authority that signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

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

impl Authority {
    /// Makes an authority.
    pub(crate) fn new(name: &str) -> Result<Self> {
        let failed = |source| Error::Certificate { subject: name.to_owned(), source };
        let mut parameters = parameters(name, &[])?;
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().map_err(failed)?;
        Ok(Self(CertifiedIssuer::self_signed(parameters, key).map_err(failed)?))
    }

    /// The authority's certificate in PEM.
    pub(crate) fn certificate(&self) -> String {
        self.0.pem()
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
        let certificate = parameters.signed_by(&key, &self.0).map_err(failed)?;
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
