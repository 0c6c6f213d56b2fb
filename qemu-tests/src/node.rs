//! A device as its user has it: booted with a machine configuration, and a client beside it that made first contact.

use crate::client::Client;
use crate::command_line::{Forward, Spec};
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::guest::Guest;
use crate::healthy::{self, Boot};
use crate::lab::Lab;
use crate::machine::Machine;
use crate::{ports, seed};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Name of the device, and so of its node.
pub const NAME: &str = "coracle";

/// The longest that a step after the boot may take on a loaded machine under TCG.
pub const STEP_BOUND: Duration = Duration::from_secs(300);

/// Ports of the guest that the host reaches: of the API, and of a web server.
const PORTS: [u16; 2] = [6443, 8080];

/// What stays when a device is switched off.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Its machine kind.
    pub machine: &'static Machine,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// Its disk.
    pub disk: Disk,
    /// The volume with its configuration.
    pub seed: PathBuf,
    /// The token of the first contact.
    pub token: String,
    /// The administrator's programs.
    pub client: Client,
}

/// A device that runs.
#[derive(Debug)]
pub struct Node {
    /// What stays.
    pub parts: Parts,
    /// The machine.
    pub guest: Guest,
    /// What the boot said.
    pub boot: Boot,
    /// When it was switched on.
    pub started: Instant,
    forwards: Vec<Forward>,
}

impl Parts {
    /// A freshly flashed device whose configuration has a name, a token and `more` lines.
    ///
    /// # Errors
    /// The image has not been built, or a tool is missing.
    pub fn flashed(lab: &Lab, machine: &'static Machine, more: &str) -> Result<Self> {
        Self::flashed_for(lab, machine, more, Client::new(lab.path("kubeconfig"))?)
    }

    /// The same with given programs, whose kubeconfig does not exist yet.
    ///
    /// # Errors
    /// The image has not been built, or a tool is missing.
    pub fn flashed_for(lab: &Lab, machine: &'static Machine, more: &str, client: Client) -> Result<Self> {
        let token = seed::token()?;
        Ok(Self {
            machine,
            memory_mib: 1024,
            disk: lab.flashed(machine)?,
            seed: seed::volume(&lab.path("seed.img"), &seed::user_data(NAME, &token, more))?,
            token,
            client,
        })
    }

    /// Switches the device on and waits until it is healthy.
    ///
    /// # Errors
    /// It does not become healthy.
    pub fn boot(self, lab: &Lab) -> Result<Node> {
        let forwards = ports::forwards(&PORTS);
        let spec = Spec {
            forwards: forwards.clone(),
            seed: Some(self.seed.clone()),
            memory_mib: self.memory_mib,
            ..Spec::new(self.machine).disk(&self.disk)
        };
        let started = Instant::now();
        let mut guest = Guest::start(lab, &spec)?;
        let boot = healthy::boot(&mut guest)?;
        Ok(Node { parts: self, guest, boot, started, forwards })
    }
}

impl Node {
    /// Makes first contact, or follows the API to its present port, and waits until the node is Ready.
    ///
    /// # Errors
    /// The device refuses, or the node does not become Ready.
    pub fn ready(&self) -> Result<()> {
        let (client, port) = (&self.parts.client, self.port(6443)?);
        if client.kubeconfig().is_file() {
            client.follow_port(port)?;
        } else {
            client.first_contact(&self.parts.token, port, STEP_BOUND)?;
        }
        client.node_ready(NAME, STEP_BOUND)
    }

    /// The administrator's programs.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.parts.client
    }

    /// The port of the loopback at which a port of the guest is reached.
    ///
    /// # Errors
    /// No port was free for it.
    pub fn port(&self, guest: u16) -> Result<u16> {
        let found = self.forwards.iter().find(|forward| forward.guest == guest).map(|forward| forward.host);
        found.ok_or_else(|| Error::Unexpected { subject: format!("port {guest}"), message: "is not forwarded".into() })
    }

    /// Fetches a page from a port of the guest.
    ///
    /// # Errors
    /// There is no answer, or not the status 200.
    pub fn fetch(&self, guest: u16, path: &str) -> Result<String> {
        fetch(self.port(guest)?, path)
    }

    /// Presses the power button and waits for the orderly end.
    ///
    /// # Errors
    /// It does not end in order.
    pub fn power_off(self) -> Result<Parts> {
        healthy::power_off(self.guest)?;
        Ok(self.parts)
    }

    /// Takes the power away.
    ///
    /// # Errors
    /// QEMU could not be killed.
    pub fn power_cut(self) -> Result<Parts> {
        self.guest.power_cut()?;
        Ok(self.parts)
    }
}

/// Fetches a page from a port of the loopback.
///
/// # Errors
/// There is no answer within a minute, or not the status 200.
pub fn fetch(port: u16, path: &str) -> Result<String> {
    const BOUND: Duration = Duration::from_secs(60);
    let get = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(BOUND))?;
        stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").as_bytes())?;
        let mut answer = Vec::new();
        stream.take(1 << 20).read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    let subject = || format!("http://127.0.0.1:{port}{path}");
    let answer = get().map_err(|error| Error::Unexpected { subject: subject(), message: error.to_string() })?;
    match answer.split_once("\r\n\r\n") {
        Some((head, page)) if head.split_whitespace().nth(1) == Some("200") => Ok(page.to_owned()),
        _ => Err(Error::Unexpected { subject: subject(), message: format!("answered {answer:?}") }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn only_a_page_is_a_page() {
        for (answer, page) in [
            ("HTTP/1.0 200 OK\r\nA: b\r\n\r\nhello", Some("hello")),
            ("HTTP/1.0 404 Not Found\r\n\r\nhello", None),
            ("hello", None),
            ("", None),
        ] {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            let server = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut asked = [0; 1024];
                let length = stream.read(&mut asked).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
                String::from_utf8_lossy(&asked[..length]).into_owned()
            });
            assert_eq!(fetch(port, "/x").ok().as_deref(), page, "{answer}");
            assert!(server.join().unwrap().starts_with("GET /x HTTP/1.0\r\n"));
        }
    }
}
