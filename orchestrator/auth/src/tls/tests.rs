use super::*;
use crate::pki::{Authorities, Authority, Credential, Lifetime};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ServerConnection};

/// Runs a handshake in memory.
fn shake(mut client: ClientConnection, mut server: ServerConnection) -> Result<ServerConnection, TlsError> {
    for _ in 0..10 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut wire = wire.as_slice();
        while !wire.is_empty() {
            server.read_tls(&mut wire).unwrap();
            server.process_new_packets()?;
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut wire = wire.as_slice();
        while !wire.is_empty() {
            client.read_tls(&mut wire).unwrap();
            client.process_new_packets()?;
        }
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    Ok(server)
}

fn client(server_authority: &Authority, credential: Option<&Credential>, name: &'static str) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    roots.add(server_authority.certificate().clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match credential {
        Some(credential) => builder.with_client_auth_cert(credential.chain().to_vec(), credential.key()).unwrap(),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    ClientConnection::new(Arc::new(config), ServerName::try_from(name).unwrap()).unwrap()
}

#[test]
fn a_client_certificate_is_asked_for_but_not_judged() {
    let (data, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let authorities = Authorities::open(data.path()).unwrap();
    let other = Authorities::open(elsewhere.path()).unwrap();
    let serving = authorities.serving(&["kubernetes.default.svc"], &[[127, 0, 0, 1].into()]).unwrap();
    let config = Arc::new(server_config(Serving::new(&serving).unwrap(), &authorities).unwrap());
    let server = || ServerConnection::new(Arc::clone(&config)).unwrap();
    let right = authorities.client("x", &["a", "b", "c"], Lifetime::Device).unwrap();
    let wrong = other.client("x", &[], Lifetime::Device).unwrap();
    for (credential, presented) in [(None, None), (Some(&right), Some(2)), (Some(&wrong), Some(2))] {
        for name in ["kubernetes.default.svc", "127.0.0.1"] {
            let connection = shake(client(&authorities.server, credential, name), server()).unwrap();
            assert_eq!(connection.peer_certificates().map(<[_]>::len), presented);
            assert_eq!(connection.alpn_protocol(), Some(&b"h2"[..]));
        }
    }
    assert!(shake(client(&authorities.server, None, "example.com"), server()).is_err());
    assert!(shake(client(&other.server, None, "127.0.0.1"), server()).is_err());
}

#[test]
fn a_replaced_certificate_is_served_from_then_on() {
    let data = tempfile::tempdir().unwrap();
    let authorities = Authorities::open(data.path()).unwrap();
    let serving = Serving::new(&authorities.serving(&[], &[[127, 0, 0, 1].into()]).unwrap()).unwrap();
    let config = Arc::new(server_config(Arc::clone(&serving), &authorities).unwrap());
    let server = || ServerConnection::new(Arc::clone(&config)).unwrap();
    let at = |name| shake(client(&authorities.server, None, name), server());
    assert!(at("127.0.0.1").is_ok());
    assert!(at("192.0.2.1").is_err());
    serving.replace(&authorities.serving(&[], &[[192, 0, 2, 1].into()]).unwrap()).unwrap();
    assert!(at("127.0.0.1").is_err());
    assert!(at("192.0.2.1").is_ok());
}
