//! The certificate that the port serves, which changes with the addresses of the machine.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::{Error, provider};
use crate::pki::Credential;

/// A serving certificate that can be replaced: handshakes from then on get the new one, connections stay.
pub struct Serving(RwLock<Arc<CertifiedKey>>);

impl Serving {
    /// Serves `credential`.
    ///
    /// # Errors
    /// rustls refuses the certificate or its key.
    pub fn new(credential: &Credential) -> Result<Arc<Self>, Error> {
        Ok(Arc::new(Self(RwLock::new(certified(credential)?))))
    }

    /// Serves `credential` from now on.
    ///
    /// # Errors
    /// rustls refuses the certificate or its key; the former one stays.
    pub fn replace(&self, credential: &Credential) -> Result<(), Error> {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = certified(credential)?;
        Ok(())
    }
}

fn certified(credential: &Credential) -> Result<Arc<CertifiedKey>, Error> {
    Ok(Arc::new(CertifiedKey::from_der(credential.chain().to_vec(), credential.key(), &provider())?))
}

impl ResolvesServerCert for Serving {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serving").finish_non_exhaustive()
    }
}
