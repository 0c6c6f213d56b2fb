//! `coracle kubeconfig`: the first administrator of a device gets a certificate with a token.
//!
//! The order is what makes it safe: first the authority of the device is learnt from a text that only a holder of the
//! token can have signed; then the same device must prove to have a certificate of that authority; only then does the
//! token go over the wire. The private key is made here and goes into the kubeconfig and nowhere else.

mod discovery;
mod error;
mod host;
mod request;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use aws_lc_rs::rand;
use clap::Args;
use coracle_apimachinery::{Value, yaml};
use coracle_auth::identity::MASTERS;
use coracle_auth::{bootstrap, pki};
use coracle_client::first_contact::NAME_PREFIX;
use http::{Request, StatusCode};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::time::Instant;

use crate::connection::{self, Answer, Connection};
use discovery::Authority;
use error::Error;
use host::Host;
use request::Pending;

/// Bound of connecting and of one answer.
const LIMIT: Duration = Duration::from_secs(15);
/// Bound of waiting for the certificate, once it was asked for. Within it a lost connection is tried again even without
/// `--wait`, since the token is used up by then.
const ISSUING: Duration = Duration::from_secs(120);
/// Pauses between attempts grow up to this.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));
/// A name that every device's certificate has.
const CERTAIN_NAME: &str = "kubernetes";

/// Flags of `coracle kubeconfig`.
#[derive(Debug, Args)]
pub(crate) struct Kubeconfig {
    /// The device: a name or an address, with a port if it is not 6443
    #[arg(value_name = "HOST[:PORT]", value_parser = Host::parse)]
    host: Host,

    /// The bootstrap token of the device's configuration: ID.SECRET
    #[arg(long, value_name = "TOKEN")]
    token: Token,

    /// File that gets the kubeconfig; - prints it, with its private key
    #[arg(long, short = 'o', value_name = "FILE", default_value = "kubeconfig")]
    output: PathBuf,

    /// Name of cluster, user and context in the kubeconfig
    #[arg(long, value_name = "NAME", default_value = "coracle", value_parser = name)]
    name: String,

    /// Replace a file that is there
    #[arg(long)]
    force: bool,

    /// Seconds to keep trying while the device does not answer or does not know the token yet
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=86_400))]
    wait: u64,
}

/// A bootstrap token.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token {
    id: String,
    secret: String,
}

/// What one run keeps over its attempts.
struct Contact<'a> {
    host: &'a Host,
    token: &'a Token,
    name: String,
    request: pki::Request,
    /// When the request was sent first.
    sent: Option<Instant>,
}

/// What the device gave.
struct Given {
    authority: Authority,
    certificate: String,
    tls_server_name: Option<&'static str>,
}

/// Gets a certificate and writes the kubeconfig.
pub(crate) fn run(arguments: &Kubeconfig) -> Result<(), Box<dyn std::error::Error>> {
    let to_file = Some(arguments.output.as_path()).filter(|path| *path != Path::new("-"));
    // Before the token is used up, everything else that may fail is tried.
    if let Some(path) = to_file {
        if !arguments.force && path.symlink_metadata().is_ok() {
            return Err(Error::Exists(path.to_owned()).into());
        }
        pki::check_kubeconfig_place(path)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut contact = Contact::new(&arguments.host, &arguments.token)?;
    let given = runtime.block_on(contact.make(Duration::from_secs(arguments.wait)))?;
    let text = pki::Kubeconfig {
        name: &arguments.name,
        server: &format!("https://{}", arguments.host),
        tls_server_name: given.tls_server_name,
        authority: &given.authority.pem,
        certificate: &given.certificate,
        key: &contact.request.key_pem,
    };
    match to_file {
        None => std::io::stdout().write_all(text.to_string().as_bytes())?,
        Some(path) => {
            pki::write_kubeconfig(path, &text.to_string())?;
            let path = path.display();
            eprintln!("{path}: administrator of {} as {}; the token is used", arguments.host, contact.name);
        }
    }
    Ok(())
}

impl<'a> Contact<'a> {
    fn new(host: &'a Host, token: &'a Token) -> Result<Self, pki::Error> {
        let mut random = [0; 5];
        rand::fill(&mut random).map_err(|_| pki::Error::Crypto("make a random name"))?;
        let suffix: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = format!("{NAME_PREFIX}{suffix}");
        let request = pki::request_client(&name, MASTERS)?;
        Ok(Self { host, token, name, request, sent: None })
    }

    /// Tries until it works, fails for good, or the time is over.
    async fn make(&mut self, wait: Duration) -> Result<Given, Error> {
        let (mut pause, longest) = PAUSES;
        let begin = Instant::now();
        loop {
            let error = match self.attempt().await {
                Ok(given) => return Ok(given),
                Err(error) => error,
            };
            let end = (begin + wait).max(self.sent.map_or(begin, |sent| sent + ISSUING));
            let next = Instant::now() + pause;
            if !error.may_pass() || next > end {
                return Err(error);
            }
            tokio::time::sleep_until(next).await;
            pause = (pause * 2).min(longest);
        }
    }

    async fn attempt(&mut self) -> Result<Given, Error> {
        let authority = self.within(LIMIT, self.discover()).await?;
        let (mut connection, tls_server_name) = self.within(LIMIT, self.connect(&authority)).await?;
        let mut sent = self.sent.is_some();
        let pending = Pending { host: self.host, token: self.token, name: &self.name, pem: &self.request.pem };
        let asked = Instant::now();
        let certificate = self.within(ISSUING, pending.certificate(&mut connection, &mut sent)).await;
        if sent {
            self.sent.get_or_insert(asked);
        }
        let certificate = certificate?;
        self.check(&certificate)?;
        Ok(Given { authority, certificate, tls_server_name })
    }

    async fn within<T>(&self, limit: Duration, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(Error::Late(self.host.clone(), limit.as_secs())))
    }

    fn unreachable(&self, error: connection::Error) -> Error {
        Error::Unreachable(self.host.clone(), error)
    }

    fn nonsense(&self, why: &impl ToString) -> Error {
        Error::Nonsense(self.host.clone(), why.to_string())
    }

    async fn open(
        &self,
        name: ServerName<'static>,
        tls: rustls::ClientConfig,
    ) -> Result<Connection, connection::Error> {
        Connection::open((self.host.name.as_str(), self.host.port), name, tls).await
    }

    /// Learns the authority of the device.
    async fn discover(&self) -> Result<Authority, Error> {
        let tls = connection::trusting_anybody().map_err(|error| self.nonsense(&error))?;
        let name = self.host.server_name().map_err(|error| self.nonsense(&error))?;
        let mut connection = self.open(name, tls).await.map_err(|error| self.unreachable(error))?;
        let request = Request::get(discovery::path()).header("host", self.host.to_string());
        let request = request.header("accept", "application/json").body(<_>::default());
        let request = request.map_err(|error| self.nonsense(&error))?;
        let answer = connection.ask(request).await.map_err(|error| self.unreachable(error))?;
        discovery::read(self.host, self.token, &answer)
    }

    /// Connects to a server that the authority vouches for. A device need not know the name or address at which it is
    /// reached; then the name counts that every device has, and the kubeconfig says so.
    async fn connect(&self, authority: &Authority) -> Result<(Connection, Option<&'static str>), Error> {
        let tls = connection::trusting(&authority.certificates).map_err(|error| self.nonsense(&error))?;
        let name = self.host.server_name().map_err(|error| self.nonsense(&error))?;
        let (connected, tls_server_name) = match self.open(name, tls.clone()).await {
            Err(connection::Error::Name(_)) => {
                let name = ServerName::try_from(CERTAIN_NAME).map_err(|error| self.nonsense(&error))?;
                (self.open(name, tls).await, Some(CERTAIN_NAME))
            }
            connected => (connected, None),
        };
        let connection = connected.map_err(|error| match error {
            connection::Error::Tls(rustls::Error::InvalidCertificate(_)) | connection::Error::Name(_) => {
                Error::Stranger(self.host.clone(), error)
            }
            error => self.unreachable(error),
        })?;
        Ok((connection, tls_server_name))
    }

    /// Makes sure that the certificate is for the key that was made here.
    fn check(&self, certificate: &str) -> Result<(), Error> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect();
        let chain = chain.map_err(|error| self.nonsense(&error))?;
        let key =
            PrivateKeyDer::from_pem_slice(self.request.key_pem.as_bytes()).map_err(|error| self.nonsense(&error))?;
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let pair = rustls::sign::CertifiedKey::from_der(chain, key, &provider);
        pair.and_then(|pair| pair.keys_match()).map_err(|error| self.nonsense(&error))
    }
}

/// The tree of an answer that is no refusal.
fn answered(host: &Host, answer: &Answer) -> Result<Value, Error> {
    let tree = discovery::tree(host, &answer.body);
    if answer.status.is_success() {
        return tree;
    }
    let message = tree.ok().map(|tree| tree.text_at(&["message"]).to_owned()).filter(|text| !text.is_empty());
    let message = message.unwrap_or_else(|| answer.status.to_string());
    if answer.status == StatusCode::UNAUTHORIZED {
        return Err(Error::Refused(host.clone(), "the token has expired or was deleted".to_owned()));
    }
    if answer.status.is_server_error() || answer.status == StatusCode::TOO_MANY_REQUESTS {
        return Err(Error::NotReady(host.clone(), message));
    }
    Err(Error::Refused(host.clone(), message))
}

impl FromStr for Token {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (id, secret) = bootstrap::split(text)
            .ok_or("a token is written ID.SECRET: six and sixteen of the characters a-z and 0-9")?;
        Ok(Self { id: id.to_owned(), secret: secret.to_owned() })
    }
}

/// The secret must not get into a log.
impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Token").field(&self.id).finish()
    }
}

/// A name that needs no quotes in YAML: not `yes` or `null` either.
fn name(text: &str) -> Result<String, &'static str> {
    let is_text = yaml::decode_any(text.as_bytes()).is_ok_and(|value| value.as_str() == Some(text));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'@');
    let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    if is_text && first && text.len() <= 63 && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("a name begins with a letter, has up to 63 letters, digits and characters of -_.@, and is no word of YAML")
    }
}

#[cfg(test)]
mod tests {
    use super::{Token, name};

    #[test]
    fn names_stay_texts_in_yaml() {
        for good in ["coracle", "my-device.local", "a@b", "Nodes", "y1"] {
            assert_eq!(name(good).as_deref(), Ok(good));
        }
        for bad in ["", "1", "-a", "yes", "Null", "true", "a b", "a: b", "a\nb", "ä", &"a".repeat(64)] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_secret_of_a_token_is_not_shown() {
        let token: Token = "abcdef.0123456789abcdef".parse().unwrap();
        assert_eq!(format!("{token:?}"), r#"Token("abcdef")"#);
        assert!("abcdef.0123456789ABCDEF".parse::<Token>().is_err());
    }
}
