//! Start and end of a shim, and what it keeps for its pod.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use coracle_shim_protocol::VERSION;
use coracle_shim_protocol::executable::sealed;
use coracle_shim_protocol::files::{Own, POD, READY, Ready, SOCKET, Start};
use coracle_shim_protocol::helper::{ARGUMENT, NAME};
use coracle_shim_protocol::message::{Operation, Reason};
use coracle_shim_protocol::process::start;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use rustix::thread::UnshareFlags;

use crate::Case;
use crate::rig::{Pod, helper, own};

/// First argument of this binary for [`give`].
pub(crate) const GIVER: &str = "give";

pub(crate) const CASES: &[Case] = &[
    ("a_shim_is_ready_detached_and_alone", a_shim_is_ready_detached_and_alone),
    ("a_memory_file_can_be_the_executable", a_memory_file_can_be_the_executable),
    ("the_helper_outlives_who_gave_it", the_helper_outlives_who_gave_it),
    ("a_helper_that_could_be_changed_is_refused", a_helper_that_could_be_changed_is_refused),
    ("a_failed_start_says_why", a_failed_start_says_why),
    ("namespaces_are_held_and_go_with_the_shim", namespaces_are_held_and_go_with_the_shim),
    ("a_killed_shim_takes_the_first_process_along", a_killed_shim_takes_the_first_process_along),
    ("a_shim_ends_when_nothing_runs", a_shim_ends_when_nothing_runs),
];

/// A mount namespace for this process.
pub(crate) fn unshare_mounts() -> std::io::Result<()> {
    #[expect(deprecated, reason = "the other form is unsafe, for a flag that is not given here")]
    rustix::thread::unshare(UnshareFlags::NEWNS)?;
    Ok(mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?)
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn a_shim_is_ready_detached_and_alone() {
    let pod = Pod::new();
    let pid = pod.ready.pid;
    // Whoever is answered sees the shim in its loop.
    let mut client = pod.client();
    let file: Ready = serde_json::from_slice(&fs::read(pod.folder().join(READY)).unwrap()).unwrap();
    assert_eq!(file, pod.ready);
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    assert_eq!(fields[1], std::process::id().to_string(), "child of the subreaper, not of the one that started it");
    assert_eq!(fields[3], pid.to_string(), "a session of its own");
    assert_eq!(fields[19], pod.ready.start_ticks.to_string());
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(status.lines().any(|line| line.split_whitespace().eq(["Threads:", "1"])));
    // CAP_SYS_RESOURCE, which containers and some virtual machines do not give to root.
    let capabilities = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap().trim();
    if u64::from_str_radix(capabilities, 16).unwrap() & (1 << 24) != 0 {
        assert_eq!(fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap().trim(), "-998");
    }
    for number in [0, 1, 2] {
        assert_eq!(fs::read_link(format!("/proc/{pid}/fd/{number}")).unwrap(), Path::new("/dev/null"));
    }
    assert_eq!(fs::read_link(format!("/proc/{pid}/cwd")).unwrap(), Path::new("/"));
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(pod.folder().join(SOCKET)).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    // Its containers are ordinary victims again, and take all signals.
    let script = "cat /proc/self/oom_score_adj; grep SigBlk /proc/self/status; ls -l /proc/self/fd | grep -c ' -> '";
    client.run(pod.container("c", &["sh", "-c", script]));
    client.event();
    let log = pod.log("c");
    assert_eq!(log[..2], ["stdout F 0", "stdout F SigBlk:\t0000000000000000"]);
    // Three streams, and the folder that `ls` reads.
    assert_eq!(log[2], "stdout F 4");
}

fn a_memory_file_can_be_the_executable() {
    let mut program = File::open(std::env::current_exe().unwrap()).unwrap();
    let mut memory = File::from(memfd_create("coracle-init", MemfdFlags::CLOEXEC).unwrap());
    std::io::copy(&mut program, &mut memory).unwrap();
    let path = PathBuf::from(format!("/proc/self/fd/{}", memory.as_raw_fd()));
    let pod = Pod::started_from(Start { helper_milliseconds: 20_000, ..Start::default() }, &path);
    drop(memory);
    let mut client = pod.client();
    client.run(pod.container("c", &["sh", "-c", "exit 8"]));
    assert_eq!(client.event().code, 8);
}

/// Starts a shim with an executable for its helpers that only this process has, says how it is reached, and ends.
pub(crate) fn give(folder: &str) -> ExitCode {
    let helper = sealed("given", own()).unwrap();
    let ready = start(Path::new(folder), &std::env::current_exe().unwrap(), helper.as_fd()).unwrap();
    println!("{}", serde_json::to_string(&ready).unwrap());
    ExitCode::SUCCESS
}

fn the_helper_outlives_who_gave_it() {
    let document = Start { helper_milliseconds: 20_000, ..Start::default() };
    let pod = Pod::started(document, |folder| {
        let output = Command::new(std::env::current_exe().unwrap()).arg(GIVER).arg(folder).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    });
    let given = "/memfd:given (deleted)";
    let mut client = pod.client();
    client.run(pod.container("c", &["ls", "-l", "/proc/self/fd"]));
    client.event();
    let log = pod.log("c");
    assert!(log.iter().any(|line| line.contains("pipe:")) && !log.iter().any(|line| line.contains("memfd")), "{log:?}");
    client.ask(Operation::Delete { id: "c".into() }).unwrap();
    // A helper that hangs can be looked at.
    let id = client.send(Operation::Create(pod.container("h", &["HANG"])), &[]);
    client.list();
    let pid = pod.ready.pid;
    let helper = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let number = Pid::from_raw(helper.trim().parse().unwrap()).unwrap();
    let helper = format!("/proc/{number}");
    while fs::read_link(format!("{helper}/exe")).unwrap() != Path::new(given) {
        client.list();
    }
    assert_eq!(fs::read(format!("{helper}/cmdline")).unwrap(), format!("{NAME}\0{ARGUMENT}\0").into_bytes());
    let theirs = fs::read_dir(format!("{helper}/fd")).unwrap();
    let theirs: Vec<PathBuf> = theirs.map(|entry| fs::read_link(entry.unwrap().path()).unwrap()).collect();
    assert!(!theirs.contains(&given.into()), "{theirs:?}");
    kill_process(number, Signal::KILL).unwrap();
    assert_eq!(client.answer(id).unwrap_err().reason, Reason::Internal);
    assert_eq!(pod.descriptors().iter().filter(|target| *target == given).count(), 1);
}

fn a_helper_that_could_be_changed_is_refused() {
    let executable = std::env::current_exe().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let memory = File::from(memfd_create("open", MemfdFlags::CLOEXEC).unwrap());
    for helper in [own(), memory, File::open("/dev/null").unwrap()] {
        let error = start(folder.path(), &executable, helper.as_fd()).unwrap_err().to_string();
        assert_eq!(error, "cannot take the runtime helper's executable: it is not a sealed memory file");
    }
}

fn a_failed_start_says_why() {
    let own = std::env::current_exe().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let check = |content: Option<&str>, want: &str| {
        if let Some(content) = content {
            fs::write(folder.path().join(POD), content).unwrap();
        }
        let error = start(folder.path(), &own, helper()).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    };
    check(None, "cannot open");
    check(Some("{"), "cannot understand");
    check(Some(r#"{"version":2,"uid":"u"}"#), "this shim speaks 1");
    check(Some(r#"{"version":1,"uid":"u","sysctls":{"kernel.panic":"1"}}"#), "kernel.panic does not belong");
    check(Some(r#"{"version":1,"uid":"u","cgroup":"/nowhere"}"#), "cannot enter /nowhere");
    let pod = Pod::new();
    let error = start(pod.folder(), &own, helper()).unwrap_err().to_string();
    assert!(error.contains("does another shim run?"), "{error}");
    pod.client();
}

fn namespaces_are_held_and_go_with_the_shim() {
    if !is_root() {
        return println!("only root makes namespaces");
    }
    let namespaces = Own { network: true, ipc: true, uts: true, process: true };
    let sysctls = [("net.ipv4.ip_unprivileged_port_start", "0"), ("kernel.shmmax", "4096")];
    let pod = Pod::with(Start {
        namespaces,
        hostname: Some("web-0".into()),
        sysctls: BTreeMap::from(sysctls.map(|(key, value)| (key.to_owned(), value.to_owned()))),
        helper_milliseconds: 20_000,
        ..Start::default()
    });
    let (pid, held, pause) = (pod.ready.pid, pod.ready.namespaces, pod.ready.pause.unwrap());
    for (number, name, kept_by) in
        [(held.network, "net", pid), (held.ipc, "ipc", pid), (held.uts, "uts", pid), (held.process, "pid", pause)]
    {
        let link = fs::read_link(format!("/proc/{pid}/fd/{}", number.unwrap())).unwrap();
        assert_eq!(link, fs::read_link(format!("/proc/{kept_by}/ns/{name}")).unwrap());
        assert_ne!(link, fs::read_link(format!("/proc/self/ns/{name}")).unwrap());
    }
    let own = fs::read_link("/proc/self/ns/pid").unwrap();
    assert_eq!(
        fs::read_link(format!("/proc/{pid}/ns/pid_for_children")).unwrap(),
        own,
        "later children are the host's"
    );
    let status = fs::read_to_string(format!("/proc/{pause}/status")).unwrap();
    assert!(status.lines().any(|line| line.starts_with("NSpid:") && line.ends_with("\t1")));
    let mut client = pod.client();
    client.run(pod.container("c", &["sh", "-c", "cat /proc/sys/kernel/hostname /proc/sys/kernel/shmmax"]));
    client.event();
    assert_eq!(pod.log("c"), ["stdout F web-0", "stdout F 4096"]);
    assert_ne!(fs::read_to_string("/proc/sys/kernel/hostname").unwrap(), "web-0\n");
    client.ask(Operation::Delete { id: "c".into() }).unwrap();
    client.ask(Operation::End {}).unwrap();
    assert_eq!(pod.wait(), Some(0));
    let (_, status) = waitpid(Pid::from_raw(pause), WaitOptions::empty()).unwrap().unwrap();
    assert_eq!(status.terminating_signal(), Some(9));
}

fn a_killed_shim_takes_the_first_process_along() {
    if !is_root() {
        return println!("only root makes namespaces");
    }
    let namespaces = Own { process: true, ..Own::default() };
    let pod = Pod::with(Start { namespaces, ..Start::default() });
    let first = Pid::from_raw(pod.ready.pause.unwrap());
    // Asleep in its own program, it has asked the kernel for the signal.
    let mut client = pod.client();
    let file = |name: &str| fs::read_to_string(format!("/proc/{}/{name}", pod.ready.pause.unwrap())).unwrap();
    while !file("cmdline").ends_with("pause\0") || !file("status").contains("State:\tS") {
        client.list();
    }
    kill_process(Pid::from_raw(pod.ready.pid).unwrap(), Signal::KILL).unwrap();
    assert_eq!(pod.wait(), None);
    let (_, status) = waitpid(first, WaitOptions::empty()).unwrap().unwrap();
    assert_eq!(status.terminating_signal(), Some(9));
}

fn a_shim_ends_when_nothing_runs() {
    let pod = Pod::new();
    assert_eq!(pod.ready.version, VERSION);
    let mut client = pod.client();
    client.ask(Operation::Create(pod.container("c", &["true"]))).unwrap();
    assert_eq!(client.ask(Operation::End {}).unwrap_err().reason, Reason::FailedPrecondition);
    client.ask(Operation::Start { id: "c".into() }).unwrap();
    client.event();
    client.ask(Operation::End {}).unwrap();
    assert_eq!(pod.wait(), Some(0));
    assert!(!pod.folder().join(SOCKET).exists(), "nobody tries to connect");
}
