//! The device's authorities and the keys of ServiceAccount tokens: made on the first start, read on every later one.
//!
//! All of it lies in `<data>/server/tls/` under k3s' names: `server-ca`, `client-ca` and `request-header-ca`, each as
//! `.crt` and `.key`, and `service.key`. The file `complete` appears last. Until then a start that was cut short left
//! nothing anybody could trust, so the next one makes what is missing; from then on a missing file is lost property and
//! refused, because a new authority would silently shut out every client that trusts the old one.

mod authority;
mod bundle;
mod files;
mod kubeconfig;
mod service_keys;
mod subject;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use authority::{Authority, Credential, Lifetime, Request, request_client};
pub use bundle::{Bundle, BundleError};
pub use kubeconfig::{Kubeconfig, check_kubeconfig_place, kubeconfig, write_kubeconfig};
use rustls::pki_types::CertificateDer;
pub use service_keys::KeySet;

const COMPLETE: &str = "complete";
const SERVICE_KEYS: &str = "service.key";
const NAMES: [&str; 3] = ["server-ca", "client-ca", "request-header-ca"];

/// Everything that outlives a restart.
#[derive(Debug)]
pub struct Authorities {
    /// Signs serving certificates.
    pub server: Authority,
    /// Signs client certificates.
    pub client: Authority,
    /// Signs the front proxy's certificate.
    pub request_header: Authority,
    /// Signs ServiceAccount tokens.
    pub service_keys: Arc<KeySet>,
    /// Authorities of the user, whose client certificates are good too.
    more_clients: Bundle,
    directory: PathBuf,
}

/// The authorities cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk failed.
    #[error("cannot {action} {path}")]
    File {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A file that was there is gone.
    #[error("{0} is missing; restore it, since a new one would shut out whoever trusts the old one")]
    Lost(PathBuf),
    /// A file is not what it should be.
    #[error("{path} {problem}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A certificate or key could not be made.
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// A cryptographic operation failed.
    #[error("cannot {0}")]
    Crypto(&'static str),
}

impl Authorities {
    /// Reads the authorities below `data` (the data directory) and makes them on the first start.
    ///
    /// # Errors
    /// The disk failed, a file is malformed, or one is missing that this device had before.
    pub fn open(data: &Path) -> Result<Self, Error> {
        let directory = data.join("server").join("tls");
        files::make_directory(&directory)?;
        let complete = files::read(&directory.join(COMPLETE))?.is_some();
        let [server, client, request_header] = NAMES;
        let authorities = Self {
            server: Authority::open(&directory, server, complete)?,
            client: Authority::open(&directory, client, complete)?,
            request_header: Authority::open(&directory, request_header, complete)?,
            service_keys: Arc::new(service_keys(&directory, complete)?),
            more_clients: Bundle::default(),
            directory,
        };
        if !complete {
            files::write(&authorities.directory, COMPLETE, b"All files of this directory were made.\n", files::PUBLIC)?;
        }
        Ok(authorities)
    }

    /// A serving certificate for `names` and `addresses`. It is made anew at every start: clients trust the authority.
    ///
    /// # Errors
    /// A name is not a DNS name, or no key could be made.
    pub fn serving(&self, names: &[&str], addresses: &[IpAddr]) -> Result<Credential, Error> {
        self.server.serving("kube-apiserver", names, addresses)
    }

    /// A client certificate: `common_name` becomes the user name, `organisations` become the groups.
    ///
    /// # Errors
    /// No key could be made.
    pub fn client(&self, common_name: &str, organisations: &[&str], lifetime: Lifetime) -> Result<Credential, Error> {
        self.client.client(common_name, organisations, lifetime)
    }

    /// Takes client certificates of these authorities too, besides those of [`Authorities::client`]: common name and
    /// organisations of such a certificate are user and groups, whichever they are. Replaces an earlier bundle; must be
    /// called before [`crate::tls::server_config`] and [`crate::Authenticator::new`].
    pub fn trust_clients(&mut self, bundle: Bundle) {
        self.more_clients = bundle;
    }

    /// The certificates in which chains of clients may end.
    pub(crate) fn client_roots(&self) -> impl Iterator<Item = &CertificateDer<'static>> {
        std::iter::once(self.client.certificate()).chain(self.more_clients.certificates())
    }

    /// Makes a new key for ServiceAccount tokens, which signs from now on; the older ones go on verifying.
    ///
    /// # Errors
    /// No key could be made or stored.
    pub fn rotate_service_key(&mut self) -> Result<(), Error> {
        let path = self.directory.join(SERVICE_KEYS);
        let old = files::read(&path)?.ok_or_else(|| Error::Lost(path.clone()))?;
        let text = KeySet::generate_pem()? + &old;
        let keys = KeySet::from_pem(&text).map_err(|problem| Error::Malformed { path, problem })?;
        files::write(&self.directory, SERVICE_KEYS, text.as_bytes(), files::SECRET)?;
        self.service_keys = Arc::new(keys);
        Ok(())
    }
}

fn service_keys(directory: &Path, complete: bool) -> Result<KeySet, Error> {
    let path = directory.join(SERVICE_KEYS);
    let text = match files::read(&path)? {
        Some(text) => text,
        None if complete => return Err(Error::Lost(path)),
        None => {
            let text = KeySet::generate_pem()?;
            files::write(directory, SERVICE_KEYS, text.as_bytes(), files::SECRET)?;
            text
        }
    };
    KeySet::from_pem(&text).map_err(|problem| Error::Malformed { path, problem })
}

#[cfg(test)]
mod tests;
