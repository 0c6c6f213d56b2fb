//! From the start to readiness: what the shim itself is, the pod's namespaces, the socket.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::path::Path;

use coracle_shim_protocol::VERSION;
use coracle_shim_protocol::files::{Namespaces, POD, READY, Ready, SOCKET, STATE, Start};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::epoll::EventFlags;
use rustix::fs::{CWD, FlockOperation, Mode, OFlags, flock};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with};
use rustix::process::{Pid, PidfdFlags, getpid, pidfd_open, set_child_subreaper};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};

use super::cgroup;
use super::error::{Attempt as _, Error, Result};
use super::exits;
use super::process;
use super::state::{Poller, Shim, Source, open_read};
use super::sys;

/// Just above what can never be chosen: without its shim a pod's ends and logs are lost.
const OOM_SCORE: &str = "-998";

/// Makes everything ready.
pub(super) fn ready(folder: &Path) -> Result<Shim> {
    let null = process::null().attempt("open", Path::new("/dev/null"))?;
    sys::close_inherited(&null).attempt("close", Path::new("inherited descriptors"))?;
    let helper = process::take_helper(&null).attempt("take", Path::new("the runtime helper's executable"))?;
    let (start, lock) = pod(folder)?;
    become_shim(&start)?;
    let signals = child_signals().attempt("watch", Path::new("SIGCHLD"))?;
    let mut held = vec![lock];
    let mut namespaces = own_namespaces(&start, &mut held)?;
    let pause = shared_processes(&start, &mut namespaces, &mut held)?;
    let pidfd = pause.map(|pid| pidfd_open(pid, PidfdFlags::empty())).transpose();
    let pidfd = pidfd.attempt("watch", Path::new("first process"))?;
    let state = folder.join(STATE);
    fs::create_dir_all(&state).attempt("make", &state)?;
    let listener = listening(folder)?;
    let mut poller = Poller::new().attempt("make", Path::new("epoll"))?;
    poller.add(&listener, Source::Listener, EventFlags::IN).attempt("watch", Path::new(SOCKET))?;
    poller.add(&signals, Source::Signals, EventFlags::IN).attempt("watch", Path::new("SIGCHLD"))?;
    let ready = Ready {
        version: VERSION,
        pid: getpid().as_raw_nonzero().get(),
        start_ticks: start_ticks()?,
        namespaces,
        pause: pause.map(|pid| pid.as_raw_nonzero().get()),
    };
    let file = folder.join(READY);
    serde_json::to_vec(&ready)
        .map_err(io::Error::from)
        .and_then(|bytes| exits::replace(&file, &bytes))
        .attempt("write", &file)?;
    Ok(Shim {
        folder: folder.to_owned(),
        start,
        ready,
        helper,
        held,
        pause: pidfd,
        poller,
        listener,
        signals,
        reserve: Some(null),
        connections: BTreeMap::new(),
        containers: BTreeMap::new(),
        jobs: BTreeMap::new(),
        early: VecDeque::new(),
        buffer: Vec::new(),
        done: false,
    })
}

/// Reads `pod.json` and locks it: a pod has one shim.
fn pod(folder: &Path) -> Result<(Start, OwnedFd)> {
    let path = folder.join(POD);
    let file = File::open(&path).attempt("open", &path)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).attempt("lock (does another shim run?)", &path)?;
    let bytes = fs::read(&path).attempt("read", &path)?;
    let start: Start = serde_json::from_slice(&bytes).map_err(io::Error::from).attempt("understand", &path)?;
    if start.version != VERSION {
        let theirs = start.version;
        return Err(Error::Found(format!("{} has version {theirs}, this shim speaks {VERSION}", path.display())));
    }
    Ok((start, OwnedFd::from(file)))
}

fn become_shim(start: &Start) -> Result<()> {
    rustix::process::umask(Mode::from_raw_mode(0o022));
    // Forbidden to ordinary users: then the shim is a victim like any other.
    match fs::write("/proc/self/oom_score_adj", OOM_SCORE) {
        Err(error) if error.kind() != io::ErrorKind::PermissionDenied => {
            return Err(error).attempt("write", Path::new("/proc/self/oom_score_adj"));
        }
        _ => {}
    }
    if let Some(group) = &start.cgroup {
        cgroup::enter(group).attempt("enter", group)?;
    }
    set_child_subreaper(Some(getpid())).attempt("become", Path::new("subreaper"))
}

/// Blocks the signal, too: it only makes the descriptor readable.
fn child_signals() -> io::Result<SignalFd> {
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGCHLD);
    mask.thread_block()?;
    Ok(SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?)
}

fn own_namespaces(start: &Start, held: &mut Vec<OwnedFd>) -> Result<Namespaces> {
    let own = start.namespaces;
    let mut flags = UnshareFlags::empty();
    flags.set(UnshareFlags::NEWNET, own.network);
    flags.set(UnshareFlags::NEWIPC, own.ipc);
    flags.set(UnshareFlags::NEWUTS, own.uts);
    if !flags.is_empty() {
        sys::unshare(flags).attempt("make", Path::new("namespaces"))?;
    }
    if let Some(name) = start.hostname.as_ref().filter(|_| own.uts) {
        rustix::system::sethostname(name.as_bytes()).attempt("set host name", Path::new(name))?;
    }
    for (key, value) in &start.sysctls {
        if !is_of_the_pod(key, start) {
            return Err(Error::Found(format!("the setting {key} does not belong to a namespace of the pod")));
        }
        let path = Path::new("/proc/sys").join(key.replace('.', "/"));
        fs::write(&path, value).attempt("write", &path)?;
    }
    let mut hold = |wanted: bool, name: &str| -> Result<Option<i32>> {
        if !wanted {
            return Ok(None);
        }
        let path = format!("/proc/self/ns/{name}");
        let descriptor = open_read(&path).attempt("open", Path::new(&path))?;
        let number = descriptor.as_raw_fd();
        held.push(descriptor);
        Ok(Some(number))
    };
    Ok(Namespaces {
        network: hold(own.network, "net")?,
        ipc: hold(own.ipc, "ipc")?,
        uts: hold(own.uts, "uts")?,
        process: None,
    })
}

/// Whether a kernel setting is one of a namespace that the pod has for itself; the others are the whole machine's.
fn is_of_the_pod(key: &str, start: &Start) -> bool {
    let plain = key.replace('/', ".");
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| plain.starts_with(prefix));
    let climbs = plain.split('.').any(str::is_empty);
    !climbs
        && ((start.namespaces.network && starts(&["net."]))
            || (start.namespaces.ipc && starts(&["kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue."])))
}

/// The shared process namespace with its first process.
fn shared_processes(start: &Start, namespaces: &mut Namespaces, held: &mut Vec<OwnedFd>) -> Result<Option<Pid>> {
    if !start.namespaces.process {
        return Ok(None);
    }
    let own = open_read("/proc/self/ns/pid").attempt("open", Path::new("/proc/self/ns/pid"))?;
    let group = start.pause_cgroup.as_deref();
    let procs = group.map(|group| cgroup::open_procs(group).attempt("open", group)).transpose()?;
    sys::unshare(UnshareFlags::NEWPID).attempt("make", Path::new("process namespace"))?;
    let first = process::pause(procs).attempt("start", Path::new("first process"))?;
    // Later children belong to the shim's own namespace again.
    move_into_link_name_space(own.as_fd(), Some(LinkNameSpaceType::ProcessID))
        .attempt("return to", Path::new("process namespace"))?;
    let path = format!("/proc/{}/ns/pid", first.as_raw_nonzero());
    let descriptor = open_read(&path).attempt("open", Path::new(&path))?;
    namespaces.process = Some(descriptor.as_raw_fd());
    held.push(descriptor);
    Ok(Some(first))
}

/// Binds through the folder's descriptor: a socket's address has room for 107 bytes only.
fn listening(folder: &Path) -> Result<OwnedFd> {
    let path = folder.join(SOCKET);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error).attempt("remove", &path),
        _ => {}
    }
    let opened = rustix::fs::openat(CWD, folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let opened = opened.attempt("open", folder)?;
    let address =
        SocketAddrUnix::new(format!("/proc/self/fd/{}/{SOCKET}", opened.as_raw_fd())).attempt("name", &path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).attempt("make", &path)?;
    let before = rustix::process::umask(Mode::from_raw_mode(0o177));
    let bound = bind(&socket, &address);
    rustix::process::umask(before);
    bound.attempt("bind", &path)?;
    listen(&socket, 64).attempt("listen on", &path)?;
    Ok(socket)
}

/// When this process started, in clock ticks since the boot.
fn start_ticks() -> Result<u64> {
    let path = Path::new("/proc/self/stat");
    let text = fs::read_to_string(path).attempt("read", path)?;
    ticks(&text).ok_or_else(|| Error::Found(format!("cannot understand {}", path.display())))
}

/// Field 22. The name in brackets may hold blanks and brackets itself.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use coracle_shim_protocol::files::Own;

    use super::*;

    #[test]
    fn the_start_time_is_field_22() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 0 0";
        assert_eq!(ticks(stat), Some(4711));
        assert_eq!(ticks("7 (a) S 1"), None);
        assert_eq!(ticks(""), None);
        assert!(start_ticks().unwrap() > 0);
    }

    #[test]
    fn only_settings_of_the_pods_namespaces_are_written() {
        let start = Start { namespaces: Own { network: true, ..Own::default() }, ..Start::default() };
        for (key, want) in [
            ("net.ipv4.tcp_syncookies", true),
            ("net/ipv4/conf/eth0.1/forwarding", true),
            ("net..kernel.panic", false),
            ("net/../kernel/panic", false),
            ("kernel.shmmax", false),
            ("vm.overcommit_memory", false),
        ] {
            assert_eq!(is_of_the_pod(key, &start), want, "{key}");
        }
    }
}
