//! A certificate authority and what it signs. All keys are ECDSA P-256.
//!
//! The key usages are those of client-go v0.37.2, util/cert, and of the signers of kubernetes v1.37.2.

mod request;

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use aws_lc_rs::{digest, rand};
use coracle_apimachinery::base64;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, SanType, SerialNumber, SubjectPublicKeyInfo,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::{Error, files, subject};
use crate::certificate;

/// No clock that is set shows less: 2026-01-01.
const EARLIEST: i64 = 1_767_225_600;
/// Years in which certificates begin and end to be valid unless a lifetime is asked for. A device without a battery
/// starts in 1970 and learns the time later. A certificate must be valid under the wrong clock and still be so under
/// the right one, otherwise the device could not talk to itself before the first answer of a time server.
const FIRST_YEAR: i32 = 1970;
const LAST_YEAR: i32 = 2999;
/// Longest lifetime that is counted; beyond it lies the last year.
const MAX_SECONDS: i64 = 900 * 366 * 86_400;

/// One authority.
pub struct Authority {
    certificate: CertificateDer<'static>,
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its private key.
pub struct Credential {
    chain: Vec<CertificateDer<'static>>,
    chain_pem: String,
    key: KeyPair,
}

/// How long a client certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// As long as the device exists: its own components, which nobody else can use.
    Device,
    /// So many seconds from `now` (seconds since the epoch). Under a clock that is not set nothing can be counted, so
    /// the certificate then lives as long as the device.
    Seconds {
        /// The time of the clock.
        now: i64,
        /// The lifetime.
        seconds: i64,
    },
}

/// A request for a certificate with the private key that it is for.
pub struct Request {
    /// The request (PKCS #10) as PEM.
    pub pem: String,
    /// The private key as PEM.
    pub key_pem: String,
}

/// Makes a key and the request for a client certificate of it.
///
/// # Errors
/// No key could be made.
pub fn request_client(common_name: &str, organisation: &str) -> Result<Request, Error> {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::OrganizationName, organisation);
    parameters.distinguished_name.push(DnType::CommonName, common_name);
    let key = KeyPair::generate()?;
    Ok(Request { pem: parameters.serialize_request(&key)?.pem()?, key_pem: key.serialize_pem() })
}

impl Authority {
    /// Reads the authority `name` of `directory`, or makes it unless the device was `complete` before.
    pub(super) fn open(directory: &Path, name: &str, complete: bool) -> Result<Self, Error> {
        let (certificate_name, key_name) = (format!("{name}.crt"), format!("{name}.key"));
        let (certificate_path, key_path) = (directory.join(&certificate_name), directory.join(&key_name));
        let certificate = files::read(&certificate_path)?;
        let key = match (files::read(&key_path)?, &certificate) {
            (Some(text), _) => KeyPair::from_pem(&text)
                .map_err(|error| Error::Malformed { path: key_path, problem: format!("is no private key: {error}") })?,
            // The key is written first: a certificate without one means that the key went later.
            (None, Some(_)) => return Err(Error::Lost(key_path)),
            (None, None) if complete => return Err(Error::Lost(key_path)),
            (None, None) => {
                let key = KeyPair::generate()?;
                files::write(directory, &key_name, key.serialize_pem().as_bytes(), files::SECRET)?;
                key
            }
        };
        let pem = match certificate {
            Some(pem) => pem,
            None if complete => return Err(Error::Lost(certificate_path)),
            None => {
                let pem = self_signed(name, &key)?;
                files::write(directory, &certificate_name, pem.as_bytes(), files::PUBLIC)?;
                pem
            }
        };
        Self::new(pem, key).map_err(|problem| Error::Malformed { path: certificate_path, problem })
    }

    fn new(pem: String, key: KeyPair) -> Result<Self, String> {
        let unreadable = |error: &dyn std::fmt::Display| format!("is no certificate: {error}");
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| unreadable(&error))?;
        certificate::check_authority(&certificate, &key.subject_public_key_info())?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(|error| unreadable(&error))?;
        Ok(Self { certificate, pem, issuer })
    }

    /// The certificate that others must trust.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The certificate as text.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A serving certificate.
    ///
    /// # Errors
    /// A name is not a DNS name, or no key could be made.
    pub fn serving(&self, common_name: &str, names: &[&str], addresses: &[IpAddr]) -> Result<Credential, Error> {
        let mut parameters = parameters(common_name)?;
        parameters.subject_alt_names =
            CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())?.subject_alt_names;
        parameters.subject_alt_names.extend(addresses.iter().map(|address| SanType::IpAddress(*address)));
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let certificate = parameters.signed_by(&key, &self.issuer)?;
        Ok(self.credential(certificate.der().clone(), key))
    }

    /// A client certificate with a new key.
    ///
    /// # Errors
    /// No key could be made.
    pub fn client(&self, common_name: &str, organisations: &[&str], lifetime: Lifetime) -> Result<Credential, Error> {
        let key = KeyPair::generate()?;
        let certificate = self.sign_client(&key, common_name, organisations, lifetime)?;
        Ok(self.credential(certificate, key))
    }

    /// A client certificate for a key that its owner keeps, given as DER of its SubjectPublicKeyInfo; the answer is the
    /// chain as text.
    ///
    /// # Errors
    /// The key is not one that certificates can hold.
    pub fn client_for_key(
        &self,
        public_key: &[u8],
        common_name: &str,
        organisations: &[&str],
        lifetime: Lifetime,
    ) -> Result<String, Error> {
        let key = SubjectPublicKeyInfo::from_der(public_key)?;
        Ok(pem(&self.sign_client(&key, common_name, organisations, lifetime)?))
    }

    fn sign_client(
        &self,
        key: &impl PublicKeyData,
        common_name: &str,
        organisations: &[&str],
        lifetime: Lifetime,
    ) -> Result<CertificateDer<'static>, Error> {
        let parameters = client_parameters(common_name, organisations, lifetime)?;
        let certificate = parameters.signed_by(key, &self.issuer)?;
        if organisations.len() < 2 {
            return Ok(certificate.der().clone());
        }
        subject::replace(certificate.der(), common_name, organisations, self.issuer.key())
    }

    fn credential(&self, certificate: CertificateDer<'static>, key: KeyPair) -> Credential {
        Credential { chain_pem: pem(&certificate) + &self.pem, chain: vec![certificate, self.certificate.clone()], key }
    }
}

impl Credential {
    /// The certificate, then its authority.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// The chain as text.
    #[must_use]
    pub fn chain_pem(&self) -> &str {
        &self.chain_pem
    }

    /// The private key as text.
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// The private key.
    #[must_use]
    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()))
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

/// A private key must not get into a log.
impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("chain", &self.chain.len()).finish_non_exhaustive()
    }
}

/// The certificate of an authority. Its name follows from the key, so that the same key gives the same authority when a
/// start was cut short between key and certificate, and two devices never share a name.
fn self_signed(name: &str, key: &KeyPair) -> Result<String, Error> {
    let hash = digest::digest(&digest::SHA256, &key.subject_public_key_info());
    let tag: String = hash.as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let mut parameters = parameters(&format!("coracle-{name}@{tag}"))?;
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages.push(KeyUsagePurpose::KeyCertSign);
    Ok(parameters.self_signed(key)?.pem())
}

fn client_parameters(
    common_name: &str,
    organisations: &[&str],
    lifetime: Lifetime,
) -> Result<CertificateParams, Error> {
    let mut parameters = parameters(common_name)?;
    if let [organisation, ..] = organisations {
        parameters.distinguished_name.push(DnType::OrganizationName, *organisation);
    }
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    if let Lifetime::Seconds { now, seconds } = lifetime
        && now >= EARLIEST
    {
        let end = now.saturating_add(seconds.max(0));
        if end < MAX_SECONDS {
            parameters.not_after = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(end.unsigned_abs());
        }
    }
    Ok(parameters)
}

/// A certificate as text, 64 letters a line as everywhere.
fn pem(certificate: &CertificateDer<'_>) -> String {
    let letters = base64::encode(certificate);
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for (at, letter) in letters.chars().enumerate() {
        text.push(letter);
        if at % 64 == 63 {
            text.push('\n');
        }
    }
    if !letters.len().is_multiple_of(64) {
        text.push('\n');
    }
    text + "-----END CERTIFICATE-----\n"
}

/// What all certificates have in common.
fn parameters(common_name: &str) -> Result<CertificateParams, Error> {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, common_name);
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    parameters.use_authority_key_identifier_extension = true;
    parameters.not_before = rcgen::date_time_ymd(FIRST_YEAR, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(LAST_YEAR, 12, 31);
    // By default the serial number follows from the key; two certificates of one key must still differ.
    let mut serial = [0; 16];
    rand::fill(&mut serial).map_err(|_| Error::Crypto("make a serial number"))?;
    serial[0] = serial[0] & 0x3f | 0x40;
    parameters.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(parameters)
}
