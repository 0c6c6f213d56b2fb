//! Authorities of the user: certificates in a text, as `client-ca` of the machine configuration has them.

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::certificate;

/// Most certificates that are taken; each costs every handshake the bytes of its name.
const MAX_CERTIFICATES: usize = 100;

/// Certificates of authorities, each checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bundle(Vec<CertificateDer<'static>>);

/// A text is no bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// It holds no certificate.
    #[error("holds no certificate; it must be PEM with at least one block BEGIN CERTIFICATE")]
    Empty,
    /// It holds a private key, which nobody needs to verify with.
    #[error("holds a private key; remove it, only certificates belong here")]
    PrivateKey,
    /// It holds more than 100.
    #[error("holds more than {MAX_CERTIFICATES} certificates")]
    TooMany,
    /// The text is damaged.
    #[error("is no PEM: {0}")]
    Pem(String),
    /// One of the certificates cannot be used.
    #[error("certificate {number} {problem}")]
    Certificate {
        /// Its place, counted from 1.
        number: usize,
        /// What is wrong.
        problem: String,
    },
}

impl Bundle {
    /// Reads certificates of authorities, written as PEM. Text between the blocks is left out, as everywhere.
    ///
    /// # Errors
    /// There is none, or one is not that of an authority.
    pub fn parse(pem: &str) -> Result<Self, BundleError> {
        if pem.contains("PRIVATE KEY-----") {
            return Err(BundleError::PrivateKey);
        }
        let mut roots = RootCertStore::empty();
        let mut certificates = Vec::new();
        for (at, certificate) in CertificateDer::pem_slice_iter(pem.as_bytes()).enumerate() {
            let certificate = certificate.map_err(|error| BundleError::Pem(error.to_string()))?;
            let wrong = |problem| BundleError::Certificate { number: at + 1, problem };
            certificate::check_is_authority(&certificate).map_err(wrong)?;
            roots.add(certificate.clone()).map_err(|error| wrong(format!("cannot be used: {error}")))?;
            if certificates.len() == MAX_CERTIFICATES {
                return Err(BundleError::TooMany);
            }
            certificates.push(certificate);
        }
        if certificates.is_empty() { Err(BundleError::Empty) } else { Ok(Self(certificates)) }
    }

    /// The certificates.
    pub(crate) fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{Authorities, Lifetime};

    #[test]
    fn only_authorities_are_taken() {
        let data = tempfile::tempdir().unwrap();
        let authorities = Authorities::open(data.path()).unwrap();
        let (one, two) = (authorities.client.pem(), authorities.server.pem());
        let leaf = authorities.client("x", &[], Lifetime::Device).unwrap();
        let leaf_alone = leaf.chain_pem().strip_suffix(one).unwrap();
        assert_eq!(Bundle::parse(one).unwrap().certificates().len(), 1);
        assert_eq!(Bundle::parse(&format!("# ours\n{one}\n{two}")).unwrap().certificates().len(), 2);
        let damaged = one.replacen("MII", "M!I", 1);
        let no_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (text, problem) in [
            ("", "holds no certificate; it must be PEM with at least one block BEGIN CERTIFICATE"),
            ("garbage", "holds no certificate; it must be PEM with at least one block BEGIN CERTIFICATE"),
            (&leaf.key_pem(), "holds a private key; remove it, only certificates belong here"),
            (leaf_alone, "certificate 1 is no certificate authority"),
            (&format!("{one}{leaf_alone}"), "certificate 2 is no certificate authority"),
            (&damaged, "is no PEM: "),
            (&one[..one.len() - 30], "is no PEM: "),
            (no_der, "certificate 1 is no certificate: "),
            (&one.repeat(101), "holds more than 100 certificates"),
        ] {
            let error = Bundle::parse(text).unwrap_err().to_string();
            assert!(error.starts_with(problem), "{error}");
        }
    }
}
