//! Reading what `spec.request` asks for.

use coracle_apimachinery::{Value, base64};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::oid_registry::{OID_X509_COMMON_NAME, OID_X509_ORGANIZATION_NAME};
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::FromDer as _;

const LABEL: &str = "CERTIFICATE REQUEST";

/// What the rules of signers look at.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Request {
    /// The request as it was signed.
    pub(super) der: Vec<u8>,
    /// The last common name; empty if there is none.
    pub(super) common_name: String,
    /// All organisations in their order.
    pub(super) organisations: Vec<String>,
    /// Which kinds of other names it asks for.
    pub(super) names: Names,
}

/// Kinds of alternative names.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) dns: bool,
    pub(super) email: bool,
    pub(super) address: bool,
    pub(super) uri: bool,
}

/// Reads the request of a CertificateSigningRequest. Its signature is verified when it is signed.
pub(super) fn read(csr: &Value) -> Result<Request, String> {
    let text = base64::decode(csr.text_at(&["spec", "request"])).map_err(|error| error.to_string())?;
    let block = parse_x509_pem(&text).map(|(_, block)| block).ok().filter(|block| block.label == LABEL);
    let der = block.ok_or("PEM block type must be CERTIFICATE REQUEST")?.contents;
    let (rest, parsed) = X509CertificationRequest::from_der(&der).map_err(|error| error.to_string())?;
    if !rest.is_empty() {
        return Err("bytes behind the end of the request".to_owned());
    }
    let mut request = Request::default();
    for attribute in parsed.certification_request_info.subject.iter_attributes() {
        let text = || attribute.as_str().map(str::to_owned).map_err(|error| format!("unreadable subject: {error}"));
        if *attribute.attr_type() == OID_X509_COMMON_NAME {
            request.common_name = text()?;
        } else if *attribute.attr_type() == OID_X509_ORGANIZATION_NAME {
            request.organisations.push(text()?);
        }
    }
    for extension in parsed.requested_extensions().into_iter().flatten() {
        match extension {
            ParsedExtension::SubjectAlternativeName(names) => {
                names.general_names.iter().try_for_each(|name| request.names.add(name))?;
            }
            ParsedExtension::ParseError { .. } => return Err("unreadable extension".to_owned()),
            _ => {}
        }
    }
    request.der = der;
    Ok(request)
}

impl Names {
    fn add(&mut self, name: &GeneralName<'_>) -> Result<(), String> {
        match name {
            GeneralName::DNSName(_) => self.dns = true,
            GeneralName::RFC822Name(_) => self.email = true,
            GeneralName::IPAddress(_) => self.address = true,
            GeneralName::URI(_) => self.uri = true,
            GeneralName::Invalid(..) => return Err("unreadable subjectAltName".to_owned()),
            // No certificate gets the other kinds.
            _ => {}
        }
        Ok(())
    }
}
