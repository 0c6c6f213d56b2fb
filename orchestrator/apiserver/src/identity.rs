//! The serving certificate.
//!
//! The key lives in memory for one run of the process: nothing is stored yet that a client could have pinned. The CAs
//! that live as long as the device replace it together with the stored identities.

use std::net::IpAddr;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// A certificate authority and the serving certificate that it signed.
pub struct ServingIdentity {
    /// The authority a client must trust.
    pub authority: CertificateDer<'static>,
    /// Serving certificate, then its authority.
    pub chain: Vec<CertificateDer<'static>>,
    /// Private key of the serving certificate.
    pub key: PrivateKeyDer<'static>,
}

/// Making an identity failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A name cannot stand in a certificate, or the key generator failed.
    #[error("cannot make the serving certificate")]
    Certificate(#[source] rcgen::Error),
}

impl ServingIdentity {
    /// Makes an authority and a certificate for `names` and `addresses` (ECDSA P-256).
    ///
    /// # Errors
    /// A name is not a DNS name, or no key could be made.
    pub fn generate(names: &[&str], addresses: &[IpAddr]) -> Result<Self, Error> {
        let authority_key = KeyPair::generate().map_err(Error::Certificate)?;
        let mut authority = parameters("coracle-server-ca", &[])?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let authority_certificate = authority.self_signed(&authority_key).map_err(Error::Certificate)?;
        let issuer = Issuer::new(authority, authority_key);

        let key = KeyPair::generate().map_err(Error::Certificate)?;
        let mut serving = parameters("kube-apiserver", names)?;
        serving.subject_alt_names.extend(addresses.iter().map(|address| rcgen::SanType::IpAddress(*address)));
        serving.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        serving.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = serving.signed_by(&key, &issuer).map_err(Error::Certificate)?;

        Ok(Self {
            authority: authority_certificate.der().clone(),
            chain: vec![certificate.der().clone(), authority_certificate.der().clone()],
            key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        })
    }
}

impl std::fmt::Debug for ServingIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServingIdentity").field("chain", &self.chain.len()).finish_non_exhaustive()
    }
}

fn parameters(common_name: &str, names: &[&str]) -> Result<CertificateParams, Error> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut parameters = CertificateParams::new(names).map_err(Error::Certificate)?;
    parameters.distinguished_name.push(DnType::CommonName, common_name);
    // A device may start without a clock; a certificate of this run must be valid at any time it can believe in.
    parameters.not_before = rcgen::date_time_ymd(1970, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2999, 12, 31);
    Ok(parameters)
}
