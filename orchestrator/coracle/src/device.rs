//! What a device's configuration says about the machine itself rather than about this server.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;

use coracle_configuration::MachineConfiguration;
use coracle_contract::paths;

use crate::files::replace;

/// Where the configuration's certificates lie for those that name them, below [`paths::RUN`].
const CERTIFICATES: &str = "certificates";

/// Folders of a device.
#[derive(Debug)]
struct Folders {
    run: PathBuf,
    state: PathBuf,
}

/// Gives this device the name and the certificates that its configuration has. What cannot be done is told and stops
/// nothing.
pub(crate) fn apply(configuration: &MachineConfiguration) {
    let folders = Folders { run: paths::RUN.into(), state: paths::STATE.into() };
    if let Some(name) = &configuration.hostname
        && rustix::system::uname().nodename().to_bytes() != name.as_bytes()
    {
        let named = rustix::system::sethostname(name.as_bytes()).map_err(io::Error::from);
        if let Err(error) = named.and_then(|()| folders.name(name)) {
            tracing::error!(%error, name, "the device does not have the name of its configuration");
        }
    }
    if let Err(error) = folders.certificates(&configuration.certificates) {
        tracing::error!(%error, "the configuration's certificates are not in their folder");
    }
}

impl Folders {
    /// Writes what programs and the next boot read of the name.
    fn name(&self, name: &str) -> io::Result<()> {
        replace(&self.run.join("etc/hostname"), format!("{name}\n").as_bytes())?;
        let hosts = format!("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n127.0.1.1 {name}\n");
        replace(&self.run.join("etc/hosts"), hosts.as_bytes())?;
        // Without STATE the name is the configuration's again at the next boot.
        if self.state.join("system").is_dir() {
            replace(&self.state.join("system/hostname"), format!("{name}\n").as_bytes())?;
        }
        Ok(())
    }

    /// Makes the folder anew, so that a certificate that was taken out of the configuration is not there.
    fn certificates(&self, certificates: &BTreeMap<String, String>) -> io::Result<()> {
        let folder = self.run.join(CERTIFICATES);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir_all(&folder)?,
        }
        certificates.iter().try_for_each(|(name, pem)| fs::write(folder.join(format!("{name}.pem")), pem))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_certificates_are_where_others_look() {
        let root = tempfile::tempdir().unwrap();
        let folders = Folders { run: root.path().join("run"), state: root.path().join("state") };
        fs::create_dir_all(folders.run.join("etc")).unwrap();
        let text = |path: &str| fs::read_to_string(root.path().join(path)).ok();
        folders.name("edge").unwrap();
        assert_eq!(text("state/system/hostname"), None, "a device without STATE");
        fs::create_dir_all(folders.state.join("system")).unwrap();
        folders.name("edge").unwrap();
        assert_eq!(text("state/system/hostname").as_deref(), Some("edge\n"));
        assert_eq!(text("run/etc/hostname").as_deref(), Some("edge\n"));
        assert!(text("run/etc/hosts").unwrap().contains("127.0.1.1 edge\n"));

        let certificate = |name: &str| [(format!("{name}.corp"), "PEM".to_owned())].into();
        folders.certificates(&certificate("one")).unwrap();
        folders.certificates(&certificate("two")).unwrap();
        assert_eq!(
            (text("run/certificates/one.corp.pem"), text("run/certificates/two.corp.pem").as_deref()),
            (None, Some("PEM"))
        );
    }
}
