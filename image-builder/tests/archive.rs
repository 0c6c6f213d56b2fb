//! apt, as this builder sets it up, takes packages only from an archive that the given keys have signed.
//!
//! Needs gpg (Debian package gnupg) to make archives that are signed rightly and wrongly.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers outside of test functions fail the test")]

use std::fs;
use std::path::{Path, PathBuf};

use image_builder::digest::Digest;
use image_builder::packages::apt::{Apt, Error, Settings};
use image_builder::packages::lock::Architecture;
use image_builder::process::Program;
use tempfile::TempDir;

const PACKAGES: &str = "Package: thing\nArchitecture: all\nVersion: 1\nFilename: pool/thing.deb\nSize: 1\n\
    SHA256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n\n";

/// An archive in a directory, and two key pairs.
struct Archive {
    directory: TempDir,
}

impl Archive {
    fn new() -> Self {
        let archive = Self { directory: tempfile::tempdir().unwrap() };
        for architecture in ["amd64", "arm64"] {
            let directory = archive.suite().join(format!("main/binary-{architecture}"));
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join("Packages"), PACKAGES).unwrap();
        }
        fs::create_dir(archive.home()).unwrap();
        for user in ["trusted", "stranger"] {
            archive.gpg(&["--quick-generate-key", user, "ed25519", "sign", "never"]);
            fs::write(archive.key(user), archive.gpg(&["--export", user])).unwrap();
        }
        archive
    }

    fn home(&self) -> PathBuf {
        self.directory.path().join("gnupg")
    }

    fn suite(&self) -> PathBuf {
        self.directory.path().join("dists/trixie")
    }

    fn key(&self, user: &str) -> PathBuf {
        self.directory.path().join(format!("{user}.gpg"))
    }

    fn gpg(&self, arguments: &[&str]) -> Vec<u8> {
        let program = Path::new("/usr/bin/gpg");
        assert!(program.exists(), "gpg is missing: apt-get install gnupg");
        Program::new(program)
            .argument("--homedir")
            .argument(self.home())
            .arguments(["--batch", "--yes", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback"])
            .arguments(arguments)
            .run()
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// Writes the suite's Release file with extra lines, signed by `user`.
    fn sign(&self, user: &str, extra: &str) {
        let digest = Digest::of(PACKAGES.as_bytes());
        let size = PACKAGES.len();
        let release = format!(
            "Origin: test\nSuite: trixie\nCodename: trixie\nDate: Thu, 01 Jan 2026 00:00:00 UTC\n{extra}\
             Architectures: amd64 arm64\nComponents: main\nSHA256:\n {digest} {size} main/binary-amd64/Packages\n \
             {digest} {size} main/binary-arm64/Packages\n"
        );
        fs::write(self.suite().join("Release"), release).unwrap();
        let [release, signed] = ["Release", "InRelease"].map(|name| self.suite().join(name));
        let [release, signed] = [release.to_str().unwrap(), signed.to_str().unwrap()];
        self.gpg(&["--local-user", user, "--clearsign", "--output", signed, release]);
    }

    fn update(&self) -> Result<Apt, Error> {
        let mirror = format!("file:{}", self.directory.path().display());
        let settings = Settings { mirror: &mirror, suite: "trixie", keys: &[self.key("trusted")], transport: "" };
        let root = tempfile::tempdir_in(self.directory.path()).unwrap().keep();
        Apt::update(&root, &settings)
    }
}

#[test]
fn an_archive_signed_by_a_pinned_key_is_taken() {
    let archive = Archive::new();
    archive.sign("trusted", "");
    let apt = archive.update().unwrap();
    let wanted = (Architecture::Arm64, "thing".to_owned());
    let offers = apt.offers([wanted.clone(), (Architecture::Amd64, "nothing".to_owned())]).unwrap();
    assert_eq!(offers[&wanted][0].version, "1");
}

#[test]
fn every_other_archive_is_refused() {
    type Prepare = fn(&Archive);
    let cases: [(&str, Prepare); 5] = [
        ("no signature at all", |archive| {
            archive.sign("trusted", "");
            fs::remove_file(archive.suite().join("InRelease")).unwrap();
        }),
        ("another key", |archive| archive.sign("stranger", "")),
        ("a signed text that was changed", |archive| {
            archive.sign("trusted", "");
            let path = archive.suite().join("InRelease");
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&path, text.replace("Origin: test", "Origin: Test")).unwrap();
        }),
        ("a validity that has ended", |archive| {
            archive.sign("trusted", "Valid-Until: Fri, 02 Jan 2026 00:00:00 UTC\n");
        }),
        ("a package list that was changed", |archive| {
            archive.sign("trusted", "");
            let path = archive.suite().join("main/binary-arm64/Packages");
            fs::write(&path, PACKAGES.replace("Version: 1", "Version: 2")).unwrap();
        }),
    ];
    for (case, prepare) in cases {
        let archive = Archive::new();
        prepare(&archive);
        let error = archive.update().err().unwrap_or_else(|| panic!("{case}: taken"));
        assert!(matches!(error, Error::Update { .. }), "{case}: {error}");
    }
}
