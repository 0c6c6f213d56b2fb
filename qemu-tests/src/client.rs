//! What a user has on the other side of the network: `coracle kubeconfig` and kubectl, run as programs.

use crate::error::{Error, Result};
use crate::process;
use std::path::{Path, PathBuf};
use std::time::Duration;

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
        let missing =
            |subject: &str, message: &str| Error::Unexpected { subject: subject.into(), message: message.into() };
        let here = std::env::current_exe().map_err(Error::file("find", Path::new("this program")))?;
        let coracle = here.ancestors().skip(1).take(2).map(|folder| folder.join("coracle")).find(|path| path.is_file());
        let coracle =
            coracle.ok_or_else(|| missing("coracle", "it is not beside this program; `make build` makes it"))?;
        let kubectl = std::env::var_os("CORACLE_KUBECTL").map(PathBuf::from).filter(|path| path.is_file());
        let kubectl =
            kubectl.ok_or_else(|| missing("CORACLE_KUBECTL", "it names no kubectl; make's targets set it"))?;
        Ok(Self { coracle, kubectl, kubeconfig: kubeconfig.into() })
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
        process::output(&self.coracle.display().to_string(), &words).map(|_| ())
    }

    /// Lets the kubeconfig point to this port of the loopback.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn follow_port(&self, port: u16) -> Result<()> {
        let text = std::fs::read_to_string(&self.kubeconfig).map_err(Error::file("read", &self.kubeconfig))?;
        let moved = with_port(&text, port);
        if moved != text {
            std::fs::write(&self.kubeconfig, moved).map_err(Error::file("write", &self.kubeconfig))?;
        }
        Ok(())
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
        let output = process::output(&self.kubectl.display().to_string(), &all)?;
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

/// A kubeconfig whose server is at this port of the loopback.
fn with_port(kubeconfig: &str, port: u16) -> String {
    let line = |line: &str| match line.split_once("server: https://127.0.0.1:") {
        Some((before, _)) => format!("{before}server: https://127.0.0.1:{port}\n"),
        None => format!("{line}\n"),
    };
    kubeconfig.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::with_port;

    #[test]
    fn a_kubeconfig_follows_the_port() {
        let before = "clusters:\n- cluster:\n    server: https://127.0.0.1:6443\n  name: c\n";
        assert_eq!(with_port(before, 6447), before.replace("6443", "6447"));
        assert_eq!(with_port("a: b\n", 1), "a: b\n");
    }
}
