//! The first process.

use coracle_shim_protocol::message::Reason;
use serde_json::json;

use crate::rig::{End, Rig};

pub(super) fn exit_codes(rig: &Rig) {
    for code in [0, 1, 7, 255] {
        let end = rig.container("codes", &[&format!("exit={code}")]).run();
        assert_eq!(end, End { code, text: String::new() });
        std::fs::remove_dir_all(rig.container_folder("codes")).unwrap();
    }
}

pub(super) fn environment_and_folder(rig: &Rig) {
    let mut container = rig.container("environment", &["env", "cwd", "umask", "nofile"]);
    container.set("/process/env", json!(["PATH=/bin", "A=b c", "HOME=/x"]));
    // The folder is not there, as with many images.
    container.set("/process/cwd", json!("/new/folder"));
    container.set("/process/user", json!({ "uid": 0, "gid": 0, "umask": 0o27 }));
    container.set("/process/rlimits", json!([{ "type": "RLIMIT_NOFILE", "soft": 100, "hard": 200 }]));
    let want = "PATH=/bin A=b c HOME=/x\n/new/folder\n27\nRlimit { current: Some(100), maximum: Some(200) }\n";
    assert_eq!(container.run().text, want);
    let mut container = rig.container("home", &["env"]);
    container.set("/process/user", json!({ "uid": 33, "gid": 33 }));
    assert_eq!(container.run().text, "PATH=/bin:/ HOME=/srv\n");
}

pub(super) fn user_and_capabilities(rig: &Rig) {
    let words = ["status=Uid", "status=Gid", "status=Groups", "status=Cap", "status=NoNewPrivs"];
    let mut container = rig.container("user", &words);
    container.set("/process/user", json!({ "uid": 33, "gid": 34, "additionalGids": [35, 36] }));
    let some = json!(["CAP_CHOWN", "CAP_KILL", "CAP_OF_TOMORROW"]);
    container.set(
        "/process/capabilities",
        json!({ "bounding": some, "effective": some, "permitted": some, "inheritable": some, "ambient": ["CAP_KILL"] }),
    );
    let want = "Uid: 33 33 33 33\nGid: 34 34 34 34\nGroups: 35 36\nCapInh: 0000000000000021\nCapPrm: 0000000000000020\n\
                CapEff: 0000000000000020\nCapBnd: 0000000000000021\nCapAmb: 0000000000000020\nNoNewPrivs: 1\n";
    assert_eq!(container.run().text, want);

    let mut container = rig.container("root", &["status=Cap", "status=NoNewPrivs"]);
    container.set("/process/noNewPrivileges", json!(false));
    let one = json!(["CAP_CHOWN"]);
    container.set("/process/capabilities", json!({ "bounding": one, "effective": one, "permitted": one }));
    let want = "CapInh: 0000000000000000\nCapPrm: 0000000000000001\nCapEff: 0000000000000001\n\
                CapBnd: 0000000000000001\nCapAmb: 0000000000000000\nNoNewPrivs: 0\n";
    assert_eq!(container.run().text, want);

    let zero = "CapInh: 0000000000000000\nCapPrm: 0000000000000000\nCapEff: 0000000000000000\n\
                CapBnd: 0000000000000000\nCapAmb: 0000000000000000\n";
    assert_eq!(rig.container("none", &["status=Cap"]).run().text, zero);
}

pub(super) fn mounts(rig: &Rig) {
    let words =
        ["read=/proc/keys", "write=/proc/sys/vm/swappiness", "list=/sys/firmware", "read=/proc/sys/kernel/hostname"];
    let end = rig.container("mounts", &words).run();
    assert_eq!(end.text, "\nRead-only file system (os error 30)\n0\ninside\n");
}

pub(super) fn read_only_root(rig: &Rig) {
    let mut container = rig.container("read-only", &["write=/file", "write=/dev/file"]);
    container.set("/root/readonly", json!(true));
    assert_eq!(container.run().text, "Read-only file system (os error 30)\nwritten\n");
    assert_eq!(rig.container("writable", &["write=/file"]).run().text, "written\n");
}

pub(super) fn missing_programs(rig: &Rig) {
    let prefix = "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create \
                  failed: unable to start container process: error during container init: ";
    for (number, (program, want, errno, code)) in [
        ("nope", "exec: \"nope\": executable file not found in $PATH", 2, 127),
        ("/nope", "exec: \"/nope\": stat /nope: no such file or directory", 2, 127),
        ("/plain", "exec: \"/plain\": permission denied", 13, 126),
        ("/tmp", "exec: \"/tmp\": is a directory", 21, 126),
        ("/script", "exec /script: no such file or directory", 2, 127),
        ("/format", "exec /format: exec format error", 8, 126),
    ]
    .into_iter()
    .enumerate()
    {
        let mut container = rig.container(&format!("missing-{number}"), &[]);
        container.set("/process/args", json!([program]));
        for (name, text, mode) in
            [("plain", "", 0o644), ("script", "#!/no/interpreter\n", 0o755), ("format", "\0\0\0\0", 0o755)]
        {
            let path = container.bundle().join("rootfs").join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        }
        container.create().unwrap();
        let failure = container.start().unwrap_err();
        assert_eq!((failure.reason, failure.errno), (Reason::StartError, Some(errno)), "{program}");
        assert_eq!(failure.message, format!("{prefix}{want}"));
        assert_eq!(container.end(), End { code, text: String::new() }, "{program}");
        container.delete();
    }
}

pub(super) fn bad_configurations(rig: &Rig) {
    for (number, (pointer, value, want)) in [
        ("/process/args", json!([]), "process.args must not be empty"),
        ("/process/cwd", json!("/payload"), "chdir to cwd (\"/payload\") set in config.json failed: not a directory"),
        ("/root/path", json!("nowhere"), "No such file or directory"),
        ("/linux/namespaces/4/path", json!("/nowhere"), "ENOENT"),
        ("/process/rlimits", json!([{ "type": "RLIMIT_X", "soft": 1, "hard": 1 }]), "rlimit \"RLIMIT_X\" is not known"),
        ("/process/user/uid", json!(u32::MAX), "invalid user or group id 4294967295"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut container = rig.container(&format!("bad-{number}"), &[]);
        container.set(pointer, value);
        let failure = container.create().unwrap_err();
        assert_eq!(failure.reason, Reason::CreateContainerError);
        assert!(failure.message.contains(want), "{pointer}: {}", failure.message);
        (container.input, _) = (None, ());
        reap();
        container.delete();
    }
}

/// Whatever libcontainer left as children: the shim reaps any child.
pub(super) fn reap() {
    use rustix::process::WaitOptions;
    while rustix::process::wait(WaitOptions::empty()).is_ok() {}
}

pub(super) fn terminal(rig: &Rig) {
    let mut container = rig.container("terminal", &["tty"]);
    container.set("/process/terminal", json!(true));
    container.set("/process/consoleSize", json!({ "width": 90, "height": 20 }));
    assert_eq!(container.run().text, "90x20 true true /dev/pts/0\r\n");
}

pub(super) fn shared_namespaces(rig: &Rig) {
    let names = ["net", "ipc", "uts", "pid"];
    let links = names.map(|name| format!("link=/proc/self/ns/{name}"));
    let words: Vec<&str> = links.iter().map(String::as_str).collect();
    let mut first = rig.container("first", &["wait"]);
    first.running();
    let mut second = rig.container("second", &words);
    let namespaces = [("pid", "pid"), ("ipc", "ipc"), ("uts", "uts"), ("net", "network")]
        .map(|(name, kind)| json!({ "type": kind, "path": format!("/proc/{}/ns/{name}", first.pid) }));
    let mut namespaces = namespaces.to_vec();
    namespaces.push(json!({ "type": "mount" }));
    second.set("/linux/namespaces", json!(namespaces));
    second.config.as_object_mut().unwrap().remove("hostname");
    let want = names.map(|name| std::fs::read_link(format!("/proc/{}/ns/{name}", first.pid)).unwrap());
    let want = want.map(|path| format!("{}\n", path.display())).concat();
    assert_eq!(second.run().text, want);
    assert_eq!(first.ask(&words), want, "exec");
    first.stop();
}

pub(super) fn streams_and_signals(rig: &Rig) {
    let mut container =
        rig.container("streams", &["fds", "session", "stdout", "status=Sig", "read=/proc/self/oom_score_adj"]);
    container.set("/process/user", json!({ "uid": 33, "gid": 33 }));
    container.set("/process/oomScoreAdj", json!(987));
    let text = container.run().text;
    let ignored = "SigIgn: 0000000000000000\n";
    assert!(text.starts_with("3\ntrue\nopen\n"), "{text}");
    // The payload's own runtime ignores SIGPIPE.
    assert!(text.contains("SigIgn: 0000000000001000\n") || text.contains(ignored), "{text}");
    assert!(text.contains("SigBlk: 0000000000000000\n"), "{text}");
    assert!(text.ends_with("\n987\n"), "{text}");
    assert_eq!(std::fs::read_to_string("/proc/self/oom_score_adj").unwrap().trim(), "0", "the caller's own");
}
