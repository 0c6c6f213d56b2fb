//! Opens what lives as long as the device: authorities, keys, the store.

use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::Arc;

use coracle_apiserver::allocate::Networks;
use coracle_apiserver::api::Api;
use coracle_apiserver::audit::LogAudit;
use coracle_apiserver::tokens::Tokens;
use coracle_apiserver::{StoredObjects, Terms, bootstrap};
use coracle_auth::Authenticator;
use coracle_auth::pki::{Authorities, Bundle};
use coracle_auth::token::{self, ISSUER};
use coracle_contract::paths;
use coracle_store::{LocalStore, Options, Store};

use crate::cli;
use crate::places::Places;

/// Size of the log files and of the reserve of a store that is kept in memory only.
const VOLATILE_BYTES: u64 = 1024 * 1024;

/// Port of the API unless another one is asked for.
const DEFAULT_PORT: u16 = 6443;

/// An opened cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) places: Places,
    pub(crate) authorities: Arc<Authorities>,
    pub(crate) api: Api,
    pub(crate) tokens: Arc<Tokens>,
}

impl Cluster {
    /// Opens the cluster of this machine, making it on first use.
    ///
    /// A device whose STATE has no room for a first cluster still starts, so that somebody can look at it: with keys and
    /// a store in memory, and every write refused.
    ///
    /// # Errors
    /// Something is there and cannot be used.
    pub(crate) async fn open(
        arguments: &cli::Server,
        client_ca: Option<&Bundle>,
        networks: Networks,
    ) -> Result<Self, Box<dyn Error>> {
        let port = match arguments.https_listen_port {
            // The port that the kernel will choose is nobody's to rely on.
            0 => DEFAULT_PORT,
            port => port,
        };
        match Self::open_at(Places::of(arguments), client_ca, networks.clone(), Options::default(), port).await {
            Err(error) if is_full(&*error) && Path::new(paths::BOOT_FACTS).exists() => {
                tracing::error!(%error, "STATE has no room for the cluster; it is served from memory and takes no writes");
                let options =
                    Options { segment_bytes: VOLATILE_BYTES, reserve_bytes: VOLATILE_BYTES, ..Options::default() };
                let cluster = Self::open_at(
                    Places::below(&Path::new(paths::RUN).join("cluster")),
                    client_ca,
                    networks,
                    options,
                    port,
                )
                .await?;
                cluster.api.refuse_writes(format!("STATE is full, nothing would be kept: {error}"));
                Ok(cluster)
            }
            result => result,
        }
    }

    async fn open_at(
        places: Result<Places, crate::places::Error>,
        client_ca: Option<&Bundle>,
        networks: Networks,
        options: Options,
        port: u16,
    ) -> Result<Self, Box<dyn Error>> {
        let places = places?;
        let mut authorities = Authorities::open(&places.data)?;
        if let Some(bundle) = client_ca {
            authorities.trust_clients(bundle.clone());
        }
        let store: Arc<dyn Store> =
            Arc::new(LocalStore::open(&places.store, Options { indexer: Arc::new(Terms), ..options })?);
        let issuer = || token::Tokens::new(Arc::clone(&authorities.service_keys), ISSUER, &[ISSUER]);
        let objects = Arc::new(StoredObjects::new(Arc::clone(&store)));
        let authenticator = Authenticator::new(&authorities, issuer(), objects)?;
        let tokens = Arc::new(Tokens::new(authenticator, issuer()));
        let api = Api::new(store, Arc::new(LogAudit), networks, Arc::clone(&tokens));
        bootstrap::ensure(&api, port).await?;
        Ok(Self { places, authorities: Arc::new(authorities), api, tokens })
    }
}

/// Whether the cause of an error is a full disk.
fn is_full(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let of_io = error
            .downcast_ref::<io::Error>()
            .is_some_and(|error| matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded));
        if of_io || error.downcast_ref::<coracle_store::Error>().is_some_and(coracle_store::Error::is_no_space) {
            return true;
        }
        // An I/O error skips what it wraps when it is asked for its source.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = wrapped.map(|error| error as &(dyn Error + 'static)).or_else(|| error.source());
    }
    false
}

#[cfg(test)]
mod tests {
    use super::is_full;
    use std::io;

    #[test]
    fn a_full_disk_is_found_behind_other_errors() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        assert!(is_full(&full()));
        assert!(is_full(&io::Error::other(full())));
        assert!(is_full(&coracle_store::Error::Full { reason: "x" }));
        assert!(!is_full(&io::Error::from(io::ErrorKind::NotFound)));
    }
}
