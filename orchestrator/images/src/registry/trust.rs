//! Whose certificates are believed: the public authorities, which are built in because a slot has no folder of them,
//! and for each host the file that `registries.yaml` names.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use super::address::Origin;
use crate::registries::Registries;

/// Settings of TLS by host.
#[derive(Debug)]
pub(crate) struct Trust {
    public: Arc<ClientConfig>,
    registries: Registries,
    by_file: HashMap<PathBuf, Arc<ClientConfig>>,
}

/// TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of authorities cannot be used.
    #[error("registries.yaml: ca_file {0:?}: {1}")]
    File(PathBuf, String),
    /// rustls refuses its settings.
    #[error("cannot set up TLS")]
    Tls(#[from] rustls::Error),
}

impl Trust {
    pub(crate) fn new(registries: &Registries) -> Result<Self, Error> {
        let public = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let mut by_file = HashMap::new();
        for file in registries.authority_files() {
            let bad = |text: String| Error::File(file.clone(), text);
            let mut roots = public.clone();
            let mut count = 0;
            for certificate in CertificateDer::pem_file_iter(file).map_err(|error| bad(error.to_string()))? {
                let certificate = certificate.map_err(|error| bad(error.to_string()))?;
                roots.add(certificate).map_err(|error| bad(error.to_string()))?;
                count += 1;
            }
            if count == 0 {
                return Err(bad("no certificate in it".to_owned()));
            }
            by_file.insert(file.clone(), config(roots)?);
        }
        Ok(Self { public: config(public)?, registries: registries.clone(), by_file })
    }

    pub(crate) fn for_host(&self, origin: &Origin) -> Arc<ClientConfig> {
        let named = self.registries.authority(&origin.authority());
        let config = named.and_then(|file| self.by_file.get(file));
        Arc::clone(config.unwrap_or(&self.public))
    }
}

fn config(roots: RootCertStore) -> Result<Arc<ClientConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
