//! Certificates in PEM.

use rustls::pki_types::pem::{PemObject as _, SectionKind};

/// Checks that the text holds at least one certificate and nothing else. Who signed it, and for how long it holds, is
/// the matter of who uses it.
pub(crate) fn certificates(text: &str) -> Result<String, String> {
    let mut count = 0_usize;
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(text.as_bytes()) {
        let (kind, der) = section.map_err(|error| format!("is no PEM: {error}"))?;
        count = count.saturating_add(1);
        if kind != SectionKind::Certificate {
            return Err(format!("block {count} holds something else than a certificate"));
        }
        match x509_parser::parse_x509_certificate(&der) {
            Ok(([], _)) => {}
            Ok(_) => return Err(format!("certificate {count} is followed by something")),
            Err(_) => return Err(format!("block {count} is no certificate")),
        }
    }
    match count {
        0 => Err("holds no certificate in PEM (-----BEGIN CERTIFICATE-----)".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_certificates() {
        let certified = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        let pem = certified.cert.pem();
        for good in [pem.clone(), format!("# the authority\n{pem}{pem}")] {
            assert_eq!(certificates(&good), Ok(good.clone()));
        }
        let key = certified.signing_key.serialize_pem();
        for (bad, want) in [
            (String::new(), "no certificate"),
            ("text".to_owned(), "no certificate"),
            (format!("{pem}{key}"), "block 2 holds something else"),
            (pem[..pem.len() / 2].to_owned(), "is no PEM"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(), "block 1 is no certificate"),
        ] {
            let found = certificates(&bad).unwrap_err();
            assert!(found.contains(want), "{found}");
            assert!(!found.contains("BEGIN PRIVATE"), "{found}");
        }
    }
}
