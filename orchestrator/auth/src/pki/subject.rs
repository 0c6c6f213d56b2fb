//! Subjects with several organisations, which rcgen cannot write: it keeps one value for each type of attribute.

use super::Error;
use rcgen::{KeyPair, SigningKey as _};
use rustls::pki_types::CertificateDer;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const UTF8: u8 = 0x0c;
const BIT_STRING: u8 = 0x03;
const OID: u8 = 0x06;
/// Last number of 2.5.4.10.
pub(super) const ORGANISATION: u8 = 10;
/// Last number of 2.5.4.3.
pub(super) const COMMON_NAME: u8 = 3;
/// Where the subject stands among the members of the signed part: version, serial number, algorithm, issuer, validity.
const POSITION: usize = 5;

/// The same certificate with another subject, signed again.
pub(super) fn replace(
    certificate: &CertificateDer<'_>,
    common_name: &str,
    organisations: &[&str],
    key: &KeyPair,
) -> Result<CertificateDer<'static>, Error> {
    let mut attributes: Vec<(u8, &str)> = organisations.iter().map(|text| (ORGANISATION, *text)).collect();
    attributes.push((COMMON_NAME, common_name));
    replace_all(certificate, &attributes, key)
}

/// As [`replace`], with any attributes of 2.5.4, each by its last number.
pub(super) fn replace_all(
    certificate: &CertificateDer<'_>,
    attributes: &[(u8, &str)],
    key: &KeyPair,
) -> Result<CertificateDer<'static>, Error> {
    let broken = Error::Crypto("read a certificate that was just made");
    let Some((signed, algorithm)) = parts(certificate) else { return Err(broken) };
    let Some(mut members) = elements(signed) else { return Err(broken) };
    let attributes: Vec<Vec<u8>> = attributes.iter().map(|(number, text)| attribute(*number, text)).collect();
    let subject = element(SEQUENCE, &attributes.concat());
    let Some(old) = members.get_mut(POSITION) else { return Err(broken) };
    *old = &subject;
    let signed = element(SEQUENCE, &members.concat());
    let mut signature = vec![0];
    signature.extend(key.sign(&signed)?);
    let content = [signed.as_slice(), algorithm, &element(BIT_STRING, &signature)].concat();
    Ok(CertificateDer::from(element(SEQUENCE, &content)))
}

/// Content of the signed part, and the algorithm as a whole.
fn parts<'a>(certificate: &'a CertificateDer<'_>) -> Option<(&'a [u8], &'a [u8])> {
    let (_, content, _) = split(certificate)?;
    match elements(content)?.as_slice() {
        [signed, algorithm, _] => Some((split(signed)?.1, algorithm)),
        _ => None,
    }
}

fn attribute(number: u8, text: &str) -> Vec<u8> {
    let pair = [&[OID, 3, 0x55, 4, number], element(UTF8, text.as_bytes()).as_slice()].concat();
    element(SET, &element(SEQUENCE, &pair))
}

/// One DER element with tag and length.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant: Vec<u8> = length.iter().copied().skip_while(|byte| *byte == 0).collect();
    let mut bytes = vec![tag];
    match significant.as_slice() {
        [] => bytes.push(0),
        [short @ ..=0x7f] => bytes.push(*short),
        // A usize has at most eight bytes.
        long => {
            bytes.push(0x80 | u8::try_from(long.len()).unwrap_or_default());
            bytes.extend_from_slice(long);
        }
    }
    bytes.extend_from_slice(content);
    bytes
}

/// The elements that stand one behind the other, each with tag and length.
fn elements(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut list = Vec::new();
    while !bytes.is_empty() {
        let (whole, _, rest) = split(bytes)?;
        list.push(whole);
        bytes = rest;
    }
    Some(list)
}

/// The first element as a whole, its content, and what follows it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (length, start) = match bytes.get(1)? {
        short @ ..=0x7f => (usize::from(*short), 2),
        long => {
            let count = usize::from(long & 0x7f);
            let digits = bytes.get(2..2 + count).filter(|digits| digits.len() <= 4)?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), 2 + count)
        }
    };
    let (whole, rest) = bytes.split_at_checked(start + length)?;
    Some((whole, whole.get(start..)?, rest))
}
