//! A virtual machine that outlives the program that started it. Everything about it lies in one folder: `disk.qcow2`,
//! `seed.img`, `console.log`, `pid`, and the socket `control`, by which it is recognised: a process id can belong to
//! somebody else by now, the socket cannot.

use crate::acceleration::Accelerator;
use crate::command_line::{self, Channel, Files, Spec};
use crate::error::{Error, Result};
use crate::guest::install_firmware;
use crate::lock::Turn;
use crate::pattern::event;
use crate::qmp::Control;
use crate::record::{Entry, Miss, Record, Wait};
use crate::tail::Tail;
use crate::version;
use crate::{private, process};
use rustix::net::sockopt::socket_peercred;
use rustix::process::{PidfdFlags, pidfd_open};
use serde_json::json;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

const CONTROL: &str = "control";
const CONSOLE: &str = "console.log";
const VARIABLES: &str = "variables";

/// The folder of a machine.
#[derive(Clone, Debug)]
pub struct Vm {
    folder: PathBuf,
}

/// A machine that runs.
#[derive(Debug)]
pub struct Running {
    control: Control,
    record: Record,
    ended: OwnedFd,
}

impl Vm {
    /// The machine of a folder, which is made if it is missing, and closed to others: keys lie in it.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn at(folder: impl Into<PathBuf>) -> Result<Self> {
        let folder = folder.into();
        private::folder(&folder)?;
        Ok(Self { folder })
    }

    /// A file of the machine.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Waits until nobody else starts the machine; `told` is called when somebody does.
    ///
    /// # Errors
    /// The lock file cannot be made or locked.
    pub fn hold(&self, told: impl FnOnce()) -> Result<Turn> {
        Turn::take_at(&self.file("lock"), told)
    }

    /// The machine, if it runs.
    ///
    /// # Errors
    /// Something listens at its socket that does not answer as QEMU does.
    pub fn running(&self) -> Result<Option<Running>> {
        let path = self.file(CONTROL);
        let folder = File::open(&self.folder).map_err(Error::file("open", &self.folder))?;
        // Addresses of sockets are short, paths need not be.
        let short = format!("/proc/self/fd/{}/{CONTROL}", folder.as_raw_fd());
        let stream = match UnixStream::connect(short) {
            Ok(stream) => stream,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
                return Ok(None);
            }
            Err(error) => return Err(Error::file("connect to", &path)(error)),
        };
        let of_kernel = |errno: rustix::io::Errno| Error::file("ask who listens at", &path)(errno.into());
        let pid = socket_peercred(&stream).map_err(of_kernel)?.pid;
        let ended = pidfd_open(pid, PidfdFlags::empty()).map_err(of_kernel)?;
        let record = Record::new(None);
        let control = Control::open(stream, record.clone())?;
        Ok(Some(Running { control, record, ended }))
    }

    /// Starts the machine. The first start on a disk gets the firmware's own variables.
    ///
    /// # Errors
    /// QEMU is missing, too old, or refuses its arguments.
    pub fn start(&self, spec: &Spec, accelerator: Accelerator, fresh: bool) -> Result<()> {
        version::require(spec.machine.program)?;
        if fresh || !self.file(VARIABLES).is_file() {
            install_firmware(spec.machine.firmware, &self.file(VARIABLES))?;
        }
        for name in [CONTROL, CONSOLE] {
            match fs::remove_file(self.file(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::file("remove", &self.file(name))(error));
                }
                _ => {}
            }
        }
        let files = Files {
            serial: Channel::Append(CONSOLE.into()),
            control: Channel::Listen(CONTROL.into()),
            variables: VARIABLES.into(),
        };
        let mut arguments = command_line::arguments(spec, accelerator, &files);
        arguments.extend(["-daemonize", "-pidfile", "pid"].map(str::to_owned));
        process::output_in(&self.folder, spec.machine.program, &arguments).map(|_| ())
    }

    /// The console from its beginning until the machine ends.
    ///
    /// # Errors
    /// It cannot be followed.
    pub fn console(&self, running: &Running) -> Result<Tail> {
        let ended = running.ended.try_clone().map_err(Error::file("watch the machine of", &self.folder))?;
        Tail::open(&self.file(CONSOLE), ended)
    }
}

impl Running {
    /// Presses the power button and waits for the end. False when the machine still runs after the bound.
    /// QEMU may also be ended from outside meanwhile, which is no orderly end and an error.
    ///
    /// # Errors
    /// QEMU does not answer, or the machine was reset instead.
    pub fn power_off(mut self, bound: Duration) -> Result<bool> {
        self.control.command("system_powerdown", &json!({}))?;
        // The console goes to its file, so that the control connection is the only source.
        self.record.close();
        match own_end(&self.record, bound) {
            Ok(_) => process::ended(&self.ended, bound),
            Err(Miss::Closed) => Err(Error::Unexpected {
                subject: "the machine".to_owned(),
                message: "QEMU ended, but not because the machine switched itself off".to_owned(),
            }),
            Err(Miss::Timeout | Miss::Silent(_)) => Ok(false),
            Err(Miss::Forbidden(entry)) => Err(Error::Forbidden {
                wanted: "the end of the machine".to_owned(),
                seen: entry.to_string(),
                console: String::new(),
            }),
        }
    }

    /// Takes the power away.
    ///
    /// # Errors
    /// QEMU does not answer.
    pub fn power_cut(mut self, bound: Duration) -> Result<bool> {
        self.control.command("quit", &json!({}))?;
        process::ended(&self.ended, bound)
    }
}

/// Waits until the machine has switched itself off; QEMU's other reasons for its end do not count.
fn own_end(record: &Record, bound: Duration) -> std::result::Result<(usize, Entry), Miss> {
    let wanted = event("SHUTDOWN").with("reason", "guest-shutdown");
    record.wait(0, &Wait { wanted: &wanted, forbidden: &[event("RESET")], bound })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::X86_64_BIOS;
    use crate::record::Event;
    use std::os::unix::net::UnixListener;

    const BOUND: Duration = Duration::from_secs(60);

    #[test]
    fn a_machine_lives_without_its_starter_and_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        // Longer than the address of a socket may be.
        let vm = Vm::at(folder.path().join("a".repeat(120))).unwrap();
        assert!(vm.running().unwrap().is_none(), "nothing is there");
        // What a machine that was killed leaves behind.
        drop(UnixListener::bind(folder.path().join("left")).unwrap());
        fs::rename(folder.path().join("left"), vm.file(CONTROL)).unwrap();
        fs::write(vm.file("pid"), format!("{}\n", std::process::id())).unwrap();
        assert!(vm.running().unwrap().is_none(), "the process of the id is somebody else");

        let mut spec = Spec::new(&X86_64_BIOS);
        spec.extra = vec!["-S".into()];
        vm.start(&spec, Accelerator::Tcg, true).unwrap();
        let running = vm.running().unwrap().unwrap();
        assert!(vm.console(&running).is_ok());
        assert!(running.power_cut(BOUND).unwrap());
        assert!(vm.running().unwrap().is_none(), "it has ended");
    }

    #[test]
    fn only_the_machines_own_end_is_orderly() {
        let record = |events: &[(&str, serde_json::Value)]| {
            let record = Record::new(None);
            for (name, data) in events {
                record.push_event(Event { name: (*name).to_owned(), data: data.clone() });
            }
            record.close();
            record
        };
        let pressed = ("POWERDOWN", json!({}));
        let shutdown = |reason: &str| ("SHUTDOWN", json!({ "guest": true, "reason": reason }));
        for (events, want) in [
            (vec![pressed.clone(), shutdown("guest-shutdown")], true),
            (vec![pressed.clone(), shutdown("host-signal")], false),
            (vec![pressed.clone(), ("RESET", json!({})), shutdown("guest-shutdown")], false),
            (vec![pressed], false),
        ] {
            assert_eq!(own_end(&record(&events), BOUND).is_ok(), want, "{events:?}");
        }
    }
}
