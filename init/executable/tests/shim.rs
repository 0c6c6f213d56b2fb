//! What coracle-init costs: as a shim it lives as long as its pod, and a node has many; as the initrd it is read at each
//! boot.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test: it may fail loudly, and shows figures"
)]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use coracle_shim_protocol::VERSION;
use coracle_shim_protocol::executable::sealed;
use coracle_shim_protocol::files::{POD, SOCKET, Start};
use coracle_shim_protocol::frame;
use coracle_shim_protocol::helper::NAME;
use coracle_shim_protocol::message::{Create, Message, Operation, Outcome, Request};
use coracle_shim_protocol::process::start;
use rustix::process::{Pid, Signal, kill_process};

/// Pages that many shims share count for each in part, so that some are needed.
const SHIMS: usize = 20;

/// The most that one may cost, in kB.
const LIMIT: u64 = 400;

/// The most bytes of the executable: libcontainer alone would be more.
const SIZE: u64 = 3_000_000;

#[test]
fn the_executable_has_less_than_3_megabytes() {
    let bytes = fs::metadata(program()).unwrap().len();
    println!("{bytes} bytes");
    // As for the memory: only what devices run is static.
    if cfg!(target_env = "musl") {
        assert!(bytes < SIZE, "{} has {bytes} bytes", program().display());
    }
}

#[test]
fn an_idle_shim_costs_less_than_400_kilobytes() {
    let folders: Vec<tempfile::TempDir> = (0..SHIMS).map(|_| tempfile::tempdir().unwrap()).collect();
    let pids: Vec<i32> = folders.iter().map(|folder| started(folder.path())).collect();
    folders.iter().for_each(|folder| work(folder.path()));
    let rollups: Vec<BTreeMap<String, u64>> = pids.iter().map(|pid| rollup(*pid)).collect();
    for pid in pids {
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    }
    let most = |key: &str| rollups.iter().map(|one| one[key]).max().unwrap();
    println!("{} kB proportional, {} kB private and written to", most("Pss"), most("Private_Dirty"));
    // The device's executable is static; the others' libraries are not ours to shrink.
    if cfg!(target_env = "musl") {
        assert!(most("Pss") <= LIMIT, "{rollups:?}");
    }
}

fn started(folder: &Path) -> i32 {
    let document = Start { version: VERSION, uid: "u".into(), ..Start::default() };
    fs::write(folder.join(POD), serde_json::to_vec(&document).unwrap()).unwrap();
    start(folder, &program(), HELPER.as_fd()).unwrap().pid
}

/// What devices run is linked otherwise than what cargo makes for its tests (.ci/build).
fn program() -> PathBuf {
    let device = std::env::var_os("CORACLE_INIT").map(PathBuf::from);
    device.unwrap_or_else(|| env!("CARGO_BIN_EXE_coracle-init").into())
}

/// The helper of devices; without one (in a build of this package alone) a program that ends without a report, which
/// makes as much work for a shim.
static HELPER: LazyLock<File> = LazyLock::new(|| {
    let path = std::env::var_os("CORACLE_RUNTIME").map_or_else(program, PathBuf::from);
    sealed(NAME, File::open(path).unwrap()).unwrap()
});

/// Requests of some size, clients and helpers, as in the life of a pod.
fn work(folder: &Path) {
    let mut stream = UnixStream::connect(folder.join(SOCKET)).unwrap();
    let mut ask = |operation| {
        frame::write(&mut stream, &Request { id: 1, operation }).unwrap();
        let Some(Message::Answer(answer)) = frame::read(&mut stream).unwrap() else { panic!("no answer") };
        answer.result
    };
    assert!(matches!(ask(Operation::Hello { versions: vec![VERSION] }), Outcome::Ok(_)));
    for number in 0..10 {
        let create = Create { id: format!("c{number}"), bundle: folder.join("x".repeat(1000)), ..Create::default() };
        assert!(matches!(ask(Operation::Create(create)), Outcome::Error(_)), "there is no such bundle");
        assert!(matches!(ask(Operation::List {}), Outcome::Ok(_)));
    }
}

fn rollup(pid: i32) -> BTreeMap<String, u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.filter_map(|(key, value)| Some((key.to_owned(), value.trim().strip_suffix(" kB")?.parse().ok()?))).collect()
}
