//! Containers of the tests, and what a shim would do for them.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use coracle_shim_protocol::frame;
use coracle_shim_protocol::helper::{ARGUMENT, Report, Request};
use coracle_shim_protocol::message::{Failure, Size};
use coracle_shim_protocol::socket;
use rustix::fs::{MemfdFlags, OFlags, memfd_create};
use rustix::io::{DupFlags, dup2, dup3};
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, waitpid};
use serde_json::{Value, json};

use crate::payload;

/// First of the descriptors that helpers get beyond the standard ones, and their number.
const FIRST: i32 = 3;
const NUMBER: usize = 6;

/// A folder, a control group, and reserved descriptors.
pub(crate) struct Rig {
    folder: tempfile::TempDir,
    group: String,
    places: RefCell<Vec<OwnedFd>>,
    descriptors: usize,
}

/// A container of a test.
pub(crate) struct Container<'a> {
    rig: &'a Rig,
    pub(crate) id: String,
    pub(crate) config: Value,
    pub(crate) pid: i32,
    pub(crate) input: Option<OwnedFd>,
    output: Option<OwnedFd>,
    started: Option<OwnedFd>,
    console: Option<UnixStream>,
}

/// A process of exec.
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) input: Option<OwnedFd>,
    output: Option<OwnedFd>,
    console: Option<UnixStream>,
}

/// How a process ended and what it printed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) code: i32,
    pub(crate) text: String,
}

impl Rig {
    pub(crate) fn new() -> Self {
        let null = || File::options().read(true).write(true).open("/dev/null").unwrap();
        let places: Vec<OwnedFd> = (0..NUMBER).map(|_| null().into()).collect();
        for (place, want) in places.iter().zip(FIRST..) {
            assert_eq!(place.as_raw_fd(), want, "the test needs descriptors {FIRST} and following");
        }
        hide_first_version();
        let folder = tempfile::tempdir().unwrap();
        // State lies on a memory file system, as in the product.
        rustix::mount::mount("tmpfs", folder.path(), "tmpfs", MountFlags::empty(), None).unwrap();
        fs::create_dir(folder.path().join("state")).unwrap();
        let group = format!("coracle-runtime-test-{}", std::process::id());
        fs::create_dir(Path::new("/sys/fs/cgroup").join(&group)).unwrap();
        // Where the machine has controllers for it, containers get them too.
        if let Ok(controllers) = fs::read_to_string(Path::new("/sys/fs/cgroup").join(&group).join("cgroup.controllers"))
        {
            let all = controllers.split_whitespace().map(|name| format!("+{name}")).collect::<Vec<_>>().join(" ");
            fs::write(Path::new("/sys/fs/cgroup").join(&group).join("cgroup.subtree_control"), all).unwrap();
        }
        let exe = std::env::current_exe().unwrap();
        fs::copy(exe, folder.path().join(payload::NAME)).unwrap();
        Self { folder, group, places: RefCell::new(places), descriptors: descriptors() }
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Folder of a container.
    pub(crate) fn container_folder(&self, id: &str) -> PathBuf {
        self.folder.path().join(id)
    }

    /// A container whose program does these words.
    pub(crate) fn container(&self, id: &str, words: &[&str]) -> Container<'_> {
        let bundle = self.folder.path().join(id);
        let root = bundle.join("rootfs");
        for folder in ["proc", "dev", "sys", "tmp", "etc"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        fs::write(root.join("etc/passwd"), "root:x:0:0::/root:/payload\nweb:x:33:33::/srv:/payload\n").unwrap();
        fs::hard_link(self.folder.path().join(payload::NAME), root.join(payload::NAME)).unwrap();
        let mut arguments = vec![format!("/{}", payload::NAME)];
        arguments.extend(words.iter().map(|word| (*word).to_owned()));
        let group = format!("/{}/{id}", self.group);
        fs::create_dir(format!("/sys/fs/cgroup{group}")).unwrap();
        let config = json!({
            "ociVersion": "1.2.0",
            "root": { "path": "rootfs", "readonly": false },
            "process": process(&arguments),
            "hostname": "inside",
            "mounts": [
                { "destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"] },
                { "destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"] },
                { "destination": "/dev/pts", "type": "devpts", "source": "devpts",
                  "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"] },
                { "destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"] },
            ],
            "linux": {
                "cgroupsPath": group,
                "namespaces": [
                    { "type": "pid" }, { "type": "mount" }, { "type": "ipc" }, { "type": "uts" }, { "type": "network" },
                ],
                "maskedPaths": ["/proc/kcore", "/proc/keys", "/sys/firmware"],
                "readonlyPaths": ["/proc/sys"],
                // Ignored: limits are the orchestrator's.
                "resources": { "memory": { "limit": 1 } },
            },
        });
        Container {
            rig: self,
            id: id.to_owned(),
            config,
            pid: 0,
            input: None,
            output: None,
            started: None,
            console: None,
        }
    }

    /// One helper, with these descriptors at 3 and following; its report is added at 3.
    pub(crate) fn helper(&self, request: &Request, descriptors: &[Option<&OwnedFd>]) -> Report {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).unwrap();
        let mut file = File::from(memfd_create("request", MemfdFlags::CLOEXEC).unwrap());
        file.write_all(serde_json::to_string(request).unwrap().as_bytes()).unwrap();
        file.rewind().unwrap();
        let mut errors = File::from(memfd_create("errors", MemfdFlags::CLOEXEC).unwrap());
        #[expect(clippy::disallowed_methods, reason = "the helper under test; it is waited for below")]
        let mut command = std::process::Command::new("/proc/self/exe");
        command.arg(ARGUMENT).env_clear().current_dir("/").stdin(file).stdout(std::process::Stdio::null());
        command.stderr(errors.try_clone().unwrap());
        let mut places = self.places.borrow_mut();
        for (place, descriptor) in places.iter_mut().zip([Some(&writer)].into_iter().chain(descriptors.iter().copied()))
        {
            if let Some(descriptor) = descriptor {
                dup2(descriptor, place).unwrap();
            }
        }
        let mut child = command.spawn().unwrap();
        let null = File::open("/dev/null").unwrap();
        for place in places.iter_mut() {
            dup3(&null, place, DupFlags::CLOEXEC).unwrap();
        }
        drop(writer);
        let status = child.wait().unwrap();
        let report: Option<Report> = frame::read(&mut File::from(reader)).unwrap_or_default();
        let mut text = String::new();
        errors.rewind().unwrap();
        errors.read_to_string(&mut text).unwrap();
        let report = report.unwrap_or_else(|| panic!("{request:?}: {status}, no report: {text}"));
        assert_eq!(status.code(), Some(i32::from(matches!(report, Report::Failed(_)))), "{report:?} {text}");
        report
    }

    /// Nothing is left over.
    pub(crate) fn check_clean(&self, case: &str) {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Err(rustix::io::Errno::CHILD) => break,
                Ok(Some(_)) => {}
                other => panic!("{case}: processes are left: {other:?}"),
            }
        }
        let left: Vec<_> = fs::read_dir(self.state()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(left.is_empty(), "{case}: state is left: {left:?}");
        assert_eq!(descriptors(), self.descriptors, "{case}: descriptors are left");
        let groups = fs::read_dir(Path::new("/sys/fs/cgroup").join(&self.group)).unwrap();
        let left: Vec<_> = groups
            .filter_map(Result::ok)
            .filter(|entry| entry.path().is_dir())
            .map(|entry| entry.file_name())
            .collect();
        assert!(left.is_empty(), "{case}: groups are left: {left:?}");
    }
}

impl Rig {
    /// Ends and removes what a failed case left, so that the next one starts from nothing.
    pub(crate) fn clear(&self) {
        let group = Path::new("/sys/fs/cgroup").join(&self.group);
        for entry in fs::read_dir(&group).into_iter().flatten().filter_map(Result::ok) {
            let id = entry.file_name().to_string_lossy().into_owned();
            if entry.path().is_dir() && fs::write(entry.path().join("cgroup.kill"), "1").is_ok() {
                while rustix::process::wait(WaitOptions::empty()).is_ok() {}
                self.helper(&Request::Delete { id, state: self.state() }, &[]);
                let _ = fs::remove_dir(entry.path());
            }
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = fs::remove_dir(Path::new("/sys/fs/cgroup").join(&self.group));
        let _ = rustix::mount::unmount(self.folder.path(), UnmountFlags::DETACH);
    }
}

impl Container<'_> {
    /// The configuration's value at a pointer.
    pub(crate) fn set(&mut self, pointer: &str, value: Value) -> &mut Self {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        self.config.pointer_mut(parent).unwrap()[name] = value;
        self
    }

    pub(crate) fn bundle(&self) -> PathBuf {
        self.rig.folder.path().join(&self.id)
    }

    pub(crate) fn group(&self) -> PathBuf {
        Path::new("/sys/fs/cgroup").join(&self.rig.group).join(&self.id)
    }

    fn tty(&self) -> bool {
        self.config.pointer("/process/terminal") == Some(&Value::Bool(true))
    }

    pub(crate) fn create(&mut self) -> Result<(), Failure> {
        fs::write(self.bundle().join("config.json"), self.config.to_string()).unwrap();
        let (started, started_writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let request =
            Request::Create { id: self.id.clone(), bundle: self.bundle(), state: self.rig.state(), tty: self.tty() };
        let report = if self.tty() {
            let (ours, theirs) = UnixStream::pair().unwrap();
            self.console = Some(ours);
            let theirs = OwnedFd::from(theirs);
            self.rig.helper(&request, &[Some(&started_writer), None, None, None, Some(&theirs)])
        } else {
            let (input, input_writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
            let (output, output_writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
            (self.input, self.output) = (Some(input_writer), Some(output));
            let descriptors = [&started_writer, &input, &output_writer, &output_writer].map(Some);
            self.rig.helper(&request, &descriptors)
        };
        self.started = Some(started);
        match report {
            Report::Process { pid } => self.pid = pid,
            Report::Failed(failure) => return Err(failure),
            Report::Done => panic!("create reports a process"),
        }
        // libcontainer leaves its process in between to the shim.
        let (pid, _) = rustix::process::wait(WaitOptions::empty()).unwrap().unwrap();
        assert_ne!(pid.as_raw_nonzero().get(), self.pid, "the container waits for its start");
        Ok(())
    }

    pub(crate) fn start(&mut self) -> Result<(), Failure> {
        let request = Request::Start { id: self.id.clone(), state: self.rig.state() };
        match self.rig.helper(&request, &[]) {
            Report::Done => {}
            Report::Failed(failure) => return Err(failure),
            Report::Process { .. } => panic!("start reports nothing"),
        }
        match frame::read(&mut File::from(self.started.take().unwrap())).unwrap() {
            Some(Report::Failed(failure)) => Err(failure),
            None => Ok(()),
            other => panic!("{other:?}"),
        }
    }

    /// All that is printed until the end.
    pub(crate) fn end(&mut self) -> End {
        let text = match self.console.take() {
            Some(console) => terminal(&console),
            None => text(self.output.take().unwrap()),
        };
        End { code: wait(self.pid), text }
    }

    pub(crate) fn delete(&mut self) {
        let request = Request::Delete { id: self.id.clone(), state: self.rig.state() };
        assert_eq!(self.rig.helper(&request, &[]), Report::Done);
        let _ = fs::remove_dir(self.group());
    }

    /// Create, start, end, delete.
    pub(crate) fn run(&mut self) -> End {
        self.create().unwrap();
        self.start().unwrap();
        let end = self.end();
        self.delete();
        end
    }

    /// Starts it, so that it waits; [`Self::stop`] ends it.
    pub(crate) fn running(&mut self) {
        self.create().unwrap();
        self.start().unwrap();
    }

    pub(crate) fn stop(&mut self) {
        kill_process(Pid::from_raw(self.pid).unwrap(), Signal::KILL).unwrap();
        wait(self.pid);
        (self.input, self.output) = (None, None);
        self.delete();
    }

    pub(crate) fn exec(&self, process: &Value) -> Result<Process, Failure> {
        let tty = process.pointer("/terminal") == Some(&Value::Bool(true));
        let request = Request::Exec {
            id: self.id.clone(),
            bundle: self.bundle(),
            state: self.rig.state(),
            pid: self.pid,
            cgroup: Some(self.group()),
            process: process.clone(),
            tty,
            size: tty.then_some(Size { columns: 100, rows: 30 }),
        };
        let (mut found, report) = if tty {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let theirs = OwnedFd::from(theirs);
            let report = self.rig.helper(&request, &[None, None, None, None, Some(&theirs)]);
            (Process { pid: 0, input: None, output: None, console: Some(ours) }, report)
        } else {
            let (input, input_writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
            let (output, output_writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
            let report = self.rig.helper(&request, &[None, Some(&input), Some(&output_writer), Some(&output_writer)]);
            (Process { pid: 0, input: Some(input_writer), output: Some(output), console: None }, report)
        };
        match report {
            Report::Process { pid } => found.pid = pid,
            Report::Failed(failure) => return Err(failure),
            Report::Done => panic!("exec reports a process"),
        }
        Ok(found)
    }

    /// What these words print, run by exec.
    pub(crate) fn ask(&self, words: &[&str]) -> String {
        let mut arguments = vec![format!("/{}", payload::NAME)];
        arguments.extend(words.iter().map(|word| (*word).to_owned()));
        let mut value = self.config["process"].clone();
        value["args"] = json!(arguments);
        value["terminal"] = json!(false);
        self.exec(&value).unwrap().end().text
    }
}

impl Process {
    pub(crate) fn end(mut self) -> End {
        drop(self.input.take());
        let text = match &self.console {
            Some(console) => terminal(console),
            None => text(self.output.take().unwrap()),
        };
        End { code: wait(self.pid), text }
    }
}

/// An OCI process with nothing special.
pub(crate) fn process(arguments: &[String]) -> Value {
    json!({
        "terminal": false,
        "user": { "uid": 0, "gid": 0 },
        "args": arguments,
        "env": ["PATH=/bin:/"],
        "cwd": "/",
        "noNewPrivileges": true,
    })
}

/// How many descriptors this process has.
fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Waits for one child.
pub(crate) fn wait(pid: i32) -> i32 {
    let (_, status): (Pid, WaitStatus) = waitpid(Pid::from_raw(pid), WaitOptions::empty()).unwrap().unwrap();
    status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal)).unwrap()
}

fn text(output: OwnedFd) -> String {
    let mut text = String::new();
    File::from(output).read_to_string(&mut text).unwrap();
    text
}

/// All that comes out of the terminal that was sent.
fn terminal(console: &UnixStream) -> String {
    let mut descriptors = Vec::new();
    assert_eq!(socket::receive(console, &mut [0; 1], &mut descriptors).unwrap(), 1);
    let mut master = File::from(descriptors.pop().unwrap());
    rustix::fs::fcntl_setfl(&master, OFlags::RDWR).unwrap();
    let mut bytes = Vec::new();
    // When the last process closed the other end, reading fails with EIO.
    let _ = master.read_to_end(&mut bytes);
    String::from_utf8(bytes).unwrap()
}

/// A mount namespace with only the second version of control groups, at its usual place.
fn hide_first_version() {
    #[expect(deprecated, reason = "no descriptor table is unshared, which is what the newer form warns of")]
    rustix::thread::unshare(rustix::thread::UnshareFlags::NEWNS).unwrap();
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private).unwrap();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let found = mounts.lines().find(|line| line.contains(" - cgroup2 ")).expect("a control group mount of version 2");
    let place = found.split(' ').nth(4).unwrap();
    if place == "/sys/fs/cgroup" {
        return;
    }
    let aside = tempfile::tempdir().unwrap();
    rustix::mount::mount_bind(place, aside.path()).unwrap();
    while rustix::mount::unmount("/sys/fs/cgroup", UnmountFlags::DETACH).is_ok() {}
    rustix::mount::mount_move(aside.path(), "/sys/fs/cgroup").unwrap();
}
