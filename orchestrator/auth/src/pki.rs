//! Authorities and certificates.
//!
//! The files lie where k3s has them, below `DATA/server/tls`: `server-ca.crt`, `server-ca.key`, `client-ca.*`,
//! `request-header-ca.*`. An authority is made once and lives as long as the device. A device may start without a clock, so
//! nothing here becomes valid later than 1970, and authorities do not end within the life of a device; certificates for
//! people and components are meant to be short, which is up to who signs them.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::files;

/// Keys or certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error("cannot {operation} {path}", path = path.display())]
    File {
        /// What was attempted.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// One file of a pair is there and the other is not: making it anew would lock out everybody who trusts the old one.
    #[error("{present} is there and {missing} is missing: restore it, or remove both to make a new authority that nobody trusts yet", present = present.display(), missing = missing.display())]
    HalfPair {
        /// The file that is there.
        present: PathBuf,
        /// The file that is not.
        missing: PathBuf,
    },
    /// A file does not hold what it should.
    #[error("{path} cannot be used: {problem}", path = path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A certificate cannot be made.
    #[error("cannot make a certificate")]
    Certificate(#[source] rcgen::Error),
    /// TLS does not take the certificates.
    #[error("TLS does not take the certificates: {0}")]
    Tls(String),
}

/// A certificate and its key in PEM.
#[derive(Clone)]
pub struct Pair {
    /// Certificate, then its authority where that is sent along.
    pub certificate: String,
    /// Private key, PKCS#8.
    pub key: String,
}

/// An authority.
pub struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// The three authorities of a cluster.
#[derive(Debug)]
pub struct Authorities {
    /// Signs serving certificates.
    pub server: Authority,
    /// Signs client certificates.
    pub client: Authority,
    /// Signs the certificates of front proxies.
    pub request_header: Authority,
}

impl Authorities {
    /// Reads the authorities of a directory, or makes those that are not there at all.
    ///
    /// # Errors
    /// A file cannot be read, written or used.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        fs::create_dir_all(directory).map_err(|source| Error::File {
            operation: "create",
            path: directory.to_owned(),
            source,
        })?;
        let open = |name: &str| Authority::open(directory, name);
        Ok(Self { server: open("server-ca")?, client: open("client-ca")?, request_header: open("request-header-ca")? })
    }
}

impl Authority {
    fn open(directory: &Path, name: &str) -> Result<Self, Error> {
        let (certificate_path, key_path) =
            (directory.join(format!("{name}.crt")), directory.join(format!("{name}.key")));
        let certificate = read(&certificate_path)?;
        let key = read(&key_path)?;
        match (certificate, key) {
            (Some(certificate), Some(key)) => Self::read(certificate, &key, &certificate_path, &key_path),
            // The key is written first: alone it has signed nothing that anybody knows, so the pair is finished with it.
            (None, Some(key)) => Self::finish(name, &key, &certificate_path, &key_path),
            (Some(_), None) => Err(Error::HalfPair { present: certificate_path, missing: key_path }),
            (None, None) => {
                let key = KeyPair::generate().map_err(Error::Certificate)?.serialize_pem();
                write(&key_path, key.as_bytes())?;
                Self::finish(name, &key, &certificate_path, &key_path)
            }
        }
    }

    fn read(certificate: String, key: &str, certificate_path: &Path, key_path: &Path) -> Result<Self, Error> {
        let content = |path: &Path, problem: &dyn std::fmt::Display| Error::Content {
            path: path.to_owned(),
            problem: problem.to_string(),
        };
        let key = KeyPair::from_pem(key).map_err(|error| content(key_path, &error))?;
        let name = common_name(&certificate).map_err(|problem| content(certificate_path, &problem))?;
        let issuer = Issuer::new(parameters(&name, &[])?, key);
        Ok(Self { certificate, issuer })
    }

    fn finish(name: &str, key: &str, certificate_path: &Path, key_path: &Path) -> Result<Self, Error> {
        let pair = KeyPair::from_pem(key)
            .map_err(|error| Error::Content { path: key_path.to_owned(), problem: error.to_string() })?;
        let mut authority = parameters(&format!("coracle-{name}"), &[])?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        let certificate = authority.self_signed(&pair).map_err(Error::Certificate)?.pem();
        write(certificate_path, certificate.as_bytes())?;
        Self::read(certificate, key, certificate_path, key_path)
    }

    /// Its certificate in PEM.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// A serving certificate for names and addresses.
    ///
    /// # Errors
    /// A name cannot stand in a certificate.
    pub fn serving(&self, names: &[&str], addresses: &[IpAddr]) -> Result<Pair, Error> {
        let mut serving = parameters("kube-apiserver", names)?;
        serving.subject_alt_names.extend(addresses.iter().map(|address| SanType::IpAddress(*address)));
        self.sign(serving, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A client certificate for a user and a group.
    ///
    /// # Errors
    /// A name cannot stand in a certificate.
    pub fn client(&self, common_name: &str, organisation: Option<&str>) -> Result<Pair, Error> {
        let mut client = parameters(common_name, &[])?;
        if let Some(organisation) = organisation {
            client.distinguished_name.push(DnType::OrganizationName, organisation);
        }
        self.sign(client, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(&self, mut parameters: CertificateParams, usage: ExtendedKeyUsagePurpose) -> Result<Pair, Error> {
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        parameters.extended_key_usages = vec![usage];
        let key = KeyPair::generate().map_err(Error::Certificate)?;
        let certificate = parameters.signed_by(&key, &self.issuer).map_err(Error::Certificate)?;
        Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pair").finish_non_exhaustive()
    }
}

/// TLS of a server that asks clients for a certificate and takes those without one too. A certificate that the client
/// authority did not sign ends the handshake.
///
/// # Errors
/// Certificates and keys do not fit.
pub fn server_config(serving: &Pair, server: &Authority, client: &Authority) -> Result<ServerConfig, Error> {
    let tls = |error: &dyn std::fmt::Display| Error::Tls(error.to_string());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(der(client.certificate())?).map_err(|error| tls(&error))?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let verifier = verifier.allow_unauthenticated().build().map_err(|error| tls(&error))?;
    let chain = vec![der(&serving.certificate)?, der(server.certificate())?];
    let key = KeyPair::from_pem(&serving.key).map_err(Error::Certificate)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| tls(&error))?.with_client_cert_verifier(verifier).with_single_cert(chain, key);
    let mut config = config.map_err(|error| tls(&error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// A kubeconfig with one context, named as k3s names it.
#[must_use]
pub fn kubeconfig(server: &str, authority: &Authority, user: &Pair) -> String {
    let encode = |text: &str| STANDARD.encode(text);
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: default\nclusters:\n- name: default\n  cluster:\n    server: {server}\n    certificate-authority-data: {}\ncontexts:\n- name: default\n  context:\n    cluster: default\n    user: default\nusers:\n- name: default\n  user:\n    client-certificate-data: {}\n    client-key-data: {}\n",
        encode(&authority.certificate),
        encode(&user.certificate),
        encode(&user.key)
    )
}

/// Writes a file that only its owner reads, whole or not at all.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    files::write(path, bytes).map_err(|source| Error::File { operation: "write", path: path.to_owned(), source })
}

/// The text of a file, or `None` when there is none.
pub(crate) fn read(path: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::File { operation: "read", path: path.to_owned(), source }),
    }
}

/// The first certificate of a PEM text.
///
/// # Errors
/// There is none.
pub fn der(pem: &str) -> Result<CertificateDer<'static>, Error> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| Error::Tls(error.to_string()))
}

/// The common name of an authority. Its subject must be that alone, because what it signs repeats the subject.
fn common_name(pem: &str) -> Result<String, String> {
    let der = der(pem).map_err(|error| error.to_string())?;
    let (_, certificate) = X509Certificate::from_der(&der).map_err(|error| error.to_string())?;
    let subject = certificate.subject();
    let name = subject.iter_common_name().next().and_then(|name| name.as_str().ok()).unwrap_or_default();
    if name.is_empty() || subject.iter_attributes().count() != 1 {
        return Err("the subject of an authority must be one common name and nothing else".to_owned());
    }
    Ok(name.to_owned())
}

fn parameters(common_name: &str, names: &[&str]) -> Result<CertificateParams, Error> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut parameters = CertificateParams::new(names).map_err(Error::Certificate)?;
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, common_name);
    parameters.not_before = rcgen::date_time_ymd(1970, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2999, 12, 31);
    Ok(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_are_made_once() {
        let directory = tempfile::tempdir().unwrap();
        let first = Authorities::open(directory.path()).unwrap();
        let second = Authorities::open(directory.path()).unwrap();
        assert_eq!(first.server.certificate(), second.server.certificate());
        assert_ne!(first.server.certificate(), first.client.certificate());
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(directory.path().join("client-ca.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_power_cut_between_key_and_certificate_is_repaired_and_a_lost_key_is_not() {
        let directory = tempfile::tempdir().unwrap();
        Authorities::open(directory.path()).unwrap();
        let (certificate, key) = (directory.path().join("client-ca.crt"), directory.path().join("client-ca.key"));
        fs::remove_file(&certificate).unwrap();
        Authorities::open(directory.path()).unwrap();
        fs::remove_file(&key).unwrap();
        let error = Authorities::open(directory.path()).unwrap_err().to_string();
        assert!(error.contains("client-ca.key is missing"), "{error}");
        fs::write(&key, "junk").unwrap();
        assert!(matches!(Authorities::open(directory.path()), Err(Error::Content { .. })));
    }
}
