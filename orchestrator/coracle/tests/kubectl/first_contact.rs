//! The first administrator of a device, from the other side of the wire.

mod stranger;

use std::fs;
use std::io::copy;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use coracle_apimachinery::{Value, json};
use coracle_client::object::items;

use crate::common::{Server, kubectl};
use stranger::Stranger;

const TOKEN: &str = "abcdef.0123456789abcdef";
const USED: &str = "the bootstrap token abcdef was used: it is good for one certificate";
const UNKNOWN: &str = "does not know the token abcdef: it was used, has expired, or the device has not finished";

/// A device with what an administrator sees of it.
struct Device {
    server: Server,
    host: String,
    kubectl: PathBuf,
}

impl Device {
    fn start() -> Self {
        // A server that is bound to loopback has no cluster-info.
        let server = Server::start_at("0.0.0.0", &["--disable-scheduler"]);
        let host = server.url.replacen("https://0.0.0.0", "127.0.0.1", 1);
        Self { server, host, kubectl: kubectl() }
    }

    fn host(&self) -> &str {
        &self.host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.server.directory.path().join(name)
    }

    fn ask(&self, arguments: &str) -> String {
        let output = self.server.kubectl(&self.kubectl, arguments);
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Makes the Secret of the token, as the machine's configuration does.
    fn issue(&self, expiration: &str) {
        let (id, secret) = TOKEN.split_once('.').unwrap();
        let text = format!(
            "apiVersion: v1
kind: Secret
type: bootstrap.kubernetes.io/token
metadata: {{name: bootstrap-token-{id}, namespace: kube-system}}
stringData:
  token-id: {id}
  token-secret: {secret}
  expiration: '{expiration}'
  usage-bootstrap-authentication: 'true'
  usage-bootstrap-signing: 'true'
  auth-extra-groups: system:bootstrappers:coracle:administrators
"
        );
        fs::write(self.path("token.yaml"), text).unwrap();
        self.ask(&format!("create -f {}", self.path("token.yaml").display()));
    }

    /// Starts `coracle kubeconfig` for a host.
    fn contact(&self, host: &str, output: &str, more: &[&str]) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coracle"));
        command.args(["kubeconfig", "--token", TOKEN, host, "--output"]).arg(self.path(output)).args(more);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// What somebody sees who uses a kubeconfig.
    fn user(&self, kubeconfig: &str, arguments: &str) -> String {
        self.ask(&format!("--kubeconfig {} {arguments}", self.path(kubeconfig).display()))
    }

    fn requests(&self) -> Value {
        json::decode_any(self.ask("get csr -o json").as_bytes()).unwrap()
    }
}

/// The error text of a run that must fail and must leave no file.
fn refused(device: &Device, child: Child, output: &str) -> String {
    let text = text(&child.wait_with_output().unwrap(), false);
    assert!(!device.path(output).exists(), "{text}");
    text
}

fn text(output: &Output, success: bool) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.success(), success, "{text}");
    assert!(!text.contains("0123456789abcdef") && !text.contains("PRIVATE KEY"), "{text}");
    text
}

/// Passes bytes on, at an address that the device's certificate does not name.
fn relay(to: &str) -> String {
    let listener = TcpListener::bind("127.0.0.2:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let to = to.to_owned();
    thread::spawn(move || {
        for near in listener.incoming() {
            let (near, far) = (near.unwrap(), TcpStream::connect(&to).unwrap());
            for (mut from, mut to) in [(near.try_clone().unwrap(), far.try_clone().unwrap()), (far, near)] {
                thread::spawn(move || {
                    let _ = copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Write);
                });
            }
        }
    });
    address
}

#[test]
fn a_token_makes_one_administrator() {
    let device = Device::start();
    // The token comes after the asker, who waits for it.
    let waiting = device.contact(device.host(), "mine", &["--wait", "60", "--name", "edge"]);
    device.issue("2999-01-01T00:00:00Z");
    let told = text(&waiting.wait_with_output().unwrap(), true);
    assert!(told.contains("the token is used"), "{told}");
    assert_eq!(fs::metadata(device.path("mine")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(device.user("mine", "config current-context"), "edge\n");
    assert_eq!(device.user("mine", "auth can-i * *"), "yes\n");
    let me = device.user("mine", "auth whoami -o jsonpath={.status.userInfo.username}{.status.userInfo.groups}");
    assert!(
        me.starts_with("coracle-administrator-") && me.contains(r#"["system:masters","system:authenticated"]"#),
        "{me}"
    );

    // A second use is refused, before and after the token has gone.
    let again = refused(&device, device.contact(device.host(), "again", &[]), "again");
    assert!(again.contains(USED), "{again}");
    let existing = text(&device.contact(device.host(), "mine", &[]).wait_with_output().unwrap(), false);
    assert!(existing.contains("exists; --force replaces it"), "{existing}");
    // The token still lives for a while, so that its holder gets the answer.
    let end =
        device.ask("get secret -n kube-system bootstrap-token-abcdef -o go-template={{.data.expiration|base64decode}}");
    assert!(end.as_str() < "2999", "{end}");
    device.ask("delete secret -n kube-system bootstrap-token-abcdef");
    let gone = refused(&device, device.contact(device.host(), "again", &[]), "again");
    assert!(gone.contains(UNKNOWN) || gone.contains("has expired or was deleted"), "{gone}");
    assert_eq!(device.user("mine", "auth can-i * *"), "yes\n");
    device.server.terminate();
}

#[test]
fn of_many_uses_at_once_one_gets_a_certificate() {
    let device = Device::start();
    device.issue("2999-01-01T00:00:00Z");
    let names = ["a", "b", "c", "d"];
    let running = names.map(|name| device.contact(device.host(), name, &["--wait", "30"]));
    let outputs = running.map(|child| child.wait_with_output().unwrap());
    let winners: Vec<_> = names.iter().zip(&outputs).filter(|(_, output)| output.status.success()).collect();
    assert_eq!(winners.len(), 1, "{outputs:?}");
    for (name, output) in names.iter().zip(&outputs).filter(|(_, output)| !output.status.success()) {
        assert!(text(output, false).contains(USED), "{output:?}");
        assert!(!device.path(name).exists());
    }
    let requests = device.requests();
    let issued = items(&requests, &["items"]).iter().filter(|csr| !csr.text_at(&["status", "certificate"]).is_empty());
    assert_eq!(issued.count(), 1);
    device.server.terminate();
}

#[test]
fn a_device_is_reached_at_an_address_that_it_does_not_know() {
    let device = Device::start();
    device.issue("2999-01-01T00:00:00Z");
    let address = relay(device.host());
    let child = device.contact(&address, "relayed", &["--wait", "30"]);
    text(&child.wait_with_output().unwrap(), true);
    assert!(fs::read_to_string(device.path("relayed")).unwrap().contains("tls-server-name: kubernetes\n"));
    assert_eq!(device.user("relayed", "auth can-i * *"), "yes\n");
    device.server.terminate();
}

#[test]
fn somebody_in_between_learns_nothing() {
    let device = Device::start();
    device.issue("2999-01-01T00:00:00Z");
    let path = "/api/v1/namespaces/kube-public/configmaps/cluster-info";
    device.ask("wait --for=jsonpath={.data.jws-kubeconfig-abcdef} -n kube-public configmap/cluster-info --timeout=60s");
    let honest = device.ask(&format!("get --raw {path}"));

    // Who passes on what the device says cannot show a certificate of the device's authority.
    let relaying = Stranger::start(&device.path("relaying"), honest.clone());
    let error = refused(&device, device.contact(&relaying.address, "k", &["--wait", "60"]), "k");
    assert!(error.contains("REFUSED: the server that answers at"), "{error}");
    // Who says something else cannot sign it.
    let forged = honest.replacen("server: https://", "server: https://1", 1);
    assert_ne!(forged, honest);
    let lying = Stranger::start(&device.path("lying"), forged);
    let error = refused(&device, device.contact(&lying.address, "k", &["--wait", "60"]), "k");
    assert!(error.contains("REFUSED: what") && error.contains("not signed with the token abcdef"), "{error}");

    for stranger in [relaying, lying] {
        let heard = stranger.heard();
        assert!(heard.starts_with(&format!("GET {path} HTTP/1.1")), "{heard}");
        assert!(!heard.to_lowercase().contains("authorization") && !heard.contains("0123456789abcdef"), "{heard}");
    }
    assert!(items(&device.requests(), &["items"]).is_empty());
    device.server.terminate();
}

#[test]
fn what_cannot_work_is_told_and_bounded() {
    let device = Device::start();
    device.issue("2020-01-01T00:00:00Z");
    let expired = refused(&device, device.contact(device.host(), "k", &["--wait", "1"]), "k");
    assert!(expired.contains(UNKNOWN), "{expired}");
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let unreachable = refused(&device, device.contact(&nobody, "k", &["--wait", "1"]), "k");
    assert!(unreachable.contains("cannot be reached: cannot connect: Connection refused"), "{unreachable}");
    let no_folder = device.path("token.yaml").join("k");
    let child = device.contact(device.host(), no_folder.to_str().unwrap(), &[]);
    let unwritable = text(&child.wait_with_output().unwrap(), false);
    assert!(unwritable.contains("cannot create"), "{unwritable}");
    let mut malformed = Command::new(env!("CARGO_BIN_EXE_coracle"));
    let malformed = malformed.args(["kubeconfig", "--token", "abcdef.01234", device.host()]).output().unwrap();
    assert!(text(&malformed, false).contains("a token is written ID.SECRET"));
    assert!(!Path::new("kubeconfig").exists());
    device.server.terminate();
}
