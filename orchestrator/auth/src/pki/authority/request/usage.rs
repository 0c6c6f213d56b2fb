//! The API's names of usages, and what they are in certificates.

use coracle_apimachinery::field::quote;
use rcgen::{ExtendedKeyUsagePurpose, KeyUsagePurpose};

const KEY: [(&str, KeyUsagePurpose); 10] = [
    ("signing", KeyUsagePurpose::DigitalSignature),
    ("digital signature", KeyUsagePurpose::DigitalSignature),
    ("content commitment", KeyUsagePurpose::ContentCommitment),
    ("key encipherment", KeyUsagePurpose::KeyEncipherment),
    ("key agreement", KeyUsagePurpose::KeyAgreement),
    ("data encipherment", KeyUsagePurpose::DataEncipherment),
    ("cert sign", KeyUsagePurpose::KeyCertSign),
    ("crl sign", KeyUsagePurpose::CrlSign),
    ("encipher only", KeyUsagePurpose::EncipherOnly),
    ("decipher only", KeyUsagePurpose::DecipherOnly),
];

/// In the order in which Go writes them.
const EXTENDED: [(&[&str], &[u64]); 12] = [
    (&["any"], &[2, 5, 29, 37, 0]),
    (&["server auth"], &[1, 3, 6, 1, 5, 5, 7, 3, 1]),
    (&["client auth"], &[1, 3, 6, 1, 5, 5, 7, 3, 2]),
    (&["code signing"], &[1, 3, 6, 1, 5, 5, 7, 3, 3]),
    (&["email protection", "s/mime"], &[1, 3, 6, 1, 5, 5, 7, 3, 4]),
    (&["ipsec end system"], &[1, 3, 6, 1, 5, 5, 7, 3, 5]),
    (&["ipsec tunnel"], &[1, 3, 6, 1, 5, 5, 7, 3, 6]),
    (&["ipsec user"], &[1, 3, 6, 1, 5, 5, 7, 3, 7]),
    (&["timestamping"], &[1, 3, 6, 1, 5, 5, 7, 3, 8]),
    (&["ocsp signing"], &[1, 3, 6, 1, 5, 5, 7, 3, 9]),
    (&["microsoft sgc"], &[1, 3, 6, 1, 4, 1, 311, 10, 3, 3]),
    (&["netscape sgc"], &[2, 16, 840, 1, 113_730, 4, 1]),
];

/// The usages of a certificate.
pub(super) type Usages = (Vec<KeyUsagePurpose>, Vec<ExtendedKeyUsagePurpose>);

/// The usages of these names.
pub(super) fn of(names: &[&str]) -> Result<Usages, String> {
    let known =
        |name: &str| KEY.iter().any(|(key, _)| *key == name) || EXTENDED.iter().any(|(names, _)| names.contains(&name));
    let unknown: Vec<String> = names.iter().filter(|name| !known(name)).map(|name| quote(name).to_string()).collect();
    if !unknown.is_empty() {
        return Err(format!("unrecognized usage values: [{}]", unknown.join(" ")));
    }
    let key = KEY.iter().filter(|(key, _)| names.contains(key)).map(|(_, usage)| *usage).collect();
    let extended = EXTENDED.iter().filter(|(those, _)| names.iter().any(|name| those.contains(name)));
    Ok((key, extended.map(|(_, oid)| ExtendedKeyUsagePurpose::Other(oid.to_vec())).collect()))
}
