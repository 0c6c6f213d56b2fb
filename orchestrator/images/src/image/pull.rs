//! Pulling: from a name to an image that can be run.

use std::sync::Arc;

use coracle_image_layout::{Descriptor, Digest, Image, Index, Manifest, media_type};
use tokio::task::JoinSet;

use super::names::Record;
use super::{
    CONFIG_BYTES, Cause, Error, Inner, Policy, Pulled, Store, parse_image, parse_manifest, platform, reference,
};
use crate::blocking;
use crate::content;
use crate::flight::Pass;
use crate::layers::Packed;
use crate::reference::Reference;
use crate::registry::{Credential, Keychain, MANIFEST_BYTES, Who};

/// Blobs that one pull fetches at a time, as many as containerd.
const AT_ONCE: usize = 3;
/// Most layers of an image: what overlayfs can stack.
const LAYERS: usize = 500;
/// Longest layer.
const LAYER_BYTES: u64 = 64 << 30;
/// How deep indexes may lie in indexes.
const NESTED: usize = 2;

/// One pull in one name.
struct Pull {
    inner: Arc<Inner>,
    image: Reference,
    credential: Option<Credential>,
    keychain: Keychain,
    pass: Pass,
}

/// What a manifest says, checked.
struct Parts {
    manifest: Manifest,
    image: Image,
}

impl Store {
    /// Makes sure that an image is here and unpacked. Credentials that fit its name are tried one after the other.
    ///
    /// # Errors
    /// The name is none, the policy forbids, or the registry, the image or the disk does not let us.
    pub async fn pull(&self, name: &str, policy: Policy, credentials: &Keychain) -> Result<Pulled, Error> {
        let image = reference(name)?;
        if policy != Policy::Always
            && let Some(found) = self.find(&image.to_string()).await?
        {
            return Ok(found);
        }
        if policy == Policy::Never {
            return Err(Error::NeverPull(name.to_owned()));
        }
        let pass = self.0.gate.enter().await;
        let mut candidates: Vec<Option<Credential>> = credentials.matching(&image).into_iter().map(Some).collect();
        if candidates.is_empty() {
            candidates.push(None);
        }
        let mut outcome = Err(Error::NotPresent(name.to_owned()));
        for credential in candidates {
            let pull = Pull {
                inner: Arc::clone(&self.0),
                image: image.clone(),
                credential,
                keychain: credentials.clone(),
                pass: pass.clone(),
            };
            outcome = pull.run().await;
            if outcome.is_ok() {
                break;
            }
        }
        let record = outcome?;
        self.name(image.to_string(), record).await?;
        self.0.by_id(&record.config).ok_or_else(|| Error::NotPresent(name.to_owned()))
    }

    /// Unpacks the layers that are not yet.
    pub(super) async fn unpack(
        &self,
        layers: &[Descriptor],
        image: &Image,
        pass: &Pass,
    ) -> Result<(), (Digest, Error)> {
        let chain = image.rootfs.chain_ids();
        let mut parents: Vec<Digest> = Vec::new();
        for ((layer, chain), diff_id) in layers.iter().zip(&chain).zip(&image.rootfs.diff_ids) {
            self.unpack_one(layer, *chain, *diff_id, parents.clone(), pass).await.map_err(|error| (*diff_id, error))?;
            parents.insert(0, *chain);
        }
        Ok(())
    }

    async fn unpack_one(
        &self,
        layer: &Descriptor,
        chain: Digest,
        diff_id: Digest,
        parents: Vec<Digest>,
        pass: &Pass,
    ) -> Result<(), Error> {
        let held = self.0.flights.enter(chain, pass).await;
        let (inner, digest) = (Arc::clone(&self.0), layer.digest);
        blocking(move || {
            let _held = held;
            if inner.layers.has(&chain) {
                return Ok(());
            }
            let packed = Packed { file: inner.content.file(&digest)?, digest, diff_id };
            let outcome = inner.layers.unpack(&chain, packed, &parents);
            if let Err(crate::layers::Error::Digest { .. }) = &outcome {
                // The next pull fetches it again.
                inner.content.discard(&digest)?;
            }
            Ok(outcome?)
        })
        .await?
    }
}

impl Pull {
    async fn run(&self) -> Result<Record, Error> {
        let resolving = || format!("failed to resolve reference {:?}: ", self.image.to_string());
        let resolved = self.inner.client.resolve(&self.image, self.who()).await;
        let (target, bytes) = resolved.map_err(|failure| self.failed(resolving(), failure))?;
        let copying = |cause: Cause| match cause {
            cause @ Cause::Registry(_) => self.failed("failed to copy: ".to_owned(), cause),
            cause => self.failed(String::new(), cause),
        };
        let (manifest_digest, manifest) = self.manifest(&target, bytes).await.map_err(copying)?;
        let parts = self.parts(manifest).await.map_err(copying)?;
        self.layers(&parts).await.map_err(copying)?;
        let store = Store(Arc::clone(&self.inner));
        let unpacked = store.unpack(&parts.manifest.layers, &parts.image, &self.pass).await;
        unpacked.map_err(|(diff, error)| {
            let cause = match error {
                Error::Layer(error) => Cause::Layer(error),
                Error::Content(error) => Cause::Content(error),
                Error::Io(error) => Cause::Io(error),
                other => Cause::Document(other.to_string()),
            };
            self.failed(format!("failed to extract layer {diff}: "), cause)
        })?;
        let packed = parts.manifest.layers.iter().fold(0, |sum: u64, layer| sum.saturating_add(layer.size));
        Ok(Record {
            target: target.digest,
            manifest: manifest_digest,
            config: parts.manifest.config.digest,
            size: packed.saturating_add(parts.manifest.config.size),
        })
    }

    fn who(&self) -> Who<'_> {
        Who { origin: self.credential.as_ref(), keychain: &self.keychain }
    }

    fn failed(&self, step: String, cause: impl Into<Cause>) -> Error {
        Error::Pull { image: self.image.to_string(), step, cause: Box::new(cause.into()) }
    }

    /// The manifest for this machine; all documents on the way to it are kept.
    async fn manifest(&self, target: &Descriptor, bytes: Option<Vec<u8>>) -> Result<(Digest, Manifest), Cause> {
        let mut at = target.digest;
        let mut bytes = self.document(at, bytes).await?;
        for _ in 0..=NESTED {
            let Some(index) = as_index(&bytes)? else {
                let manifest = parse_manifest(&bytes).map_err(|error| Cause::Document(error.to_string()))?;
                return Ok((at, manifest));
            };
            let chosen = platform::choose(&self.inner.platform, &index.manifests);
            at = chosen.ok_or_else(|| no_match(&at))?.digest;
            bytes = self.document(at, None).await?;
        }
        Err(Cause::Document("image index lies too deep".to_owned()))
    }

    /// A manifest or index: given, kept from before, or fetched.
    async fn document(&self, digest: Digest, given: Option<Vec<u8>>) -> Result<Vec<u8>, Cause> {
        let held = self.inner.flights.enter(digest, &self.pass).await;
        let inner = Arc::clone(&self.inner);
        let here = blocking(move || inner.content.read(&digest, MANIFEST_BYTES)).await?;
        let bytes = match (here, given) {
            (Ok(bytes), _) => return Ok(bytes),
            (Err(content::Error::Io(error)), _) => return Err(error.into()),
            (Err(_), Some(bytes)) => bytes,
            (Err(_), None) => self.inner.client.manifest(&self.image, digest, self.who()).await?,
        };
        let inner = Arc::clone(&self.inner);
        let kept = blocking(move || {
            let _held = held;
            inner.content.put(digest, &bytes).map(|()| bytes)
        });
        Ok(kept.await??)
    }

    /// Fetches the configuration and checks that it goes with the manifest.
    async fn parts(&self, manifest: Manifest) -> Result<Parts, Cause> {
        let config = &manifest.config;
        if config.size > CONFIG_BYTES {
            return Err(Cause::Document(format!("image configuration is longer than {CONFIG_BYTES} bytes")));
        }
        self.blob(config).await?;
        let (inner, digest) = (Arc::clone(&self.inner), config.digest);
        let bytes = blocking(move || inner.content.read(&digest, CONFIG_BYTES)).await??;
        let image = parse_image(&bytes).map_err(|error| Cause::Document(error.to_string()))?;
        let offered = coracle_image_layout::Platform {
            architecture: image.architecture.clone(),
            os: image.os.clone(),
            variant: image.variant.clone(),
        };
        if !platform::runs(&self.inner.platform, &offered) {
            return Err(no_match(&digest));
        }
        check_layers(&manifest, &image).map_err(Cause::Document)?;
        Ok(Parts { manifest, image })
    }

    /// Fetches the layers that are neither here nor unpacked, a few at a time.
    async fn layers(&self, parts: &Parts) -> Result<(), Cause> {
        let chain = parts.image.rootfs.chain_ids();
        let mut wanted: Vec<&Descriptor> = Vec::new();
        for (layer, chain) in parts.manifest.layers.iter().zip(&chain) {
            if !self.inner.layers.has(chain) && !wanted.iter().any(|other| other.digest == layer.digest) {
                wanted.push(layer);
            }
        }
        let mut running: JoinSet<Result<(), Cause>> = JoinSet::new();
        for layer in wanted {
            if running.len() >= AT_ONCE
                && let Some(done) = running.join_next().await
            {
                done.map_err(std::io::Error::from)??;
            }
            let (pull, layer) = (self.again(), layer.clone());
            running.spawn(async move { pull.blob(&layer).await });
        }
        while let Some(done) = running.join_next().await {
            done.map_err(std::io::Error::from)??;
        }
        Ok(())
    }

    /// Brings one blob in, unless it is here or another pull has just brought it.
    async fn blob(&self, blob: &Descriptor) -> Result<(), Cause> {
        let held = self.inner.flights.enter(blob.digest, &self.pass).await;
        if self.inner.content.has(&blob.digest, blob.size) {
            return Ok(());
        }
        Ok(self.inner.client.download(&self.image, blob, &self.inner.content, self.who(), held).await?)
    }

    fn again(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            image: self.image.clone(),
            credential: self.credential.clone(),
            keychain: self.keychain.clone(),
            pass: self.pass.clone(),
        }
    }
}

/// The document as an index, if it is one. Media types are told by members, because registries mislabel.
pub(super) fn as_index(bytes: &[u8]) -> Result<Option<Index>, Cause> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Shape {
        #[serde(default)]
        schema_version: u32,
        #[serde(default)]
        media_type: String,
        manifests: Option<serde::de::IgnoredAny>,
        config: Option<serde::de::IgnoredAny>,
    }
    let bad = |error: serde_json::Error| Cause::Document(format!("invalid image manifest: {error}"));
    let shape: Shape = serde_json::from_slice(bytes).map_err(bad)?;
    if shape.schema_version == 1 {
        return Err(Cause::Document("media type \"application/vnd.docker.distribution.manifest.v1+prettyjws\" is no longer supported, please rebuild the image".to_owned()));
    }
    let named = [media_type::INDEX, media_type::DOCKER_LIST].contains(&shape.media_type.as_str());
    match (shape.manifests, shape.config) {
        (Some(_), Some(_)) => Err(Cause::Document("document is a manifest and an index".to_owned())),
        (Some(_), None) => Ok(Some(serde_json::from_slice(bytes).map_err(bad)?)),
        (None, _) if named => Err(Cause::Document("image index without manifests".to_owned())),
        (None, _) => Ok(None),
    }
}

fn no_match(digest: &Digest) -> Cause {
    let text = format!("no match for platform in manifest {digest}");
    Cause::Registry(crate::registry::Failure::NotFound(text))
}

/// That layers and configuration go together and can be stacked.
pub(super) fn check_layers(manifest: &Manifest, image: &Image) -> Result<(), String> {
    let (layers, diffs) = (manifest.layers.len(), image.rootfs.diff_ids.len());
    if layers != diffs {
        return Err(format!("mismatched image rootfs and manifest layers: {diffs} and {layers}"));
    }
    if layers > LAYERS {
        return Err(format!("image has more than {LAYERS} layers"));
    }
    let known = [
        media_type::LAYER,
        media_type::LAYER_GZIP,
        media_type::LAYER_ZSTD,
        media_type::DOCKER_LAYER,
        media_type::DOCKER_LAYER_PLAIN,
        media_type::DOCKER_LAYER_ZSTD,
    ];
    for layer in &manifest.layers {
        if !known.contains(&layer.media_type.as_str()) {
            return Err(format!("unsupported layer media type {:?}", layer.media_type));
        }
        if layer.size > LAYER_BYTES {
            return Err(format!("layer {} is longer than {LAYER_BYTES} bytes", layer.digest));
        }
    }
    Ok(())
}
