//! A helper without a runtime: its containers are plain processes. It keeps the interface of
//! `coracle_shim_protocol::helper` and fails in all the ways the tests ask for.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};

use coracle_shim_protocol::frame;
use coracle_shim_protocol::helper::{CONSOLE, REPORT, Report, Request, STARTED, STDERR, STDIN, STDOUT};
use coracle_shim_protocol::message::{Failure, Reason, Size};
use coracle_shim_protocol::socket;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, PidfdFlags, Signal, getpid, kill_process, pidfd_open, setsid};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::sys;

pub(crate) fn main() -> ExitCode {
    let request: Request = serde_json::from_reader(std::io::stdin()).unwrap();
    let mut report = File::from(sys::inherited(REPORT));
    fcntl_setfd(&report, FdFlags::CLOEXEC).unwrap();
    let outcome = match request {
        Request::Create { id, bundle, state, tty } => create(&id, &bundle, &state, tty),
        Request::Start { id, state } => {
            File::options().write(true).open(state.join(id)).unwrap().write_all(b"go").unwrap();
            Report::Done
        }
        Request::Delete { id, state } => delete(&id, &state),
        Request::Exec { process, tty, size, .. } => exec(&process, tty, size),
    };
    frame::write(&mut report, &outcome).unwrap();
    if matches!(outcome, Report::Failed(_)) { ExitCode::from(1) } else { ExitCode::SUCCESS }
}

/// Ways to fail, as the first word of a command.
fn misbehave(word: &str) -> Option<Report> {
    match word {
        "HANG" => loop {
            poll(&mut [], None).unwrap();
        },
        "CRASH" => {
            eprint!("last words");
            kill_process(getpid(), Signal::KILL).unwrap();
            None
        }
        "MUTE" => std::process::abort(),
        "FAIL" => Some(Report::Failed(Failure::new(Reason::CreateContainerError, "no such rootfs"))),
        _ => None,
    }
}

fn create(id: &str, bundle: &Path, state: &Path, tty: bool) -> Report {
    let config: serde_json::Value = serde_json::from_slice(&fs::read(bundle.join("config.json")).unwrap()).unwrap();
    let arguments = words(&config["process"]);
    if let Some(report) = misbehave(&arguments[0]) {
        return report;
    }
    let started = sys::inherited(STARTED);
    fcntl_setfd(&started, FdFlags::CLOEXEC).unwrap();
    let streams = Streams::new(tty, None);
    let fifo = state.join(id);
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let pid = sys::fork_sibling();
    if pid == 0 {
        if let Some(group) = config["cgroup"].as_str() {
            fs::write(Path::new(group).join("cgroup.procs"), "0").unwrap();
        }
        streams.take();
        if arguments[0] == "EARLY" {
            std::process::exit(3);
        }
        let mut text = String::new();
        File::open(fifo).unwrap().read_to_string(&mut text).unwrap();
        let failure = become_program(&arguments);
        frame::write(&mut File::from(started), &Report::Failed(failure)).unwrap();
        std::process::exit(1);
    }
    if arguments[0] == "EARLY" {
        wait_for(pid);
    }
    fs::write(state.join(format!("{id}.pid")), pid.to_string()).unwrap();
    Report::Process { pid }
}

/// Waits until a sibling has ended, and possibly was reaped.
fn wait_for(pid: i32) {
    if let Ok(process) = pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()) {
        poll(&mut [PollFd::from_borrowed_fd(process.as_fd(), PollFlags::IN)], None).unwrap();
    }
}

fn delete(id: &str, state: &Path) -> Report {
    let file = state.join(format!("{id}.pid"));
    if let Ok(pid) = fs::read_to_string(&file) {
        let parent = rustix::process::getppid().unwrap().as_raw_nonzero();
        let is_sibling = fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
            stat.rsplit(')').next().unwrap().split_whitespace().nth(1).unwrap() == parent.to_string()
        });
        if is_sibling {
            let _ = kill_process(Pid::from_raw(pid.parse().unwrap()).unwrap(), Signal::KILL);
        }
        fs::remove_file(file).unwrap();
    }
    let _ = fs::remove_file(state.join(id));
    Report::Done
}

fn exec(process: &serde_json::Value, tty: bool, size: Option<Size>) -> Report {
    let arguments = words(process);
    if let Some(report) = misbehave(&arguments[0]) {
        return report;
    }
    let streams = Streams::new(tty, size);
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    let pid = sys::fork_sibling();
    if pid == 0 {
        streams.take();
        if arguments[0] == "EARLY" {
            std::process::exit(3);
        }
        let failure = become_program(&arguments);
        frame::write(&mut writer, &Report::Failed(failure)).unwrap();
        std::process::exit(1);
    }
    drop(writer);
    match frame::read(&mut reader).unwrap() {
        None => {
            if arguments[0] == "EARLY" {
                wait_for(pid);
            }
            Report::Process { pid }
        }
        Some(report) => report,
    }
}

/// The streams of a process to be.
struct Streams([OwnedFd; 3], bool);

impl Streams {
    fn new(tty: bool, size: Option<Size>) -> Self {
        if !tty {
            return Self([STDIN, STDOUT, STDERR].map(sys::inherited), false);
        }
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        unlockpt(&master).unwrap();
        let slave = ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        if let Some(Size { columns, rows }) = size {
            tcsetwinsize(&master, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        }
        let console = sys::inherited(CONSOLE);
        fcntl_setfd(&console, FdFlags::CLOEXEC).unwrap();
        socket::send_all(&console, b"t", &[master.as_fd()]).unwrap();
        Self([slave.try_clone().unwrap(), slave.try_clone().unwrap(), slave], true)
    }

    /// In the new process.
    fn take(self) {
        setsid().unwrap();
        let Self([input, output, errors], tty) = self;
        if tty {
            rustix::process::ioctl_tiocsctty(&input).unwrap();
        }
        rustix::stdio::dup2_stdin(input).unwrap();
        rustix::stdio::dup2_stdout(output).unwrap();
        rustix::stdio::dup2_stderr(errors).unwrap();
    }
}

fn words(process: &serde_json::Value) -> Vec<String> {
    process["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

fn become_program(arguments: &[String]) -> Failure {
    let error = Command::new(&arguments[0]).args(&arguments[1..]).env("PATH", "/usr/bin:/bin").exec();
    Failure { reason: Reason::StartError, message: error.to_string(), errno: error.raw_os_error() }
}
