//! One running guest: QEMU, its console and its control connection. It ends with this value, whatever the test does.

use crate::acceleration::Accelerator;
use crate::command_line::{self, Channel, Files, Spec};
use crate::error::{Error, Result};
use crate::lab::Lab;
use crate::ledger;
use crate::lock::Turn;
use crate::machine::Firmware;
use crate::pattern::{Pattern, event, marker};
use crate::process::{self, Owned};
use crate::qmp::Control;
use crate::record::{Entry, Miss, Record, Wait, What};
use crate::version;
use coracle_contract::marker::Marker;
use serde_json::{Value, json};
use std::fs::File;
use std::io::Read as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a KVM guest may be silent while its console is waited for.
const SILENCE: Duration = Duration::from_secs(30);
/// QEMU connects its sockets at once; under load it may take seconds to be started.
const START_BOUND: Duration = Duration::from_secs(60);

/// A running guest.
#[derive(Debug)]
pub struct Guest {
    // The order matters: QEMU is killed first, which ends both readers.
    qemu: Owned,
    control: Control,
    console: Option<JoinHandle<()>>,
    record: Record,
    /// Number of the first entry that no wait has passed.
    next: usize,
    messages: PathBuf,
    accelerator: Accelerator,
    started: Instant,
    machine: &'static str,
    scenario: String,
    _turn: Arc<Turn>,
}

impl Guest {
    /// Starts a guest with the laboratory's choice of accelerator.
    ///
    /// # Errors
    /// QEMU is missing, too old, or refuses its arguments.
    pub fn start(lab: &Lab, spec: &Spec) -> Result<Self> {
        let accelerator = lab.accelerator(spec.machine)?;
        Self::start_with(lab, spec, accelerator)
    }

    /// Starts a guest with a given accelerator.
    pub(crate) fn start_with(lab: &Lab, spec: &Spec, accelerator: Accelerator) -> Result<Self> {
        version::require(spec.machine.program)?;
        let directory = lab.subdirectory("guest")?;
        let (serial, control) = (directory.join("serial"), directory.join("control"));
        let files = Files {
            serial: Channel::Connect(serial.clone()),
            control: Channel::Connect(control.clone()),
            variables: directory.join("variables"),
        };
        install_firmware(spec.machine.firmware, &files.variables)?;
        let serial = UnixListener::bind(&serial).map_err(Error::file("listen on", &serial))?;
        let control = UnixListener::bind(&control).map_err(Error::file("listen on", &control))?;
        let messages = directory.join("messages");
        let output = File::create(&messages).map_err(Error::file("create", &messages))?;

        let record = Record::new((accelerator == Accelerator::Kvm).then_some(SILENCE));
        let started = Instant::now();
        let qemu = process::start(spec.machine.program, &command_line::arguments(spec, accelerator, &files), output)?;
        let serial = accept(&qemu, &serial, &messages)?;
        let control = accept(&qemu, &control, &messages)?;
        let reader = record.clone();
        let console = std::thread::spawn(move || read_console(serial, &reader));
        let control = Control::open(control, record.clone()).map_err(|error| Error::Exited {
            wanted: format!("an answer ({error})"),
            stderr: read_messages(&messages),
            console: record.tail(),
        })?;
        Ok(Self {
            control,
            qemu,
            console: Some(console),
            record,
            next: 0,
            messages,
            accelerator,
            started,
            machine: spec.machine.name,
            scenario: lab.name().to_owned(),
            _turn: lab.turn(),
        })
    }

    /// The accelerator in use.
    #[must_use]
    pub const fn accelerator(&self) -> Accelerator {
        self.accelerator
    }

    /// Everything so far.
    #[must_use]
    pub const fn record(&self) -> &Record {
        &self.record
    }

    /// Waits for a pattern after the last one that was waited for.
    ///
    /// # Errors
    /// It did not come within the bound, or QEMU ended.
    pub fn wait(&mut self, wanted: &Pattern, bound: Duration) -> Result<Entry> {
        self.wait_unless(wanted, &[], bound)
    }

    /// Waits for a pattern; one of the forbidden ones before it is a failure at once.
    ///
    /// # Errors
    /// As [`Self::wait`], and the forbidden one came.
    pub fn wait_unless(&mut self, wanted: &Pattern, forbidden: &[Pattern], bound: Duration) -> Result<Entry> {
        let outcome = self.record.wait(self.next, &Wait { wanted, forbidden, bound });
        match outcome {
            Ok((index, entry)) => {
                self.next = index + 1;
                Ok(entry)
            }
            Err(miss) => Err(self.explain(&wanted.to_string(), bound, miss)),
        }
    }

    /// Waits for a marker and gives it; a `fatal` marker or a reset before it is a failure at once.
    ///
    /// # Errors
    /// As [`Self::wait_unless`].
    pub fn wait_marker(&mut self, wanted: &Pattern, bound: Duration) -> Result<Marker> {
        let forbidden = [marker("fatal"), event("RESET")];
        match self.wait_unless(wanted, &forbidden, bound)?.what {
            What::Line { marker: Some(found), .. } => Ok(found),
            other => Err(Error::Unexpected { subject: wanted.to_string(), message: format!("{other:?} is no marker") }),
        }
    }

    /// Waits for several patterns, each after the one before it, all within one bound.
    ///
    /// # Errors
    /// As [`Self::wait`], for the first that did not come.
    pub fn sequence(&mut self, wanted: &[Pattern], bound: Duration) -> Result<Vec<Entry>> {
        let deadline = Instant::now() + bound;
        wanted.iter().map(|pattern| self.wait(pattern, deadline.saturating_duration_since(Instant::now()))).collect()
    }

    /// Holds that none of these comes within the time, which is the subject's own (for example two watchdog periods).
    ///
    /// # Errors
    /// One came, or QEMU ended.
    pub fn nothing_within(&mut self, unwanted: &[Pattern], time: Duration) -> Result<()> {
        // No guest says this, so that only the forbidden patterns or the bound can end the wait.
        let never = event("none of the unwanted");
        match self.record.wait(self.next, &Wait { wanted: &never, forbidden: unwanted, bound: time }) {
            Err(Miss::Timeout) => Ok(()),
            Err(miss) => Err(self.explain("nothing unwanted", time, miss)),
            Ok((_, entry)) => Err(self.explain("nothing unwanted", time, Miss::Forbidden(entry))),
        }
    }

    /// Where the next wait begins; with [`Self::markers_from`] it delimits a boot.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.next
    }

    /// All markers after a position, in order.
    #[must_use]
    pub fn markers_from(&self, position: usize) -> Vec<Marker> {
        let entries = self.record.entries().into_iter().skip(position);
        entries
            .filter_map(|entry| match entry.what {
                What::Line { marker, .. } => marker,
                What::Event(_) => None,
            })
            .collect()
    }

    /// All markers with this name so far, in order.
    #[must_use]
    pub fn markers(&self, name: &str) -> Vec<Marker> {
        self.markers_from(0).into_iter().filter(|marker| marker.name() == name).collect()
    }

    /// Boots so far, see [`Record::boots`].
    #[must_use]
    pub fn boots(&self) -> usize {
        self.record.boots()
    }

    /// Sends any command of QEMU's control protocol.
    ///
    /// # Errors
    /// QEMU refused it or is gone.
    pub fn command(&mut self, name: &str, arguments: &Value) -> Result<Value> {
        self.control.command(name, arguments)
    }

    /// Presses the ACPI power button.
    ///
    /// # Errors
    /// QEMU is gone.
    pub fn power_button(&mut self) -> Result<()> {
        self.command("system_powerdown", &json!({})).map(|_| ())
    }

    /// Presses the reset button.
    ///
    /// # Errors
    /// QEMU is gone.
    pub fn reset_button(&mut self) -> Result<()> {
        self.command("system_reset", &json!({})).map(|_| ())
    }

    /// Power cut: QEMU dies by SIGKILL with everything that the guest had not flushed in QEMU's own caches.
    ///
    /// # Errors
    /// QEMU could not be killed.
    pub fn power_cut(mut self) -> Result<()> {
        self.qemu.kill()
    }

    /// Power cut at the first sight of a pattern.
    ///
    /// # Errors
    /// As [`Self::wait`].
    pub fn power_cut_at(mut self, wanted: &Pattern, bound: Duration) -> Result<()> {
        self.wait(wanted, bound)?;
        self.power_cut()
    }

    /// Ends QEMU in order, its caches written, without telling the guest.
    ///
    /// # Errors
    /// QEMU did not end within a minute.
    pub fn quit(mut self) -> Result<()> {
        self.command("quit", &json!({}))?;
        self.ended(START_BOUND).map(|_| ())
    }

    /// Waits until QEMU has ended by itself, for example after the guest's power-off.
    ///
    /// # Errors
    /// It still runs after the bound.
    pub fn ended(&mut self, bound: Duration) -> Result<ExitStatus> {
        let status = self.qemu.wait(bound)?;
        status.ok_or_else(|| self.explain("the end of QEMU", bound, Miss::Timeout))
    }

    fn explain(&self, wanted: &str, bound: Duration, miss: Miss) -> Error {
        let (wanted, console) = (wanted.to_owned(), self.record.tail());
        match miss {
            Miss::Timeout => Error::Timeout { wanted, bound, console },
            Miss::Forbidden(entry) => Error::Forbidden { wanted, seen: entry.to_string(), console },
            Miss::Closed => Error::Exited { wanted, stderr: read_messages(&self.messages), console },
            Miss::Silent(silence) => Error::SilentUnderKvm { wanted, silence, console },
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // An error means that QEMU ended before.
        let _ended = self.qemu.kill();
        if let Some(Err(_)) = self.console.take().map(JoinHandle::join) {
            eprintln!("the console reader of {} panicked", self.scenario);
        }
        if std::thread::panicking() {
            eprintln!("{}: {}\n{}", self.scenario, self.machine, self.record.tail());
        }
        save_transcript(&self.scenario, self.machine, &self.record.transcript());
        ledger::add(&ledger::Row {
            suite: &ledger::suite(),
            scenario: &self.scenario,
            machine: self.machine,
            accelerator: &self.accelerator.to_string(),
            time: self.started.elapsed(),
            boots: self.boots(),
        });
    }
}

/// Gives the guest its copy of the firmware's variables.
pub(crate) fn install_firmware(firmware: Firmware, variables: &Path) -> Result<()> {
    if let Firmware::Uefi { code, variables: delivered } = firmware {
        for path in [code, delivered] {
            if !Path::new(path).is_file() {
                return Err(Error::MissingFirmware { path: path.into() });
            }
        }
        std::fs::copy(delivered, variables).map_err(Error::file("copy", Path::new(delivered)))?;
    }
    Ok(())
}

fn accept(qemu: &Owned, listener: &UnixListener, messages: &Path) -> Result<UnixStream> {
    if qemu.readable(listener, START_BOUND)? {
        return listener.accept().map(|(stream, _)| stream).map_err(Error::file("accept QEMU at", messages));
    }
    let (wanted, console) = ("QEMU's connection".to_owned(), String::new());
    Err(Error::Exited { wanted, stderr: read_messages(messages), console })
}

fn read_messages(path: &Path) -> String {
    std::fs::read(path).map_or_else(
        |error| format!("(its messages cannot be read: {error})"),
        |bytes| String::from_utf8_lossy(&bytes).into_owned(),
    )
}

fn read_console(mut serial: UnixStream, record: &Record) {
    let mut buffer = [0_u8; 4096];
    while let Ok(length) = serial.read(&mut buffer) {
        let Some(bytes) = buffer.get(..length).filter(|bytes| !bytes.is_empty()) else { break };
        record.push_console(bytes);
    }
    record.close();
}

/// Keeps the whole console for people, in `CORACLE_TRANSCRIPTS=DIRECTORY`.
fn save_transcript(scenario: &str, machine: &str, transcript: &[u8]) {
    let Some(directory) = std::env::var_os("CORACLE_TRANSCRIPTS").map(PathBuf::from) else { return };
    let name = format!("{}-{scenario}.{machine}.log", ledger::suite());
    let append = |path: &Path| {
        use std::io::Write as _;
        std::fs::create_dir_all(&directory)?;
        File::options().create(true).append(true).open(path)?.write_all(transcript)
    };
    if let Err(error) = append(&directory.join(&name)) {
        eprintln!("keep transcript {name}: {error}");
    }
}
