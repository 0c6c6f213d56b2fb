//! The images under test: built once a test run, by the command line as users have it.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use coracle_slots::footer::{FOOTER_BYTES, Footer, KeySet};
use image_builder::process::Program;
use tempfile::TempDir;

const BUILDER: &str = env!("CARGO_BIN_EXE_image-builder");

/// Name of the board that is built.
pub(crate) const BOARD: &str = "x86_64-vm";

/// Two builds from the same inputs under different circumstances.
#[derive(Debug)]
pub(crate) struct Built {
    _directory: TempDir,
    keys: PathBuf,
    /// Output of the first build.
    pub(crate) first: PathBuf,
    /// Output of the second build.
    pub(crate) second: PathBuf,
}

/// The builds of this test run.
pub(crate) fn built() -> &'static Built {
    static BUILT: OnceLock<Built> = OnceLock::new();
    BUILT.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let keys = root.join("keys");
        // Packages stay between test runs; each use checks their digests. The second build starts with nothing.
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("packages");
        let first = root.join("first");
        let second = root.join("elsewhere/and deeper/second");
        build("umask 022", &first, &kept, &keys).run().unwrap_or_else(|error| panic!("{error}"));
        build("umask 077", &second, &root.join("empty"), &keys)
            .argument("--tool-clock=+3d")
            .variable("TZ", "Pacific/Kiritimati")
            .variable("LC_ALL", "tr_TR.UTF-8")
            .variable("LANG", "tr_TR.UTF-8")
            .directory(Path::new("/"))
            .run()
            .unwrap_or_else(|error| panic!("{error}"));
        Built { keys, first: first.join(BOARD), second: second.join(BOARD), _directory: directory }
    })
}

/// `image-builder build` after a line of shell, which alone can set the umask of a process.
fn build(shell: &str, out: &Path, cache: &Path, keys: &Path) -> Program {
    Program::new(Path::new("/bin/sh"))
        .variable("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .arguments(["-c", &format!("{shell}; exec \"$@\""), "sh", BUILDER, "build", "--board", BOARD])
        .arguments(["--init", BUILDER, "--coracle", BUILDER, "--out"])
        .argument(out)
        .argument("--cache")
        .argument(cache)
        .argument("--keys")
        .argument(keys)
}

impl Built {
    /// The footer of the first build, verified with its keys.
    pub(crate) fn footer(&self) -> Footer {
        let keys = KeySet::parse(&std::fs::read_to_string(self.keys.join("footer.keys")).unwrap()).unwrap();
        let bytes = std::fs::read(self.first.join("slot.footer")).unwrap();
        let bytes: [u8; FOOTER_BYTES] = bytes.try_into().unwrap();
        Footer::verify(&bytes, &keys).unwrap().0
    }
}
