//! A server with an authority of its own that gives one answer to everybody.

use std::path::Path;
use std::sync::{Arc, Mutex};

use coracle_auth::pki::Authorities;
use coracle_auth::tls;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

/// The running server; it ends with this.
pub(crate) struct Stranger {
    pub(crate) address: String,
    heard: Arc<Mutex<String>>,
    _runtime: Runtime,
}

impl Stranger {
    pub(crate) fn start(data: &Path, body: String) -> Self {
        let authorities = Authorities::open(data).unwrap();
        let serving = authorities.serving(&["kubernetes"], &[[127, 0, 0, 1].into()]).unwrap();
        let mut config = tls::server_config(tls::Serving::new(&serving).unwrap(), &authorities).unwrap();
        config.alpn_protocols.clear();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let heard = Arc::new(Mutex::new(String::new()));
        let shared = Arc::clone(&heard);
        runtime.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                // A client that does not trust this server ends the handshake.
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut request = Vec::new();
                let mut bytes = [0; 1024];
                while !request.ends_with(b"\r\n\r\n") {
                    match stream.read(&mut bytes).await {
                        Ok(0) | Err(_) => break,
                        Ok(length) => request.extend_from_slice(&bytes[..length]),
                    }
                }
                shared.lock().unwrap().push_str(&String::from_utf8_lossy(&request));
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
                );
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        Self { address, heard, _runtime: runtime }
    }

    /// All that clients have said.
    pub(crate) fn heard(&self) -> String {
        self.heard.lock().unwrap().clone()
    }
}
