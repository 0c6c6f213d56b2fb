//! How containers end and are removed.

use coracle_shim_protocol::helper::{Report, Request};
use coracle_shim_protocol::message::Reason;
use serde_json::json;

use super::firsts::reap;
use crate::rig::Rig;

/// Defect 13: libcontainer waits a tenth of a second.
pub(super) fn forty_processes(rig: &Rig) {
    let mut container = rig.container("forty", &["children=40", "wait"]);
    container.running();
    while std::fs::read_to_string(container.group().join("cgroup.procs")).unwrap().lines().count() < 41 {
        std::thread::yield_now();
    }
    // The helper kills them all through the group and waits until they are gone; the first one stays to be reaped.
    container.input = None;
    container.delete();
    reap();
    assert!(!container.group().exists());
}

/// Defect 12: libcontainer removes no groups below.
pub(super) fn nested_groups(rig: &Rig) {
    let mut container = rig.container("nested", &["nested", "wait"]);
    let mount = json!({ "destination": "/sys/fs/cgroup", "type": "bind", "source": container.group(), "options": ["bind", "rw"] });
    container.config.pointer_mut("/mounts").unwrap().as_array_mut().unwrap().push(mount);
    container.running();
    while std::fs::read_to_string(container.group().join("a/b/cgroup.procs")).map_or(true, |text| text.is_empty()) {
        std::thread::yield_now();
    }
    container.stop();
    assert!(!container.group().exists());
}

/// Defect 20: a helper that was killed in the middle of create, and the same id again.
pub(super) fn killed_create(rig: &Rig) {
    for id in ["half", "half2"] {
        let state = rig.state().join(id);
        std::fs::create_dir(&state).unwrap();
        let text = json!({ "ociVersion": "v1.0.2", "id": id, "status": "creating", "bundle": "/x", "useSystemd": false,
            "cleanUpIntelRdtSubdirectory": false });
        let text = if id == "half" { text.to_string() } else { "{".to_owned() };
        std::fs::write(state.join("state.json"), text).unwrap();
        let mut container = rig.container(id, &["exit=3"]);
        let failure = container.create().unwrap_err();
        assert_eq!(failure.reason, Reason::AlreadyExists);
        container.delete();
        std::fs::create_dir(container.group()).unwrap();
        assert_eq!(container.run().code, 3);
    }
}

pub(super) fn delete_of_anything(rig: &Rig) {
    // Created, never started.
    let mut container = rig.container("created", &["exit=0"]);
    container.create().unwrap();
    kill_and_reap(&container.group());
    container.input = None;
    container.delete();
    // Twice, and unknown.
    container.delete();
    let request = Request::Delete { id: "unknown".to_owned(), state: rig.state() };
    assert_eq!(rig.helper(&request, &[]), Report::Done);
    for id in ["../x", "", ".x", "a/b"] {
        let request = Request::Delete { id: id.to_owned(), state: rig.state() };
        let Report::Failed(failure) = rig.helper(&request, &[]) else { panic!("{id}") };
        assert_eq!(failure.reason, Reason::InvalidArgument);
    }
}

fn kill_and_reap(group: &std::path::Path) {
    std::fs::write(group.join("cgroup.kill"), "1").unwrap();
    reap();
}

pub(super) fn states(rig: &Rig) {
    let mut container = rig.container("states", &["wait"]);
    let request = Request::Start { id: "states".to_owned(), state: rig.state() };
    let Report::Failed(failure) = rig.helper(&request, &[]) else { panic!("nothing is there") };
    assert_eq!(failure.reason, Reason::NotFound);
    container.running();
    let Report::Failed(failure) = rig.helper(&request, &[]) else { panic!("it runs already") };
    assert_eq!(failure.reason, Reason::FailedPrecondition);
    assert!(failure.message.contains("cannot start a container in the"), "{failure}");
    container.stop();
}
