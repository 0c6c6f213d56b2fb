//! Processes of exec.

use coracle_shim_protocol::message::Reason;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::firsts::reap;
use crate::rig::{Rig, process};

fn words(words: &[&str]) -> Value {
    let mut arguments = vec!["/payload".to_owned()];
    arguments.extend(words.iter().map(|word| (*word).to_owned()));
    process(&arguments)
}

pub(super) fn exec_is_complete(rig: &Rig) {
    let mut container = rig.container("complete", &["wait"]);
    container.running();
    let mut asked = words(&[
        "env",
        "cwd",
        "umask",
        "nofile",
        "status=Uid",
        "status=Gid",
        "status=Groups",
        "status=Cap",
        "status=NoNewPrivs",
        "fds",
        "session",
        "stdout",
        "read=/proc/self/oom_score_adj",
        "read=/proc/self/cgroup",
        "link=/proc/self/root",
        "read=/proc/sys/kernel/hostname",
        "exit=9",
    ]);
    asked["env"] = json!(["PATH=/bin:/", "X=y"]);
    asked["cwd"] = json!("/tmp");
    asked["user"] = json!({ "uid": 33, "gid": 34, "additionalGids": [35], "umask": 0o77 });
    asked["rlimits"] = json!([{ "type": "RLIMIT_NOFILE", "soft": 100, "hard": 200 }]);
    asked["oomScoreAdj"] = json!(986);
    let some = json!(["CAP_CHOWN", "CAP_KILL"]);
    asked["capabilities"] =
        json!({ "bounding": some, "effective": some, "permitted": some, "inheritable": some, "ambient": some });
    let end = container.exec(&asked).unwrap().end();
    let group = container.group();
    let group = group.strip_prefix("/sys/fs/cgroup").unwrap();
    let own = format!("0::/{}", group.display());
    assert_eq!(end.code, 9);
    assert!(end.text.contains(&own), "{} in {}", own, end.text);
    let (text, _) = end.text.split_once("986\n").unwrap();
    let want = "PATH=/bin:/ X=y HOME=/srv\n/tmp\n77\nRlimit { current: Some(100), maximum: Some(200) }\n\
                Uid: 33 33 33 33\nGid: 34 34 34 34\nGroups: 35\nCapInh: 0000000000000021\nCapPrm: 0000000000000021\n\
                CapEff: 0000000000000021\nCapBnd: 0000000000000021\nCapAmb: 0000000000000021\nNoNewPrivs: 1\n\
                3\ntrue\nopen\n";
    assert_eq!(text, want);
    assert!(end.text.ends_with("/\ninside\n"), "{}", end.text);
    container.stop();
}

pub(super) fn exec_terminal(rig: &Rig) {
    let mut container = rig.container("exec-terminal", &["wait"]);
    container.running();
    let mut asked = words(&["tty"]);
    asked["terminal"] = json!(true);
    // The container has no console of its own.
    assert_eq!(container.exec(&asked).unwrap().end().text, "100x30 true false /dev/pts/0\r\n");
    container.stop();
}

pub(super) fn exec_failures(rig: &Rig) {
    let prefix = "OCI runtime exec failed: exec failed: unable to start container process: ";
    let mut container = rig.container("failures", &["wait"]);
    std::fs::write(container.bundle().join("rootfs/script"), "#!/no/interpreter\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(container.bundle().join("rootfs/script"), mode).unwrap();
    container.running();
    for (program, want, errno, code) in [
        ("nope", "exec: \"nope\": executable file not found in $PATH", 2, 127),
        ("/script", "exec /script: no such file or directory", 2, 127),
        ("/etc/passwd", "exec: \"/etc/passwd\": permission denied", 13, 126),
    ] {
        let failure = container.exec(&process(&[program.to_owned()])).err().unwrap();
        assert_eq!((failure.reason, failure.errno), (Reason::ExecError, Some(errno)));
        assert_eq!(failure.message, format!("{prefix}{want}"));
        // It is told before it has ended.
        let (pid, status) = rustix::process::wait(rustix::process::WaitOptions::empty()).unwrap().unwrap();
        assert_ne!(pid.as_raw_nonzero().get(), container.pid);
        assert_eq!(status.exit_status(), Some(code), "{program}");
    }
    let mut asked = words(&["exit=0"]);
    asked["cwd"] = json!("/etc/passwd");
    let failure = container.exec(&asked).err().unwrap();
    assert!(failure.message.contains("chdir to cwd (\"/etc/passwd\") set in config.json failed"), "{failure}");
    rustix::process::wait(rustix::process::WaitOptions::empty()).unwrap();
    container.stop();
}

/// Defect 1 of libcontainer 0.7: its exec stays in the machine's user namespace.
pub(super) fn exec_in_user_namespace(rig: &Rig) {
    let mut container = rig.container("users", &["status=Uid", "read=/proc/self/uid_map", "wait"]);
    for path in ["", "proc", "dev", "sys", "tmp", "etc"] {
        std::os::unix::fs::chown(container.bundle().join("rootfs").join(path), Some(100_000), Some(100_000)).unwrap();
    }
    let mapping = json!([{ "containerID": 0, "hostID": 100_000, "size": 65_536 }]);
    container.set("/linux/uidMappings", mapping.clone());
    container.set("/linux/gidMappings", mapping);
    container.config.pointer_mut("/linux/namespaces").unwrap().as_array_mut().unwrap().push(json!({ "type": "user" }));
    container.set(
        "/process/capabilities",
        json!({ "bounding": ["CAP_CHOWN"], "effective": ["CAP_CHOWN"], "permitted": ["CAP_CHOWN"] }),
    );
    open_folders(&container.bundle());
    container.running();
    let text = container.ask(&["status=Uid", "read=/proc/self/uid_map", "status=CapEff", "link=/proc/self/ns/user"]);
    let namespace = std::fs::read_link(format!("/proc/{}/ns/user", container.pid)).unwrap();
    assert_eq!(text, format!("Uid: 0 0 0 0\n0 100000 65536\nCapEff: 0000000000000001\n{}\n", namespace.display()));
    let mut asked = words(&["status=Uid", "status=Groups"]);
    asked["user"] = json!({ "uid": 33, "gid": 33, "additionalGids": [7] });
    assert_eq!(container.exec(&asked).unwrap().end().text, "Uid: 33 33 33 33\nGroups: 7\n");
    container.stop();
}

/// The mapped root has to get to the container's root.
fn open_folders(bundle: &std::path::Path) {
    for folder in bundle.ancestors().take_while(|folder| *folder != std::path::Path::new("/tmp")) {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        let _ = std::fs::set_permissions(folder, mode);
    }
}

/// Defects 8 and 19: descriptors, processes and files that stay behind.
pub(super) fn exec_leaves_nothing(rig: &Rig) {
    let mut container = rig.container("nothing", &["wait"]);
    container.running();
    let state = || std::fs::read_dir(rig.state().join("nothing")).unwrap().count();
    let before = state();
    for round in 0..30 {
        if round % 2 == 0 {
            assert_eq!(container.ask(&["fds"]), "3\n");
        } else {
            assert!(container.exec(&process(&["nope".to_owned()])).is_err());
            let (pid, _) = rustix::process::wait(rustix::process::WaitOptions::empty()).unwrap().unwrap();
            assert_ne!(pid.as_raw_nonzero().get(), container.pid);
        }
    }
    assert_eq!(state(), before);
    assert!(rustix::process::wait(rustix::process::WaitOptions::NOHANG).unwrap().is_none());
    container.stop();
}

/// Defect 14: a group with controllers below takes no processes.
pub(super) fn exec_follows_busy_group(rig: &Rig) {
    let mut container = rig.container("busy", &["wait"]);
    container.running();
    let group = container.group();
    let below = group.join("below");
    std::fs::create_dir(&below).unwrap();
    std::fs::write(below.join("cgroup.procs"), container.pid.to_string()).unwrap();
    let controllers = std::fs::read_to_string(group.join("cgroup.controllers")).unwrap();
    let Some(controller) = controllers.split_whitespace().next() else {
        println!("  no controller on this machine: only the way without EBUSY is tested");
        assert!(container.ask(&["read=/proc/self/cgroup"]).contains("/busy"));
        container.stop();
        return;
    };
    std::fs::write(group.join("cgroup.subtree_control"), format!("+{controller}")).unwrap();
    assert!(container.ask(&["read=/proc/self/cgroup"]).contains("/busy/below"));
    container.stop();
}

pub(super) fn exec_in_ended_container(rig: &Rig) {
    let mut container = rig.container("ended", &["exit=0"]);
    container.create().unwrap();
    container.start().unwrap();
    let pid = Pid::from_raw(container.pid).unwrap();
    rustix::process::waitid(
        rustix::process::WaitId::Pid(pid),
        rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT,
    )
    .unwrap();
    let failure = container.exec(&words(&["exit=0"])).err().unwrap();
    assert_eq!(failure.reason, Reason::FailedPrecondition, "{failure}");
    assert!(failure.message.contains("cannot exec in a stopped container"), "{failure}");
    container.end();
    container.delete();
}

/// Defect 9: a failed exec that nobody reaped keeps the container from ending.
pub(super) fn killed_after_failed_exec(rig: &Rig) {
    let mut container = rig.container("killed", &["wait"]);
    container.running();
    assert!(container.exec(&process(&["nope".to_owned()])).is_err());
    kill_process(Pid::from_raw(container.pid).unwrap(), Signal::KILL).unwrap();
    // The shim reaps any child; both end.
    reap();
    container.input = None;
    container.delete();
}
