//! Reading certificates: what of them says who somebody is and what the key is for.

use rustls::pki_types::CertificateDer;
use x509_parser::oid_registry::{Oid, asn1_rs::oid};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// Attribute of a subject that holds the user's uid.
const USER_UID: Oid<'static> = oid!(1.3.6.1.4.1.57683.2);

/// The subject of a client certificate.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Subject {
    /// The last common name; empty if there is none.
    pub(crate) common_name: String,
    /// All organisations in their order.
    pub(crate) organisations: Vec<String>,
    /// All uids.
    pub(crate) uids: Vec<String>,
    /// Whether the certificate says that it is for clients.
    pub(crate) for_clients: bool,
}

/// Checks that a certificate is an authority for the key given as DER of its SubjectPublicKeyInfo.
pub(crate) fn check_authority(certificate: &CertificateDer<'_>, public_key: &[u8]) -> Result<(), String> {
    check_is_authority(certificate)?;
    let parsed = parse(certificate)?;
    if parsed.public_key().raw != public_key {
        return Err("does not belong to the private key beside it".into());
    }
    Ok(())
}

/// Checks that a certificate is an authority.
pub(crate) fn check_is_authority(certificate: &CertificateDer<'_>) -> Result<(), String> {
    if parse(certificate)?.is_ca() { Ok(()) } else { Err("is no certificate authority".into()) }
}

/// Reads the subject of a client certificate.
pub(crate) fn subject(certificate: &CertificateDer<'_>) -> Result<Subject, String> {
    let parsed = parse(certificate)?;
    let mut subject = Subject::default();
    for attribute in parsed.subject().iter_attributes() {
        let text =
            || attribute.as_str().map(str::to_owned).map_err(|error| format!("has an unreadable subject: {error}"));
        let oid = attribute.attr_type();
        if *oid == x509_parser::oid_registry::OID_X509_COMMON_NAME {
            subject.common_name = text()?;
        } else if *oid == x509_parser::oid_registry::OID_X509_ORGANIZATION_NAME {
            subject.organisations.push(text()?);
        } else if *oid == USER_UID {
            subject.uids.push(text()?);
        }
    }
    let usage = parsed.extended_key_usage().map_err(|error| format!("has unreadable key usages: {error}"))?;
    subject.for_clients = usage.is_some_and(|usage| usage.value.client_auth || usage.value.any);
    Ok(subject)
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, String> {
    match X509Certificate::from_der(certificate) {
        Ok(([], parsed)) => Ok(parsed),
        Ok(_) => Err("has bytes behind its end".into()),
        Err(error) => Err(format!("is no certificate: {error}")),
    }
}
