//! What the runtime writes down about sandboxes and containers, so that it finds them again after a restart. The files
//! lie in the pods' folders, which do not outlive a boot.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use coracle_agent::runtime::{Container, Sandbox, State, User};
use coracle_apimachinery::time::Instant;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::parts::{Group, HostPort};

/// The scheme of the ids of containers.
pub const SCHEME: &str = "coracle://";
const SANDBOX: &str = "sandbox.json";
const CONTAINER: &str = "container.json";
/// No file that is read here is longer.
const LONGEST: u64 = 1 << 20;

/// A point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Moment {
    seconds: i64,
    micros: u32,
}

/// A sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SandboxRecord {
    pub(super) id: String,
    pub(super) attempt: u32,
    pub(super) ips: Vec<String>,
    pub(super) created: Moment,
    /// Whether it was not stopped.
    pub(super) ready: bool,
    pub(super) on_host_network: bool,
    pub(super) host_ports: Vec<HostPort>,
    pub(super) quality: String,
    /// The pod's folder of logs.
    pub(super) logs: PathBuf,
}

/// A container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ContainerRecord {
    /// Without scheme.
    pub(super) id: String,
    pub(super) name: String,
    pub(super) attempt: u32,
    pub(super) sandbox: u32,
    pub(super) image: String,
    pub(super) asked: String,
    pub(super) image_id: String,
    pub(super) created: Moment,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) groups: Vec<u32>,
    pub(super) stop_signal: i32,
    pub(super) group: Group,
    pub(super) log: PathBuf,
    /// A link to the log, for collectors of logs.
    pub(super) log_link: PathBuf,
    /// The file of the termination message.
    pub(super) message: PathBuf,
    /// Whether the end of the log stands in for a missing message.
    pub(super) message_from_log: bool,
    /// Whether it has a terminal.
    pub(super) tty: bool,
    /// The specification's process, which processes of exec are made from.
    pub(super) process: serde_json::Value,
    /// Why it could not be started.
    #[serde(default)]
    pub(super) start_failure: Option<(String, Moment)>,
}

impl From<Instant> for Moment {
    fn from(instant: Instant) -> Self {
        Self { seconds: instant.seconds, micros: instant.micros }
    }
}

impl From<Moment> for Instant {
    fn from(moment: Moment) -> Self {
        Instant::new(moment.seconds, moment.micros).unwrap_or(Instant { seconds: 0, micros: 0 })
    }
}

impl SandboxRecord {
    pub(super) fn store(&self, folder: &Path) -> io::Result<()> {
        write(&folder.join(SANDBOX), self)
    }

    pub(super) fn load(folder: &Path) -> io::Result<Option<Self>> {
        read(&folder.join(SANDBOX))
    }

    pub(super) fn shown(&self, alive: bool) -> Sandbox {
        Sandbox {
            id: self.id.clone(),
            attempt: self.attempt,
            ips: self.ips.clone(),
            created: self.created.into(),
            ready: self.ready && alive,
        }
    }
}

impl ContainerRecord {
    pub(super) fn store(&self, folder: &Path) -> io::Result<()> {
        write(&folder.join(CONTAINER), self)
    }

    pub(super) fn load(folder: &Path) -> io::Result<Option<Self>> {
        read(&folder.join(CONTAINER))
    }

    /// Its id with scheme.
    pub(super) fn shown_id(&self) -> String {
        format!("{SCHEME}{}", self.id)
    }

    pub(super) fn shown(&self, state: State) -> Container {
        let groups = self.groups.iter().copied().map(i64::from).collect();
        Container {
            id: self.shown_id(),
            name: self.name.clone(),
            attempt: self.attempt,
            sandbox: self.sandbox,
            image: self.image.clone(),
            asked: self.asked.clone(),
            image_id: self.image_id.clone(),
            created: self.created.into(),
            user: Some(User { uid: self.uid.into(), gid: self.gid.into(), groups }),
            state,
        }
    }
}

/// Writes a document so that it is there whole or not at all.
pub(super) fn write<T: Serialize>(path: &Path, document: &T) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = fs::File::create(&new)?;
    file.write_all(&serde_json::to_vec(document)?)?;
    fs::rename(&new, path)
}

/// Reads a document; none if there is none. What is broken is told and counts as missing: it was written by a process
/// that ended, and nothing can be done with it.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match serde_json::from_reader(io::Read::take(io::BufReader::new(file), LONGEST)) {
        Ok(document) => Ok(Some(document)),
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "a document is broken");
            Ok(None)
        }
    }
}

/// A new id.
pub(super) fn new_id() -> io::Result<String> {
    let mut bytes = [0_u8; 32];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        filled = filled.saturating_add(rustix::rand::getrandom(rest, rustix::rand::GetRandomFlags::empty())?);
    }
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
