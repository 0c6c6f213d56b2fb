//! What a user has on the other side of the network: `coracle kubeconfig` and kubectl, run as programs.

use crate::error::{Error, Result};
use crate::{kubeconfig, private, process};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What first contact gets beyond its own bound: once the token is used, it waits for the certificate.
const CONTACT_SLACK: Duration = Duration::from_secs(180);
/// Longest that a command of kubectl may take, one that waits itself included.
const COMMAND_BOUND: Duration = Duration::from_secs(600);

/// Programs and the kubeconfig that they use.
#[derive(Clone, Debug)]
pub struct Client {
    coracle: PathBuf,
    kubectl: PathBuf,
    kubeconfig: PathBuf,
}

impl Client {
    /// The programs of this build, with a kubeconfig that need not exist yet. `kubectl` is the one that `CORACLE_KUBECTL`
    /// names.
    ///
    /// # Errors
    /// A program is missing; the error names the command that makes it.
    pub fn new(kubeconfig: impl Into<PathBuf>) -> Result<Self> {
        let kubectl = std::env::var_os("CORACLE_KUBECTL").map(PathBuf::from).filter(|path| path.is_file());
        let kubectl = kubectl.ok_or_else(|| Error::Unexpected {
            subject: "CORACLE_KUBECTL".into(),
            message: "it names no kubectl; .ci/kubectl prints the path of one".into(),
        })?;
        Self::with(kubectl, kubeconfig)
    }

    /// The same with a given kubectl.
    ///
    /// # Errors
    /// `coracle` is missing.
    pub fn with(kubectl: PathBuf, kubeconfig: impl Into<PathBuf>) -> Result<Self> {
        Ok(Self { coracle: beside("coracle")?, kubectl, kubeconfig: kubeconfig.into() })
    }

    /// The kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The kubectl in use.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.kubectl
    }

    /// Gets a kubeconfig for a bootstrap token from the device behind a port of the loopback.
    ///
    /// # Errors
    /// The device does not answer within the bound, or refuses.
    pub fn first_contact(&self, token: &str, port: u16, bound: Duration) -> Result<()> {
        let words = [
            "kubeconfig".to_owned(),
            "--token".to_owned(),
            token.to_owned(),
            format!("127.0.0.1:{port}"),
            "--output".to_owned(),
            self.kubeconfig.display().to_string(),
            "--wait".to_owned(),
            bound.as_secs().to_string(),
        ];
        let made = process::bounded(&self.coracle.display().to_string(), &words, bound + CONTACT_SLACK);
        made.map(|_| ()).map_err(|error| without(error, token))
    }

    /// Lets the kubeconfig point to this port of the loopback.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn follow_port(&self, port: u16) -> Result<()> {
        let text = std::fs::read_to_string(&self.kubeconfig).map_err(Error::file("read", &self.kubeconfig))?;
        let moved = kubeconfig::with_port(&text, port).map_err(|message| Error::Unexpected {
            subject: self.kubeconfig.display().to_string(),
            message: message.to_owned(),
        })?;
        if moved == text { Ok(()) } else { private::replace(&self.kubeconfig, &moved) }
    }

    /// Runs kubectl with words that have no spaces in them, and gives what it prints.
    ///
    /// # Errors
    /// kubectl failed; the error has its words.
    pub fn kubectl(&self, words: &str) -> Result<String> {
        self.kubectl_with(&words.split_whitespace().collect::<Vec<_>>())
    }

    /// Runs kubectl and gives what it prints.
    ///
    /// # Errors
    /// kubectl failed; the error has its words.
    pub fn kubectl_with(&self, words: &[&str]) -> Result<String> {
        let mut all = vec!["--kubeconfig".to_owned(), self.kubeconfig.display().to_string()];
        all.extend(words.iter().map(|&word| word.to_owned()));
        let output = process::bounded(&self.kubectl.display().to_string(), &all, COMMAND_BOUND)?;
        Ok(String::from_utf8_lossy(&output).into_owned())
    }

    /// Waits until the node is there and Ready.
    ///
    /// # Errors
    /// It is not within the bound.
    pub fn node_ready(&self, node: &str, bound: Duration) -> Result<()> {
        let seconds = bound.as_secs();
        self.kubectl(&format!("wait --for=create node/{node} --timeout={seconds}s"))?;
        self.kubectl(&format!("wait --for=condition=Ready node/{node} --timeout={seconds}s")).map(|_| ())
    }

    /// Applies a manifest.
    ///
    /// # Errors
    /// As [`Self::kubectl_with`].
    pub fn apply(&self, manifest: &str) -> Result<()> {
        let file = tempfile::NamedTempFile::new().map_err(Error::file("make a file in", &std::env::temp_dir()))?;
        std::fs::write(file.path(), manifest).map_err(Error::file("write", file.path()))?;
        self.kubectl_with(&["apply", "-f", &file.path().display().to_string()]).map(|_| ())
    }
}

/// The path of an executable of the same build; a test program lies one folder below the others.
///
/// # Errors
/// It has not been built.
pub fn beside(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().map_err(Error::file("find", Path::new("this program")))?;
    let found = own.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| Error::Unexpected {
        subject: name.to_owned(),
        message: format!("it is not beside {}; `make run` and `make smoke` build what they need", own.display()),
    })
}

/// An error's words without the token, which stands among the arguments.
fn without(error: Error, token: &str) -> Error {
    let clean = |text: String| text.replace(token, "TOKEN");
    match error {
        Error::Program { program, arguments, status, stderr } => {
            Error::Program { program, arguments: clean(arguments), status, stderr: clean(stderr) }
        }
        Error::Endless { program, arguments, bound, stderr } => {
            Error::Endless { program, arguments: clean(arguments), bound, stderr: clean(stderr) }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubeconfig_that_cannot_follow_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("kubeconfig");
        let client = Client { coracle: "coracle".into(), kubectl: "kubectl".into(), kubeconfig: path.clone() };
        std::fs::write(&path, "    server: https://127.0.0.1:6443\n").unwrap();
        client.follow_port(6447).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "    server: https://127.0.0.1:6447\n");
        std::fs::write(&path, "a: b\n").unwrap();
        assert!(client.follow_port(1).unwrap_err().to_string().contains("127.0.0.1"));
    }

    #[test]
    fn no_error_tells_the_token() {
        let error = Error::Program {
            program: "coracle".into(),
            arguments: "kubeconfig --token abcdef.0123456789abcdef".into(),
            status: "1".into(),
            stderr: "abcdef.0123456789abcdef was used".into(),
        };
        let text = without(error, "abcdef.0123456789abcdef").to_string();
        assert!(!text.contains("abcdef.0") && text.contains("--token TOKEN") && text.contains("was used"), "{text}");
    }
}
