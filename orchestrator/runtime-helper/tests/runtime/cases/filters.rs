//! Filters of system calls.

use coracle_seccomp::{Architecture, runtime_default};
use serde_json::{Value, json};

use crate::rig::Rig;

fn default_profile(bounding: &[&str]) -> Value {
    serde_json::to_value(runtime_default(Architecture::native().unwrap(), bounding)).unwrap()
}

/// Defects 2 and 3: exec has no filter, and the standard profile lets new user namespaces through.
pub(super) fn filter_of_first_and_exec(rig: &Rig) {
    let mut container = rig.container("filter", &["status=Seccomp:", "newuser", "wait"]);
    container.set("/linux/seccomp", default_profile(&[]));
    container.running();
    assert_eq!(container.ask(&["status=Seccomp:", "newuser"]), "Seccomp: 2\n1\n");
    container.input = None;
    assert_eq!(container.end().text, "Seccomp: 2\n1\n");
    container.delete();
}

/// Defect 10: a filter together with an explicit `noNewPrivileges: false`.
pub(super) fn filter_with_privileges(rig: &Rig) {
    let mut container = rig.container("privileges", &["status=Seccomp:", "status=NoNewPrivs", "newuser", "wait"]);
    container.set("/linux/seccomp", default_profile(&["CAP_CHOWN"]));
    container.set("/process/noNewPrivileges", json!(false));
    let some = json!(["CAP_CHOWN"]);
    container.set("/process/capabilities", json!({ "bounding": some, "effective": some, "permitted": some }));
    container.running();
    let want = "Seccomp: 2\nNoNewPrivs: 0\n1\n";
    assert_eq!(container.ask(&["status=Seccomp:", "status=NoNewPrivs", "newuser"]), want);
    container.input = None;
    assert_eq!(container.end().text, want);
    container.delete();
}

pub(super) fn filter_of_other_users(rig: &Rig) {
    for privileges in [false, true] {
        let mut container = rig.container(&format!("other-{privileges}"), &["status=Seccomp:", "status=Uid", "wait"]);
        container.set("/linux/seccomp", default_profile(&[]));
        container.set("/process/noNewPrivileges", json!(!privileges));
        container.set("/process/user", json!({ "uid": 1000, "gid": 1000, "additionalGids": [5] }));
        container.running();
        let want = "Seccomp: 2\nUid: 1000 1000 1000 1000\n";
        assert_eq!(container.ask(&["status=Seccomp:", "status=Uid"]), want);
        container.input = None;
        assert_eq!(container.end().text, want);
        container.delete();
    }
}

/// With `noNewPrivileges` a filter has to allow nothing of ours but execve.
pub(super) fn strict_filter(rig: &Rig) {
    let mut container = rig.container("strict", &["mkdir=/tmp/x", "newuser"]);
    container.set(
        "/linux/seccomp",
        json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            { "names": ["mkdir", "mkdirat", "capset", "setgroups", "accept4", "sendmsg", "prctl"],
              "action": "SCMP_ACT_ERRNO", "errnoRet": 5 },
        ] }),
    );
    assert_eq!(container.run().text, "I/O error (os error 5)\n0\n");
}
