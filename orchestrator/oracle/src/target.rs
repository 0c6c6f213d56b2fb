//! A server to ask: its address, the authority to trust, and who may ask.

use crate::certificates::{Authority, Pair, Purpose};
use crate::client::configuration;
use crate::error::{Error, Result};
use crate::process::{Environment, Program};
use crate::script::ADMIN;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How an identity proves itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// It does not.
    Anonymous,
    /// By a bearer token.
    Token(String),
    /// By a client certificate; chain and key in PEM.
    Certificate {
        /// Certificate chain.
        chain: String,
        /// Private key.
        key: String,
    },
}

/// A server and its identities.
#[derive(Debug, Clone)]
pub struct Target {
    /// `https://ADDRESS:PORT`.
    pub url: String,
    /// Certificates of the authorities to trust, in PEM.
    pub authority: String,
    /// The identities by the names that scripts use. `admin`, `nobody`, `node`, `anonymous` and `token` are needed.
    pub identities: BTreeMap<String, Credentials>,
    /// A kubeconfig with one context for each identity, named like it.
    pub kubeconfig: PathBuf,
    /// kubectl of the oracle's release.
    pub kubectl: PathBuf,
}

/// Who scripts may ask as: identity, common name, organisations.
const PEOPLE: [(&str, &str, &[&str]); 3] = [
    (ADMIN, "oracle-admin", &["system:masters"]),
    ("nobody", "oracle-nobody", &[]),
    ("node", "system:node:node-a", &["system:nodes"]),
];

/// A token that no server knows.
const UNKNOWN_TOKEN: &str = "not-a-token-of-any-server";

/// The identities that scripts use, for a server that trusts the authority's clients.
pub(crate) fn identities(authority: &Authority) -> Result<BTreeMap<String, Credentials>> {
    let mut identities = BTreeMap::from([
        ("anonymous".to_owned(), Credentials::Anonymous),
        ("token".to_owned(), Credentials::Token(UNKNOWN_TOKEN.to_owned())),
    ]);
    for (identity, name, organisations) in PEOPLE {
        let Pair { certificate, key } = authority.sign(Purpose::Client, name, organisations)?;
        identities.insert(identity.to_owned(), Credentials::Certificate { chain: certificate, key });
    }
    Ok(identities)
}

/// The files of a server from which its own authorities sign, laid out as k3s does below its data directory.
#[derive(Debug, Clone, Copy)]
pub struct DataDirectory<'a>(pub &'a Path);

/// How long kubectl may take to print its configuration.
const CONFIGURATION: Duration = Duration::from_secs(20);

impl Target {
    /// Reads a kubeconfig whose context names are the identities of the scripts.
    ///
    /// # Errors
    /// kubectl cannot read it, its contexts name several servers, or a user has credentials of another kind.
    pub async fn from_kubeconfig(kubeconfig: &Path, kubectl: &Path) -> Result<Self> {
        let subject = kubeconfig.display().to_string();
        let wrong = |problem: &str| Error::format(subject.as_str(), problem);
        // kubectl itself is the YAML reader: it also resolves certificates that stand in files of their own.
        let mut arguments: Vec<std::ffi::OsString> =
            ["config", "view", "--raw", "--flatten", "-o", "json", "--kubeconfig"].map(Into::into).to_vec();
        arguments.push(kubeconfig.into());
        let environment = Environment::Only(Vec::new());
        let program = Program { path: kubectl, arguments, directory: Path::new("/"), environment };
        let ended = program.output("", CONFIGURATION).await?;
        if ended.exit != 0 {
            return Err(wrong(&String::from_utf8_lossy(&ended.stderr)));
        }
        let view: Value = serde_json::from_slice(&ended.stdout).map_err(|error| wrong(&error.to_string()))?;
        let named = |list: &str, name: &str, key: &str| -> Option<Value> {
            let found = view.get(list)?.as_array()?.iter().find(|entry| entry["name"] == name)?;
            found.get(key).cloned()
        };
        let mut server: Option<(String, String)> = None;
        let mut identities = BTreeMap::new();
        for context in view["contexts"].as_array().into_iter().flatten() {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let name = text(&context["name"]);
            let cluster = named("clusters", &text(&context["context"]["cluster"]), "cluster");
            let cluster = cluster.ok_or_else(|| wrong("a context has no cluster"))?;
            let this = (text(&cluster["server"]), decode(&cluster["certificate-authority-data"]).unwrap_or_default());
            if *server.get_or_insert_with(|| this.clone()) != this {
                return Err(wrong("its contexts name several servers"));
            }
            let user = named("users", &text(&context["context"]["user"]), "user").unwrap_or_default();
            let credentials = match (decode(&user["client-certificate-data"]), decode(&user["client-key-data"])) {
                (Some(chain), Some(key)) => Credentials::Certificate { chain, key },
                _ => {
                    user["token"].as_str().map_or(Credentials::Anonymous, |token| Credentials::Token(token.to_owned()))
                }
            };
            identities.insert(name, credentials);
        }
        let (url, authority) = server.ok_or_else(|| wrong("it has no context"))?;
        let (kubeconfig, kubectl) = (kubeconfig.to_owned(), kubectl.to_owned());
        Ok(Self { url: url.trim_end_matches('/').to_owned(), authority, identities, kubeconfig, kubectl })
    }

    /// A server of this machine with the identities of the scripts, signed by the server's own client authority.
    /// `kubeconfig` is the file to write.
    ///
    /// # Errors
    /// A file of the data directory cannot be read or is no certificate or key, or the kubeconfig cannot be written.
    pub fn of_data_directory(url: &str, data: DataDirectory<'_>, kubeconfig: &Path, kubectl: &Path) -> Result<Self> {
        let read = |name: &str| {
            let path = data.0.join("server/tls").join(name);
            fs::read_to_string(&path).map_err(Error::file("read", &path))
        };
        let clients = Authority::existing(&read("client-ca.crt")?, &read("client-ca.key")?)?;
        let target = Self {
            url: url.to_owned(),
            authority: read("server-ca.crt")?,
            identities: identities(&clients)?,
            kubeconfig: kubeconfig.to_owned(),
            kubectl: kubectl.to_owned(),
        };
        target.write_kubeconfig()?;
        Ok(target)
    }

    /// What TLS needs to know to ask as an identity.
    ///
    /// # Errors
    /// There is no such identity, or its credentials cannot be used.
    pub fn tls(&self, identity: &str) -> Result<rustls::ClientConfig> {
        let credentials = self.identities.get(identity);
        let credentials = credentials.ok_or_else(|| Error::format(identity, "the target has no such identity"))?;
        tls(identity, &self.authority, credentials)
    }

    /// Writes the kubeconfig of this target. JSON is YAML.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_kubeconfig(&self) -> Result<()> {
        let cluster = json!({"server": self.url, "certificate-authority-data": STANDARD.encode(&self.authority)});
        let user = |credentials: &Credentials| match credentials {
            Credentials::Anonymous => json!({}),
            Credentials::Token(token) => json!({"token": token}),
            Credentials::Certificate { chain, key } => {
                json!({"client-certificate-data": STANDARD.encode(chain), "client-key-data": STANDARD.encode(key)})
            }
        };
        let users: Vec<Value> =
            self.identities.iter().map(|(name, who)| json!({"name": name, "user": user(who)})).collect();
        let contexts: Vec<Value> = self
            .identities
            .keys()
            .map(|name| json!({"name": name, "context": {"cluster": "target", "user": name}}))
            .collect();
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": ADMIN,
            "clusters": [{"name": "target", "cluster": cluster}], "users": users, "contexts": contexts,
        });
        fs::write(&self.kubeconfig, config.to_string()).map_err(Error::file("write", &self.kubeconfig))
    }
}

/// What TLS needs to know to ask a server of `authority` (PEM) with `credentials`. `name` stands in errors.
///
/// # Errors
/// The authority or the credentials cannot be used.
pub fn tls(name: &str, authority: &str, credentials: &Credentials) -> Result<rustls::ClientConfig> {
    configuration(name, authority, credentials)
}

fn decode(value: &Value) -> Option<String> {
    String::from_utf8(STANDARD.decode(value.as_str()?).ok()?).ok()
}
