//! The real event loop as process 1 of a fresh user, mount and PID namespace: supervision, heartbeat, reaping, signals
//! and the orderly end. Needs user namespaces or root, bash, and nothing else.
//!
//! This binary is its own three helpers: without arguments it is the test runner, `enter CASE` makes the namespaces,
//! `pid1 CASE` is process 1 in them. A namespace whose init calls reboot(2) ends by SIGHUP, for power-off by SIGINT.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test: it may fail loudly, starts its own helpers and prints results as libtest does"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::panic::catch_unwind;
use std::process::{Command, ExitCode};

use coracle_contract::marker::Marker;
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind_recursive, mount_change};
use rustix::thread::UnshareFlags;

const SIGHUP: i32 = 1;
const SIGINT: i32 = 2;

/// A script that is supervised, and what has to come of it.
struct Case {
    name: &'static str,
    script: &'static str,
    check: fn(&Outcome),
}

/// What a run left behind.
struct Outcome {
    signal: Option<i32>,
    output: String,
    markers: Vec<Marker>,
}

const CASES: [Case; 5] = [
    Case {
        name: "a_ready_process_passes_the_gate_and_is_asked_before_power_off",
        script: "grep SigBlk /proc/self/status\ntrap 'echo asked; exit 0' TERM\nsay alive\nsay ready\nkill -USR2 1\nwhile :; do read -t 1 <> /fifo; done",
        check: |outcome| {
            assert_eq!(outcome.signal, Some(SIGINT), "power-off");
            assert!(outcome.has("orchestrator", &[("event", "started")]));
            assert!(outcome.has("heartbeat", &[("message", "ready")]));
            assert!(outcome.has("gate", &[("result", "passed")]));
            assert!(outcome.has("power", &[("action", "poweroff"), ("reason", "signal-usr2")]));
            assert!(outcome.output.contains("asked"));
            assert!(outcome.output.contains("SigBlk:\t0000000000000000"), "the mask of PID 1 is not inherited");
        },
    },
    Case {
        name: "a_crashing_process_is_started_again_with_a_growing_pause",
        script: "echo >> /run/count\n[ $(wc -l < /run/count) -lt 3 ] && exit 3\nsay 'reboot third time'\nread < /fifo",
        check: |outcome| {
            assert_eq!(outcome.signal, Some(SIGHUP), "reboot");
            let exits = outcome.all("orchestrator", "event", "exited");
            assert_eq!(exits.iter().filter(|m| m.get("status") == Some("code-3")).count(), 2);
            let pauses = outcome.all("orchestrator", "event", "back-off");
            let pauses: Vec<_> = pauses.iter().filter_map(|m| m.get("backoff-ms")).collect();
            assert_eq!(pauses, ["250", "500"]);
            assert!(outcome.has("power", &[("action", "reboot"), ("reason", "third time")]));
        },
    },
    Case {
        name: "a_process_killed_by_a_signal_is_reported_as_such",
        script: "[ -e /run/once ] && { say 'reboot done'; read < /fifo; }\n> /run/once\nkill -KILL $$",
        check: |outcome| {
            assert!(outcome.has("orchestrator", &[("event", "exited"), ("status", "signal-9")]));
            assert_eq!(outcome.signal, Some(SIGHUP));
        },
    },
    Case {
        name: "orphans_are_reaped_and_counted",
        script: "if [ ! -e /run/orphan ]; then (read < /fifo & echo $! > /run/orphan); exit 0; fi\n\
                 if [ ! -e /run/freed ]; then > /run/freed; echo > /fifo\n\
                 while kill -0 $(cat /run/orphan) 2>/dev/null; do :; done; exit 0; fi\n\
                 say 'reboot done'; read < /fifo",
        check: |outcome| {
            let exits = outcome.all("orchestrator", "event", "exited");
            let counts: Vec<_> = exits.iter().filter_map(|m| m.get("orphans-reaped")?.parse::<u32>().ok()).collect();
            assert!(counts.len() >= 2 && counts[1] >= 1, "{counts:?}");
            assert_eq!(outcome.signal, Some(SIGHUP));
        },
    },
    Case {
        name: "foreign_packets_are_said_and_ignored",
        script: "say hello\nprintf 'junk' >&$CORACLE_HEARTBEAT_FD\nsay ready\nkill -INT 1\nread < /fifo",
        check: |outcome| {
            assert_eq!(outcome.output.matches("warning: heartbeat packet").count(), 2);
            assert!(outcome.has("gate", &[("result", "passed")]), "a message after junk still counts");
            assert!(outcome.has("power", &[("action", "reboot"), ("reason", "ctrl-alt-del")]));
        },
    },
];

/// Before each script: one function that sends a heartbeat message.
const PRELUDE: &str = "#!/bin/bash\nsay() { printf '1 %s' \"$1\" >&\"$CORACLE_HEARTBEAT_FD\"; }\n";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["enter", case] => enter(case),
        ["pid1", case] => process_1(case),
        _ => run_all(&arguments),
    }
}

fn run_all(arguments: &[String]) -> ExitCode {
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    let cases: Vec<&Case> = CASES.iter().filter(|c| filter.is_none_or(|f| c.name.contains(f.as_str()))).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        for case in &cases {
            println!("{}: test", case.name);
        }
        return ExitCode::SUCCESS;
    }
    println!("\nrunning {} tests", cases.len());
    let failed = cases.iter().filter(|case| !passes(case)).count();
    let word = if failed == 0 { "ok" } else { "FAILED" };
    let (passed, out) = (cases.len() - failed, CASES.len() - cases.len());
    println!("\ntest result: {word}. {passed} passed; {failed} failed; 0 ignored; 0 measured; {out} filtered out\n");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn passes(case: &Case) -> bool {
    let passed = catch_unwind(|| {
        let me = std::env::current_exe().unwrap();
        let output = Command::new(me).args(["enter", case.name]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        let markers = text.lines().filter_map(Marker::find).collect();
        println!("{text}");
        (case.check)(&Outcome {
            signal: output.status.code().filter(|code| *code > 128).map(|c| c - 128),
            output: text,
            markers,
        });
    })
    .is_ok();
    println!("test {} ... {}", case.name, if passed { "ok" } else { "FAILED" });
    passed
}

/// Makes the namespaces, starts process 1 in them and exits with 128 + the signal that ended it.
fn enter(case: &str) -> ExitCode {
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let flags = UnshareFlags::NEWUSER | UnshareFlags::NEWNS | UnshareFlags::NEWPID;
    unshare(flags);
    fs::write("/proc/self/setgroups", "deny").unwrap();
    fs::write("/proc/self/uid_map", format!("0 {uid} 1")).unwrap();
    fs::write("/proc/self/gid_map", format!("0 {gid} 1")).unwrap();
    let status = Command::new(std::env::current_exe().unwrap()).args(["pid1", case]).status().unwrap();
    let code = status.signal().map_or(1, |signal| 128 + signal);
    ExitCode::from(u8::try_from(code).unwrap())
}

/// A small root of its own: the host's programs read-only, /proc of the namespace, memory for the rest.
fn process_1(case: &str) -> ExitCode {
    assert_eq!(std::process::id(), 1);
    let case = CASES.iter().find(|known| known.name == case).expect("a known case");
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
    let root = "/tmp";
    mount("tmpfs", root, "tmpfs", MountFlags::empty(), None).unwrap();
    for name in ["usr", "bin", "lib", "lib64", "dev"] {
        let host = format!("/{name}");
        if fs::metadata(&host).is_ok() {
            fs::create_dir(format!("{root}/{name}")).unwrap();
            mount_bind_recursive(host.as_str(), format!("{root}/{name}")).unwrap();
        }
    }
    for name in ["proc", "run", "sys"] {
        fs::create_dir(format!("{root}/{name}")).unwrap();
    }
    mount("proc", format!("{root}/proc"), "proc", MountFlags::empty(), None).unwrap();
    let script = format!("{root}/supervised");
    fs::write(&script, format!("{PRELUDE}{}\n", case.script)).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, format!("{root}/fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    rustix::process::chroot(root).unwrap();
    rustix::process::chdir("/").unwrap();
    let console = fs::File::from(rustix::io::dup(rustix::stdio::stdout()).unwrap());
    let reason = coracle_pid1::supervise_natively(console);
    panic!("the loop did not begin: {reason}");
}

#[expect(deprecated, reason = "the safe form is right here: this process has one thread and shares no descriptors")]
fn unshare(flags: UnshareFlags) {
    rustix::thread::unshare(flags).expect("user namespaces are needed, or root");
}

impl Outcome {
    fn has(&self, name: &str, fields: &[(&str, &str)]) -> bool {
        self.markers.iter().any(|m| m.name() == name && fields.iter().all(|(key, value)| m.get(key) == Some(value)))
    }

    fn all(&self, name: &str, key: &str, value: &str) -> Vec<&Marker> {
        self.markers.iter().filter(|m| m.name() == name && m.get(key) == Some(value)).collect()
    }
}
