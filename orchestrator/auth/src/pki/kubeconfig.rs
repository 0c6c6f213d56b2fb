//! The kubeconfig of an administrator, in the form in which k3s writes `/etc/rancher/k3s/k3s.yaml`.

use std::path::Path;

use coracle_apimachinery::base64;

use super::{Authority, Credential, Error, files};

/// The text: cluster, user and context are all named `default`. `server` is a URL such as `https://127.0.0.1:6443`.
#[must_use]
pub fn kubeconfig(server: &str, authority: &Authority, credential: &Credential) -> String {
    let authority = base64::encode(authority.pem().as_bytes());
    let certificate = base64::encode(credential.chain_pem().as_bytes());
    let key = base64::encode(credential.key_pem().as_bytes());
    format!(
        "apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: {authority}
    server: {server}
  name: default
contexts:
- context:
    cluster: default
    user: default
  name: default
current-context: default
kind: Config
preferences: {{}}
users:
- name: default
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
"
    )
}

/// Writes a kubeconfig so that only its owner can read it.
///
/// # Errors
/// The path has no file name, or the disk failed.
pub fn write_kubeconfig(path: &Path, text: &str) -> Result<(), Error> {
    let name = path.file_name().and_then(|name| name.to_str());
    let (Some(directory), Some(name)) = (path.parent(), name) else {
        return Err(Error::Malformed { path: path.to_owned(), problem: "is no path of a file".into() });
    };
    // A name alone lies in the working directory.
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    files::make_directory(directory)?;
    files::write(directory, name, text.as_bytes(), files::SECRET)
}
