//! Certificates for requests that others made (PKCS #10): their key, subject and alternative names, and nothing else that
//! they ask for.
//!
//! Source: kubernetes v1.37.2, pkg/controller/certificates/authority. Of the subject only those attributes are taken that
//! Go's pkix.Name has: a request must not bring others, such as the uid of a user.

mod usage;

use std::net::IpAddr;
use std::time::Duration;

use rcgen::string::Ia5String;
use rcgen::{CertificateParams, DistinguishedName, IsCa, SanType, SubjectPublicKeyInfo};
use x509_parser::certificate::X509Certificate;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::X509Name;

use super::super::subject;
use super::{Authority, EARLIEST, parameters, pem};

/// Attributes of 2.5.4 in the order in which they are written: C, ST, L, STREET, postal code, O, OU, CN, serial number.
const ATTRIBUTES: [u8; 9] = [6, 8, 7, 9, 17, subject::ORGANISATION, 11, subject::COMMON_NAME, SERIAL_NUMBER];
const SERIAL_NUMBER: u8 = 5;
/// Of these only the last value counts.
const SINGLE: [u8; 2] = [subject::COMMON_NAME, SERIAL_NUMBER];
/// The numbers 2.5.4 in DER; one more byte follows.
const PREFIX: [u8; 2] = [0x55, 4];

impl Authority {
    /// When the authority's own certificate ends, in seconds since the epoch.
    #[must_use]
    pub fn not_after(&self) -> i64 {
        let parsed = X509Certificate::from_der(&self.certificate);
        parsed.map_or(0, |(_, certificate)| certificate.validity().not_after.timestamp())
    }

    /// Signs a request, given in DER, for usages by their names in the API. Times are seconds since the epoch; under a
    /// clock that is not set they mean nothing, and the certificate lives as long as the device. The answer is PEM.
    ///
    /// # Errors
    /// The request cannot be read, is not signed with its own key, or holds what certificates cannot.
    pub fn sign_request(
        &self,
        request: &[u8],
        usages: &[&str],
        not_before: i64,
        not_after: i64,
    ) -> Result<String, String> {
        let unreadable = |error: &dyn std::fmt::Display| format!("unable to parse certificate request: {error}");
        let (rest, request) = X509CertificationRequest::from_der(request).map_err(|error| unreadable(&error))?;
        if !rest.is_empty() {
            return Err(unreadable(&"trailing data"));
        }
        request
            .verify_signature()
            .map_err(|error| format!("unable to verify certificate request signature: {error}"))?;
        let failed = |error: &dyn std::fmt::Display| format!("failed to sign certificate: {error}");
        let attributes = attributes(&request.certification_request_info.subject).map_err(|error| unreadable(&error))?;
        let mut parameters = parameters("").map_err(|error| failed(&error))?;
        if attributes.is_empty() {
            parameters.distinguished_name = DistinguishedName::new();
        }
        (parameters.key_usages, parameters.extended_key_usages) = usage::of(usages)?;
        parameters.is_ca = IsCa::ExplicitNoCa;
        parameters.subject_alt_names = names(&request).map_err(|error| unreadable(&error))?;
        limit(&mut parameters, not_before, not_after.min(self.not_after()));
        let key = SubjectPublicKeyInfo::from_der(request.certification_request_info.subject_pki.raw)
            .map_err(|error| failed(&error))?;
        let certificate = parameters.signed_by(&key, &self.issuer).map_err(|error| failed(&error))?;
        if attributes.is_empty() {
            return Ok(pem(certificate.der()));
        }
        // The names of rcgen hold one value of each attribute.
        let certificate = subject::replace_all(certificate.der(), &attributes, self.issuer.key());
        certificate.map(|certificate| pem(&certificate)).map_err(|error| failed(&error))
    }
}

fn limit(parameters: &mut CertificateParams, not_before: i64, not_after: i64) {
    if not_before >= EARLIEST {
        let time = |seconds: i64| rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds.max(0).unsigned_abs());
        parameters.not_before = time(not_before);
        parameters.not_after = time(not_after);
    }
}

/// The attributes of a subject that a certificate gets.
fn attributes<'a>(subject: &'a X509Name<'_>) -> Result<Vec<(u8, &'a str)>, String> {
    let mut found: Vec<(u8, &str)> = Vec::new();
    for attribute in subject.iter_attributes() {
        let Some([number]) = attribute.attr_type().as_bytes().strip_prefix(&PREFIX) else { continue };
        if !ATTRIBUTES.contains(number) {
            continue;
        }
        let text = attribute.as_str().map_err(|error| error.to_string())?;
        if SINGLE.contains(number) {
            found.retain(|(other, _)| other != number);
        }
        found.push((*number, text));
    }
    found.retain(|(number, text)| !SINGLE.contains(number) || !text.is_empty());
    // Values of one attribute keep their order.
    found.sort_by_key(|(number, _)| ATTRIBUTES.iter().position(|other| other == number));
    Ok(found)
}

/// The alternative names of a request, in the order in which Go writes them.
fn names(request: &X509CertificationRequest<'_>) -> Result<Vec<SanType>, String> {
    let mut found = Vec::new();
    for extension in request.requested_extensions().into_iter().flatten() {
        match extension {
            ParsedExtension::SubjectAlternativeName(names) => {
                for name in &names.general_names {
                    found.extend(name_of(name)?);
                }
            }
            ParsedExtension::ParseError { .. } => return Err("malformed extension".to_owned()),
            _ => {}
        }
    }
    found.sort_by_key(|name| match name {
        SanType::DnsName(_) => 0,
        SanType::Rfc822Name(_) => 1,
        SanType::IpAddress(_) => 2,
        _ => 3,
    });
    Ok(found)
}

/// A name as certificates get it; nothing for kinds that they do not.
fn name_of(name: &GeneralName<'_>) -> Result<Option<SanType>, String> {
    let text = |text: &str| Ia5String::try_from(text).map_err(|error| error.to_string());
    Ok(Some(match name {
        GeneralName::DNSName(name) => SanType::DnsName(text(name)?),
        GeneralName::RFC822Name(name) => SanType::Rfc822Name(text(name)?),
        GeneralName::URI(name) => SanType::URI(text(name)?),
        GeneralName::IPAddress(bytes) => {
            let four = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let address = four.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
            SanType::IpAddress(address.map_err(|_| format!("cannot parse IP address of length {}", bytes.len()))?)
        }
        GeneralName::Invalid(..) => return Err("malformed subjectAltName".to_owned()),
        _ => return Ok(None),
    }))
}

#[cfg(test)]
mod tests;
