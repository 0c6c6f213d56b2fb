//! The images of the node.

use std::sync::Arc;

use coracle_agent::runtime::{Failure, Image};
use coracle_apimachinery::{Value, base64};
use coracle_client::resources::SECRETS;
use coracle_client::{Client, object};
use coracle_images::Digest;
use coracle_images::image::{Policy, Pulled, Store};
use coracle_images::registry::Keychain;

use crate::runtime::parts::{ImageStore, Known, Later, Layers};
use crate::spec::ImageConfig;

/// The images of the node, pulled with the secrets that pods name.
#[derive(Debug, Clone)]
pub struct Images {
    store: Store,
    client: Arc<dyn Client>,
    /// Credentials of the node, for all pods.
    keychain: Keychain,
}

impl Images {
    /// On a store that was opened.
    #[must_use]
    pub fn new(store: Store, client: Arc<dyn Client>, keychain: Keychain) -> Self {
        Self { store, client, keychain }
    }

    /// The credentials for a pod. A secret that is missing or broken is passed over, as the kubelet does.
    fn credentials(&self, pod: &Value) -> Keychain {
        let mut all = self.keychain.clone();
        let view = self.client.view();
        for reference in object::items(pod, &["spec", "imagePullSecrets"]) {
            let name = reference.text_at(&["name"]);
            let Some(secret) = view.get(&SECRETS, object::namespace(pod), name) else {
                tracing::debug!(secret = name, "a secret for pulling images is missing");
                continue;
            };
            let data = |key: &str| base64::decode(secret.text_at(&["data", key])).unwrap_or_default();
            let added = match secret.text_at(&["type"]) {
                "kubernetes.io/dockerconfigjson" => all.add_config(&data(".dockerconfigjson")),
                "kubernetes.io/dockercfg" => all.add_old_config(&data(".dockercfg")),
                _ => Ok(()),
            };
            if let Err(error) = added {
                tracing::debug!(secret = name, %error, "a secret for pulling images is broken");
            }
        }
        all
    }
}

/// The identity that the status shows: the digest in the registry, where there is one.
fn identity(pulled: &Pulled) -> String {
    pulled.digests.first().cloned().unwrap_or_else(|| pulled.id.to_string())
}

fn image(name: &str, pulled: &Pulled) -> Image {
    Image { name: name.to_owned(), id: identity(pulled), bytes: pulled.size }
}

impl ImageStore for Images {
    fn pull<'a>(&'a self, pod: &'a Value, name: &'a str) -> Later<'a, Image, Failure> {
        Box::pin(async move {
            let pulled = self.store.pull(name, Policy::Always, &self.credentials(pod)).await;
            let pulled =
                pulled.map_err(|error| Failure { reason: error.reason().to_owned(), message: error.message() })?;
            Ok(image(name, &pulled))
        })
    }

    fn find<'a>(&'a self, name: &'a str) -> Later<'a, Option<Image>> {
        Box::pin(async move {
            let found = self.store.find(name).await.map_err(|error| error.to_string())?;
            Ok(found.map(|pulled| image(name, &pulled)))
        })
    }

    fn known<'a>(&'a self, id: &'a str, name: &'a str) -> Later<'a, Known> {
        Box::pin(async move {
            let is = |pulled: &Pulled| {
                identity(pulled) == id
                    || pulled.id.to_string() == id
                    || pulled.digests.iter().any(|digest| digest == id)
            };
            let by_name = self.store.find(name).await.ok().flatten().filter(is);
            let found = by_name.or_else(|| self.store.list().into_iter().find(is));
            let found = found.ok_or_else(|| format!("image {id:?}: not found"))?;
            let config = self.store.config(found.id).await.map_err(|error| error.to_string())?.config;
            Ok(Known {
                shown: found.tags.first().cloned().unwrap_or_else(|| name.to_owned()),
                id: identity(&found),
                digest: found.id.to_string(),
                config: ImageConfig {
                    user: config.user,
                    env: config.env,
                    entrypoint: config.entrypoint,
                    cmd: config.cmd,
                    working_dir: config.working_dir,
                    stop_signal: config.stop_signal,
                },
            })
        })
    }

    fn prepare<'a>(&'a self, container: &'a str, digest: &'a str) -> Later<'a, Layers> {
        Box::pin(async move {
            let digest: Digest = digest.parse().map_err(|_| format!("{digest:?} is no digest"))?;
            let prepared = self.store.prepare(container, digest).await.map_err(|error| error.to_string())?;
            Ok(Layers { lowers: prepared.lowers, upper: prepared.upper, work: prepared.work })
        })
    }

    fn release<'a>(&'a self, container: &'a str) -> Later<'a, ()> {
        Box::pin(async move { self.store.release(container).await.map_err(|error| error.to_string()) })
    }

    fn containers(&self) -> Later<'_, Vec<String>> {
        Box::pin(async move { self.store.containers().await.map_err(|error| error.to_string()) })
    }
}
