//! The kubeconfig of an administrator, in the form in which k3s writes `/etc/rancher/k3s/k3s.yaml`.

use std::fmt;
use std::path::Path;

use coracle_apimachinery::base64;

use super::{Authority, Credential, Error, files};

/// What a kubeconfig says. All texts of certificates and keys are PEM.
#[derive(Clone, Copy)]
pub struct Kubeconfig<'a> {
    /// Name of its cluster, user and context.
    pub name: &'a str,
    /// URL such as `https://127.0.0.1:6443`.
    pub server: &'a str,
    /// The name that the serving certificate must have where it is not the host of the URL.
    pub tls_server_name: Option<&'a str>,
    /// Certificate of the server's authority.
    pub authority: &'a str,
    /// The client's certificate, and its chain.
    pub certificate: &'a str,
    /// The client's private key.
    pub key: &'a str,
}

/// The text: cluster, user and context are all named `default`. `server` is a URL such as `https://127.0.0.1:6443`.
#[must_use]
pub fn kubeconfig(server: &str, authority: &Authority, credential: &Credential) -> String {
    let key = &credential.key_pem();
    let (authority, certificate) = (authority.pem(), credential.chain_pem());
    Kubeconfig { name: "default", server, tls_server_name: None, authority, certificate, key }.to_string()
}

impl fmt::Display for Kubeconfig<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, server, tls_server_name, .. } = self;
        let [authority, certificate, key] =
            [self.authority, self.certificate, self.key].map(|text| base64::encode(text.as_bytes()));
        let tls_server_name = tls_server_name.map(|name| format!("    tls-server-name: {name}\n")).unwrap_or_default();
        write!(
            f,
            "apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: {authority}
    server: {server}
{tls_server_name}  name: {name}
contexts:
- context:
    cluster: {name}
    user: {name}
  name: {name}
current-context: {name}
kind: Config
preferences: {{}}
users:
- name: {name}
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
"
        )
    }
}

/// A private key must not get into a log.
impl fmt::Debug for Kubeconfig<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kubeconfig").field("server", &self.server).finish_non_exhaustive()
    }
}

/// Makes sure that [`write_kubeconfig`] can write here, without touching a file that is there.
///
/// # Errors
/// The path has no file name, or the folder takes no file.
pub fn check_kubeconfig_place(path: &Path) -> Result<(), Error> {
    let (directory, name) = split(path)?;
    files::make_directory(directory)?;
    files::try_write(directory, name)
}

/// Writes a kubeconfig so that only its owner can read it.
///
/// # Errors
/// The path has no file name, or the disk failed.
pub fn write_kubeconfig(path: &Path, text: &str) -> Result<(), Error> {
    let (directory, name) = split(path)?;
    files::make_directory(directory)?;
    files::write(directory, name, text.as_bytes(), files::SECRET)
}

fn split(path: &Path) -> Result<(&Path, &str), Error> {
    let name = path.file_name().and_then(|name| name.to_str());
    let (Some(directory), Some(name)) = (path.parent(), name) else {
        return Err(Error::Malformed { path: path.to_owned(), problem: "is no path of a file".into() });
    };
    // A name alone lies in the working directory.
    Ok((if directory.as_os_str().is_empty() { Path::new(".") } else { directory }, name))
}
