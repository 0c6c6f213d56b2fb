//! A registry on the loopback device that can be told to misbehave.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use coracle_image_layout::{Builder, Descriptor, Digest, Entry, ImageConfig, Index, Manifest, Platform, media_type};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// What to do with the next request for something.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// This status with these headers.
    Status(u16, String),
    /// All headers, then only so many bytes, then the end.
    Cut(usize),
    /// One byte differs.
    Corrupt,
    /// The whole content whatever range was asked for.
    Whole,
    /// Not before this many requests have been seen.
    Hold(Arc<tokio::sync::Semaphore>),
}

/// A request that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) authorization: String,
    pub(crate) range: String,
    pub(crate) body: String,
}

#[derive(Debug, Default)]
struct State {
    content: BTreeMap<String, (String, Vec<u8>)>,
    acts: Vec<(String, VecDeque<Act>)>,
    seen: Vec<Seen>,
    /// The value of Authorization that is let in, and the challenge for others.
    door: Option<(String, String)>,
    token: Option<String>,
    connections: usize,
}

/// A registry on the loopback device.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) host: String,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub(crate) async fn start(tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
        let this = Self { host, state: Arc::default() };
        let server = this.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (server, tls) = (server.clone(), tls.clone());
                server.state.lock().unwrap().connections += 1;
                tokio::spawn(async move {
                    match tls {
                        None => server.serve(stream).await,
                        Some(config) => {
                            if let Ok(stream) = tokio_rustls::TlsAcceptor::from(config).accept(stream).await {
                                server.serve(stream).await;
                            }
                        }
                    }
                });
            }
        });
        this
    }

    /// Serves an image under `repository:tag`.
    pub(crate) fn add(&self, repository: &str, tag: &str, layers: &[Vec<Entry>]) -> Digest {
        let mut builder = Builder::new();
        let config = ImageConfig { entrypoint: vec!["/hello".to_owned()], ..ImageConfig::default() };
        let manifest = builder.image("", &platform(), config, layers).unwrap();
        self.add_built(repository, tag, &builder, &manifest);
        let manifest: Manifest = serde_json::from_slice(&builder.blobs()[&manifest.digest]).unwrap();
        manifest.config.digest
    }

    /// Serves everything of a builder, `target` under a tag.
    pub(crate) fn add_built(&self, repository: &str, tag: &str, builder: &Builder, target: &Descriptor) {
        let mut state = self.state.lock().unwrap();
        for (digest, bytes) in builder.blobs() {
            let kind = if serde_json::from_slice::<Index>(bytes).is_ok_and(|index| !index.manifests.is_empty()) {
                media_type::INDEX
            } else {
                media_type::MANIFEST
            };
            state.content.insert(format!("/v2/{repository}/blobs/{digest}"), (String::new(), bytes.clone()));
            state.content.insert(format!("/v2/{repository}/manifests/{digest}"), (kind.to_owned(), bytes.clone()));
        }
        let bytes = builder.blobs()[&target.digest].clone();
        state.content.insert(format!("/v2/{repository}/manifests/{tag}"), (target.media_type.clone(), bytes));
    }

    /// What to do with the next requests whose path holds `part`.
    pub(crate) fn act(&self, part: &str, acts: impl IntoIterator<Item = Act>) {
        self.state.lock().unwrap().acts.push((part.to_owned(), acts.into_iter().collect()));
    }

    /// Lets in only who brings `authorization`.
    pub(crate) fn lock(&self, authorization: &str, challenge: &str) {
        self.state.lock().unwrap().door = Some((authorization.to_owned(), challenge.to_owned()));
    }

    /// Answers requests for `/token`.
    pub(crate) fn tokens(&self, token: &str) {
        self.state.lock().unwrap().token = Some(token.to_owned());
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }

    async fn serve(self, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        let mut buffer = Vec::new();
        loop {
            let end = loop {
                if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                    break at + 4;
                }
                match stream.read_buf(&mut buffer).await {
                    Ok(1..) => {}
                    _ => return,
                }
            };
            let head = String::from_utf8(buffer.drain(..end).collect()).unwrap();
            let header = |name: &str| {
                head.lines()
                    .filter_map(|line| line.split_once(": "))
                    .find(|(key, _)| key.eq_ignore_ascii_case(name))
                    .map(|(_, value)| value.to_owned())
                    .unwrap_or_default()
            };
            let length: usize = header("content-length").parse().unwrap_or(0);
            while buffer.len() < length {
                if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                    return;
                }
            }
            let body = String::from_utf8(buffer.drain(..length).collect()).unwrap();
            let mut words = head.split(' ').map(str::to_owned);
            let seen = Seen {
                method: words.next().unwrap(),
                path: words.next().unwrap(),
                authorization: header("authorization"),
                range: header("range"),
                body,
            };
            let (act, answer, kept) = self.answer(&seen);
            if let Some(Act::Hold(gate)) = act {
                gate.acquire().await.unwrap().forget();
            }
            if stream.write_all(&answer).await.is_err() || !kept {
                let _ = stream.shutdown().await;
                return;
            }
        }
    }

    fn answer(&self, seen: &Seen) -> (Option<Act>, Vec<u8>, bool) {
        let mut state = self.state.lock().unwrap();
        state.seen.push(seen.clone());
        let act = state
            .acts
            .iter_mut()
            .find(|(part, acts)| seen.path.contains(part.as_str()) && !acts.is_empty())
            .and_then(|(_, acts)| acts.pop_front());
        let plain = |status: u16, headers: &str, body: &str| {
            format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len()).into_bytes()
        };
        if let Some(Act::Status(status, headers)) = &act {
            return (None, plain(*status, headers, ""), true);
        }
        if seen.path.starts_with("/token") {
            return match &state.token {
                Some(token) => (None, plain(200, "", &format!(r#"{{"token":"{token}"}}"#)), true),
                None => (None, plain(401, "", ""), true),
            };
        }
        if let Some((wanted, challenge)) = &state.door
            && seen.authorization != *wanted
        {
            return (None, plain(401, &format!("www-authenticate: {challenge}\r\n"), ""), true);
        }
        let Some((kind, content)) = state.content.get(&seen.path) else {
            return (None, plain(404, "", r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#), true);
        };
        let mut content = content.clone();
        let digest = Digest::of(&content);
        let start: usize =
            seen.range.strip_prefix("bytes=").map_or(0, |range| range.trim_end_matches('-').parse().unwrap());
        let partial = start > 0 && !matches!(act, Some(Act::Whole));
        let total = content.len();
        if matches!(act, Some(Act::Corrupt)) {
            content[total / 2] ^= 1;
        }
        let sent = if partial { &content[start..] } else { &content[..] };
        let mut head = format!("HTTP/1.1 {} X\r\ncontent-length: {}\r\n", if partial { 206 } else { 200 }, sent.len());
        if !kind.is_empty() {
            head.push_str(&format!("content-type: {kind}\r\ndocker-content-digest: {digest}\r\n"));
        }
        if partial {
            head.push_str(&format!("content-range: bytes {start}-{}/{total}\r\n", total - 1));
        }
        head.push_str("\r\n");
        let mut answer = head.into_bytes();
        let mut kept = true;
        if seen.method != "HEAD" {
            let most = match act {
                Some(Act::Cut(most)) => {
                    kept = false;
                    most.min(sent.len())
                }
                _ => sent.len(),
            };
            answer.extend_from_slice(&sent[..most]);
        }
        (act, answer, kept)
    }
}

/// The platform of all test images.
pub(crate) fn platform() -> Platform {
    Platform { architecture: "amd64".to_owned(), os: "linux".to_owned(), variant: String::new() }
}

/// A folder in memory, because the store makes everything durable and a disk shared with others is slow at that.
pub(crate) fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}
