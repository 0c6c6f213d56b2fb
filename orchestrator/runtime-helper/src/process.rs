//! The parts of a container's configuration that are ours, and what is left of it for libcontainer.

use std::path::{Path, PathBuf};

use coracle_seccomp::{Profile, Program};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::cgroup;
use super::failure::Problem;

/// The most bytes of `config.json`.
const MAXIMUM_CONFIG: u64 = 8 << 20;

/// `process` of the OCI runtime specification.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Process {
    /// Size of the terminal.
    pub(super) console_size: Option<ConsoleSize>,
    /// Who it is.
    pub(super) user: User,
    /// Command line.
    pub(super) args: Vec<String>,
    /// Environment.
    pub(super) env: Vec<String>,
    /// Folder.
    pub(super) cwd: String,
    /// Capability sets; none at all without this.
    pub(super) capabilities: Option<Sets>,
    /// Limits.
    pub(super) rlimits: Vec<Limit>,
    /// Whether execve may never give more.
    pub(super) no_new_privileges: bool,
    /// `AppArmor` profile.
    pub(super) apparmor_profile: Option<String>,
    /// Adjustment of the score of the out-of-memory killer.
    pub(super) oom_score_adj: Option<i32>,
}

/// Size of a terminal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(super) struct ConsoleSize {
    /// Lines.
    pub(super) height: u16,
    /// Columns.
    pub(super) width: u16,
}

/// A user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct User {
    /// User id in the container.
    pub(super) uid: u32,
    /// Group id in the container.
    pub(super) gid: u32,
    /// Mask of new files.
    pub(super) umask: Option<u32>,
    /// Further groups.
    pub(super) additional_gids: Vec<u32>,
}

/// Capability sets, by names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Sets {
    /// What can ever be had.
    pub(super) bounding: Vec<String>,
    /// What counts.
    pub(super) effective: Vec<String>,
    /// What programs with file capabilities keep.
    pub(super) inheritable: Vec<String>,
    /// What can be made effective.
    pub(super) permitted: Vec<String>,
    /// What all programs keep.
    pub(super) ambient: Vec<String>,
}

/// A limit of resources.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Limit {
    /// `RLIMIT_…`.
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// The limit that counts.
    pub(super) soft: u64,
    /// The limit of the limit.
    pub(super) hard: u64,
}

/// A configuration, taken apart.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Configuration {
    /// Ours.
    pub(super) process: Process,
    /// The filter.
    pub(super) filter: Option<Program>,
    /// What libcontainer gets.
    pub(super) rest: Value,
}

/// Reads `config.json` of a bundle.
pub(super) fn load(bundle: &Path) -> Result<Value, Problem> {
    use std::io::Read as _;

    let path = bundle.join("config.json");
    let step = format!("open {}", path.display());
    let mut text = Vec::new();
    std::fs::File::open(&path)
        .and_then(|file| file.take(MAXIMUM_CONFIG).read_to_end(&mut text))
        .map_err(|error| Problem::io(&step, &error))?;
    serde_json::from_slice(&text).map_err(|error| Problem::new(format!("{}: {error}", path.display())))
}

/// Reads `process`.
pub(super) fn process(value: &Value) -> Result<Process, Problem> {
    let process =
        Process::deserialize(value).map_err(|error| Problem::new(format!("process is not understood: {error}")))?;
    if process.args.is_empty() {
        return Err(Problem::new("process.args must not be empty"));
    }
    if !process.cwd.starts_with('/') {
        return Err(Problem::new("Cwd must be an absolute path"));
    }
    let user = &process.user;
    // The kernel takes this number for "leave it as it is".
    if user.additional_gids.iter().chain([&user.uid, &user.gid]).any(|id| *id == u32::MAX) {
        return Err(Problem::new(format!("invalid user or group id {}", u32::MAX)));
    }
    Ok(process)
}

/// Compiles the filter of a configuration.
pub(super) fn filter(config: &Value) -> Result<Option<Program>, Problem> {
    let profile = config.pointer("/linux/seccomp").filter(|value| !value.is_null());
    let Some(profile) = profile else { return Ok(None) };
    let profile = Profile::deserialize(profile)
        .map_err(|error| Problem::new(format!("linux.seccomp is not understood: {error}")))?;
    coracle_seccomp::compile(&profile).map(Some).map_err(|error| Problem::new(error.to_string()))
}

/// Takes a configuration apart. `bundle` is where a relative root lies.
pub(super) fn divide(mut config: Value, bundle: &Path) -> Result<Configuration, Problem> {
    let filter = filter(&config)?;
    let group = config.pointer("/linux/cgroupsPath").and_then(Value::as_str).unwrap_or_default();
    cgroup::folder(group)?;
    let whole = config.get("process").ok_or_else(|| Problem::new("config.json has no process"))?;
    let process = process(whole)?;
    let rest = json!({
        "terminal": false,
        // All is done as root of the container, until the process becomes who it is.
        "user": { "uid": 0, "gid": 0 },
        "args": process.args,
        "env": [],
        "cwd": "/",
    });
    let Some(object) = config.as_object_mut() else { return Err(Problem::new("config.json is not an object")) };
    object.insert("process".to_owned(), rest);
    absolute_root(object, bundle)?;
    if let Some(linux) = object.get_mut("linux").and_then(Value::as_object_mut) {
        linux.remove("seccomp");
        // Groups are made and limited by the orchestrator.
        linux.remove("resources");
    }
    Ok(Configuration { process, filter, rest: config })
}

fn absolute_root(config: &mut Map<String, Value>, bundle: &Path) -> Result<(), Problem> {
    let path = config.get_mut("root").and_then(|root| root.get_mut("path"));
    let path = path.ok_or_else(|| Problem::new("config.json has no root.path"))?;
    let given = path.as_str().ok_or_else(|| Problem::new("root.path is not text"))?;
    let absolute: PathBuf = bundle.join(given);
    let text = absolute.to_str().ok_or_else(|| Problem::new("root.path is not UTF-8"))?;
    *path = Value::String(text.to_owned());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Value {
        json!({
            "ociVersion": "1.2.0",
            "root": { "path": "rootfs", "readonly": true },
            "process": {
                "terminal": true, "consoleSize": { "height": 25, "width": 80 },
                "user": { "uid": 7, "gid": 8, "additionalGids": [9], "umask": 18 },
                "args": ["sh"], "env": ["A=b"], "cwd": "/tmp",
                "capabilities": { "bounding": ["CAP_CHOWN"] },
                "rlimits": [{ "type": "RLIMIT_NOFILE", "soft": 1, "hard": 2 }],
                "noNewPrivileges": false, "oomScoreAdj": 5, "apparmorProfile": "x",
            },
            "linux": {
                "seccomp": { "defaultAction": "SCMP_ACT_ALLOW" },
                "resources": { "memory": { "limit": 5 } },
                "cgroupsPath": "/a",
            },
        })
    }

    #[test]
    fn libcontainer_sees_only_what_it_does_right() {
        let divided = divide(config(), Path::new("/bundle")).unwrap();
        let want = json!({
            "ociVersion": "1.2.0",
            "root": { "path": "/bundle/rootfs", "readonly": true },
            "process": {
                "terminal": false, "user": { "uid": 0, "gid": 0 }, "args": ["sh"], "env": [], "cwd": "/",
            },
            "linux": { "cgroupsPath": "/a" },
        });
        assert_eq!(divided.rest, want);
        assert_eq!(divided.process.user.additional_gids, [9]);
        assert_eq!(divided.process.console_size, Some(ConsoleSize { height: 25, width: 80 }));
        assert!(divided.filter.is_some());
    }

    #[test]
    fn bad_configurations_are_refused_in_words() {
        for (pointer, value, want) in [
            ("/process", Value::Null, "process is not understood: invalid type: null"),
            ("/process/args", json!([]), "process.args must not be empty"),
            ("/process/cwd", json!("tmp"), "Cwd must be an absolute path"),
            ("/root/path", json!(5), "root.path is not text"),
            ("/linux/cgroupsPath", json!("/"), "linux.cgroupsPath \"/\" names no group"),
            ("/linux/cgroupsPath", Value::Null, "linux.cgroupsPath \"\" names no group"),
            ("/linux/seccomp", json!({}), "linux.seccomp is not understood: missing field `defaultAction`"),
            (
                "/linux/seccomp",
                json!({ "defaultAction": "SCMP_ACT_NOTIFY" }),
                "seccomp: SCMP_ACT_NOTIFY is not supported",
            ),
        ] {
            let mut config = config();
            *config.pointer_mut(pointer).unwrap() = value;
            let problem = divide(config, Path::new("/bundle")).unwrap_err();
            assert!(problem.text.starts_with(want), "{pointer}: {}", problem.text);
        }
    }
}
