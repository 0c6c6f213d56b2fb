//! Debian's registry over TLS in the node's network, with an authority of its own.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use coracle_image_layout::{Descriptor, Digest, Index, Manifest, annotation};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::node::Node;

/// Where it listens. The node knows it under two names, one of which it is told to trust by the wrong authority.
pub(crate) const ADDRESS: &str = "127.0.0.1:5000";
const BY_NAME: &str = "localhost:5000";

/// Where the node reads whom to trust.
const SETTINGS: &str = "/etc/rancher/k3s";

/// A running registry; dropping it ends it.
pub(crate) struct Registry(Child);

/// What `.ci/test` has made of locked packages.
pub(crate) fn made(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    assert!(path.exists(), "{} is missing: .ci/test makes it", path.display());
    path
}

/// Writes certificates, the node's settings and the registry's into the folder of a node.
pub(crate) fn prepare(folder: &Path) {
    let (settings, own) = (folder.join("etc/rancher/k3s"), folder.join("registry"));
    fs::create_dir_all(&settings).unwrap();
    fs::create_dir_all(&own).unwrap();
    let (right, wrong) = (Authority::new("rig"), Authority::new("somebody else"));
    fs::write(settings.join("right.pem"), &right.pem).unwrap();
    fs::write(settings.join("wrong.pem"), &wrong.pem).unwrap();
    let yaml = format!(
        "mirrors:\n  registry.test:\n    endpoint: ['https://{ADDRESS}']\n  {BY_NAME}:\n    endpoint: ['https://{BY_NAME}']\n\
         configs:\n  {ADDRESS}:\n    tls: {{ca_file: {SETTINGS}/right.pem}}\n  {BY_NAME}:\n    tls: {{ca_file: {SETTINGS}/wrong.pem}}\n"
    );
    fs::write(settings.join("registries.yaml"), yaml).unwrap();
    let (certificate, key) = right.server(&["127.0.0.1", "localhost"]);
    fs::write(own.join("certificate.pem"), certificate).unwrap();
    fs::write(own.join("key.pem"), key).unwrap();
    let shown = own.display();
    let config = format!(
        "version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: {shown}/data}}}}\n\
         http: {{addr: '{ADDRESS}', tls: {{certificate: {shown}/certificate.pem, key: {shown}/key.pem}}}}\n"
    );
    fs::write(own.join("config.yml"), config).unwrap();
}

/// Puts an image of a layout into the registry, as its folders have it.
pub(crate) fn put(folder: &Path, layout: &Path, image: &Descriptor) {
    let name = &image.annotations[annotation::IMAGE_NAME];
    let (repository, tag) = name.split_once('/').unwrap().1.split_once(':').unwrap();
    let root = folder.join("registry/data/docker/registry/v2");
    let own = root.join("repositories").join(repository);
    let link = |place: &str, digest: &Digest| write(&own.join(place).join("link"), digest.to_string().as_bytes());
    for part in parts(layout, image) {
        let hex = part.hex();
        write(&root.join("blobs/sha256").join(&hex[..2]).join(&hex).join("data"), &blob(layout, &part));
        link(&format!("_layers/sha256/{hex}"), &part);
    }
    let hex = image.digest.hex();
    write(&root.join("blobs/sha256").join(&hex[..2]).join(&hex).join("data"), &blob(layout, &image.digest));
    link(&format!("_manifests/revisions/sha256/{hex}"), &image.digest);
    link(&format!("_manifests/tags/{tag}/current"), &image.digest);
    link(&format!("_manifests/tags/{tag}/index/sha256/{hex}"), &image.digest);
}

/// Configuration and layers of an image.
pub(crate) fn parts(layout: &Path, image: &Descriptor) -> Vec<Digest> {
    let manifest: Manifest = serde_json::from_slice(&blob(layout, &image.digest)).unwrap();
    manifest.layers.iter().chain([&manifest.config]).map(|part| part.digest).collect()
}

/// Content of a layout.
pub(crate) fn blob(layout: &Path, digest: &Digest) -> Vec<u8> {
    fs::read(layout.join("blobs/sha256").join(digest.hex())).unwrap()
}

/// The images of a layout.
pub(crate) fn index(layout: &Path) -> Index {
    serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap()
}

fn write(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

impl Registry {
    /// Starts it and waits until it listens.
    pub(crate) fn start(node: &Node) -> Self {
        let mut command = node.enter(&made("docker-registry"));
        command.arg("serve").arg(node.folder().join("registry/config.yml"));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut registry = Self(child);
        let mut lines = BufReader::new(registry.0.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut said = Vec::new();
        loop {
            let Some(line) = lines.next() else { panic!("the registry ended: {said:#?}") };
            let listens = line.contains("listening on");
            said.push(line);
            if listens {
                break;
            }
        }
        // It goes on writing.
        std::thread::spawn(move || lines.for_each(drop));
        registry
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An authority of certificates.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = parameters.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(parameters, key) }
    }

    /// Certificate and key of a server.
    fn server(&self, names: &[&str]) -> (String, String) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new(names).unwrap();
        (parameters.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}
