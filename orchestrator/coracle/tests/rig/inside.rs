//! What is done inside the node's namespaces.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use coracle_contract::paths;
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_change};
use rustix::process::{Pid, Signal, WaitOptions, ioctl_tiocsctty, set_parent_process_death_signal, setsid, wait};
use rustix::system::sethostname;
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};

/// Makes the namespaces.
pub(crate) const OUTER: &str = "rig-outer";
/// Is the first process in them.
pub(crate) const INIT: &str = "rig-init";
/// Runs a program in the network namespace of a process.
pub(crate) const ENTER: &str = "rig-enter";
/// The same in a session of its own, with its standard input as terminal.
pub(crate) const TERMINAL: &str = "rig-terminal";

/// Files of `/etc` that container engines mount over; what lies over `/etc` would hide them.
const MOUNTED_OVER: [&str; 3] = ["hostname", "hosts", "resolv.conf"];

/// Where the cgroup v2 hierarchy is mounted on this machine.
pub(crate) fn cgroups() -> PathBuf {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let line = table.lines().find(|line| line.contains(" - cgroup2 ")).unwrap();
    line.split(' ').nth(4).unwrap().into()
}

/// `rig-outer FOLDER GROUP COMMAND…`: the namespaces begin with the next process.
pub(crate) fn outer(arguments: &[String]) -> ExitCode {
    let group = Path::new(&arguments[2]);
    fs::create_dir(group).unwrap();
    fs::write(group.join("cgroup.procs"), "0").unwrap();
    #[expect(deprecated, reason = "no descriptor table is unshared, which is what the newer form warns of")]
    rustix::thread::unshare(
        UnshareFlags::NEWNS
            | UnshareFlags::NEWNET
            | UnshareFlags::NEWUTS
            | UnshareFlags::NEWPID
            | UnshareFlags::NEWCGROUP,
    )
    .unwrap();
    let mut first = Command::new(std::env::current_exe().unwrap());
    let status = first.arg(INIT).arg(&arguments[1]).args(&arguments[3..]).status().unwrap();
    if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// `rig-init FOLDER COMMAND…`: sets the machine up, and keeps the command running.
pub(crate) fn init(arguments: &[String]) -> ExitCode {
    let folder = Path::new(&arguments[1]);
    let none = MountFlags::empty();
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
    mount("proc", "/proc", "proc", none, None).unwrap();
    // Of this network namespace.
    mount("sysfs", "/sys", "sysfs", none, None).unwrap();
    mount("cgroup2", "/sys/fs/cgroup", "cgroup2", none, None).unwrap();
    fs::create_dir("/sys/fs/cgroup/orchestrator").unwrap();
    fs::write("/sys/fs/cgroup/orchestrator/cgroup.procs", "0").unwrap();
    fs::write("/sys/class/net/lo/flags", "0x1").unwrap();
    sethostname(b"rig").unwrap();

    // What the node writes lies in memory.
    let memory = folder.join("node");
    fs::create_dir(&memory).unwrap();
    mount("tmpfs", &memory, "tmpfs", none, None).unwrap();
    for (name, place) in [("run", "/run"), ("lib", "/var/lib"), ("log", "/var/log")] {
        fs::create_dir(memory.join(name)).unwrap();
        mount_bind(memory.join(name), place).unwrap();
    }
    lay_over("/usr/share", &memory.join("share"));
    fs::create_dir_all(paths::IMAGES).unwrap();
    mount_bind(folder.join("images"), paths::IMAGES).unwrap();
    if folder.join("etc").is_dir() {
        let files = MOUNTED_OVER.map(|name| (name, fs::read(Path::new("/etc").join(name)).unwrap_or_default()));
        lay_over("/etc", &memory.join("etc"));
        files.iter().for_each(|(name, content)| fs::write(Path::new("/etc").join(name), content).unwrap());
        fs::create_dir_all("/etc/rancher").unwrap();
        mount_bind(folder.join("etc/rancher"), "/etc/rancher").unwrap();
    }

    loop {
        #[expect(clippy::zombie_processes, reason = "this process waits for all its children below")]
        let server = Command::new(&arguments[2]).args(&arguments[3..]).spawn().unwrap();
        let server = Pid::from_child(&server);
        // Whatever else ends here was left by others.
        while wait(WaitOptions::empty()).unwrap().is_some_and(|(ended, _)| ended != server) {}
    }
}

/// Makes a folder writable for the node alone; `own` will hold what it writes.
fn lay_over(folder: &str, own: &Path) {
    for name in ["upper", "work"] {
        fs::create_dir_all(own.join(name)).unwrap();
    }
    let shown = own.display();
    let layers = format!("lowerdir={folder},upperdir={shown}/upper,workdir={shown}/work");
    let layers = std::ffi::CString::new(layers).unwrap();
    mount("overlay", folder, "overlay", MountFlags::empty(), Some(&*layers)).unwrap();
}

/// `rig-terminal PID PROGRAM ARGUMENT…`
pub(crate) fn enter_with_terminal(arguments: &[String]) -> ExitCode {
    setsid().unwrap();
    ioctl_tiocsctty(std::io::stdin()).unwrap();
    enter(arguments)
}

/// `rig-enter PID PROGRAM ARGUMENT…`: it ends with the one who started it.
pub(crate) fn enter(arguments: &[String]) -> ExitCode {
    set_parent_process_death_signal(Some(Signal::KILL)).unwrap();
    let network = fs::File::open(format!("/proc/{}/ns/net", arguments[1])).unwrap();
    move_into_link_name_space(std::os::fd::AsFd::as_fd(&network), Some(LinkNameSpaceType::Network)).unwrap();
    if arguments[2] == "payload" {
        return crate::payload::main(&arguments[3..]);
    }
    panic!("{}", Command::new(&arguments[2]).args(&arguments[3..]).exec());
}
