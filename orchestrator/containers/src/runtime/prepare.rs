//! Everything of a container that is written before its shim is asked to make it. All of it blocks.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use coracle_agent::runtime::{ContainerSpec, Failure};
use coracle_apimachinery::Value;
use coracle_client::object;
use oci_spec::runtime::{LinuxSeccomp, Mount};

use super::parts::{Group, Known, Layers};
use super::record::{ContainerRecord, write};
use super::sandbox::{HOSTNAME, RESOLV_CONF, SHM, descriptor};
use super::start::Place;
use super::{Containers, failure, host, signal};
use crate::places::is_component;
use crate::spec::mounts::bind;
use crate::spec::security::is_privileged;
use crate::spec::{Inputs, Namespaces, Shared, hostname, hosts, oom, resources, seccomp, specification, user};

const CONFIG: &str = "CreateContainerConfigError";
const CREATE: &str = "CreateContainerError";
const ROOTFS: &str = "rootfs";
const CONFIG_FILE: &str = "config.json";
const MESSAGE_PATH: &str = "/dev/termination-log";

impl Containers {
    pub(super) fn prepare(
        &self,
        place: &Place,
        spec: &ContainerSpec,
        id: &str,
        known: &Known,
        layers: &Layers,
    ) -> Result<ContainerRecord, Failure> {
        let name = spec.container.text_at(&["name"]);
        if !is_component(name) {
            return Err(failure(CONFIG, "the container's name is none"));
        }
        let in_create = |why: String| failure(CREATE, why);
        let in_config = |why: String| failure(CONFIG, why);
        let places = &self.0.settings.places;
        let folder = places.container(&place.uid, id);
        let rootfs = folder.join(ROOTFS);
        let mounted = fs::create_dir_all(&rootfs).and_then(|()| self.0.parts.roots.mount(layers, &rootfs));
        mounted.map_err(|error| in_create(format!("failed to mount the root of the container: {error}")))?;
        let read = |path| host::read_inside(&rootfs, path).map_err(|error| in_create(format!("{path}: {error}")));
        let (passwd, group_file) = (read("etc/passwd")?, read("etc/group")?);
        let accounts = user::Accounts { passwd: &passwd, group: &group_file };
        let identity = user::resolve(&spec.pod, &spec.container, &known.config.user, accounts).map_err(in_config)?;
        let mut mounts = self.0.volumes.mounts(&spec.pod, &spec.container, &spec.env).map_err(in_config)?;
        let message = self.message_file(place, spec, id, &mut mounts).map_err(|error| in_config(error.to_string()))?;
        let names = hostname::names(&spec.pod, &self.0.settings.dns.domain, &self.0.settings.node);
        let shared = self.shared(place, spec, &names).map_err(|error| in_config(error.to_string()))?;
        let filter = self.filter(spec).map_err(in_create)?;
        let open = is_privileged(&spec.container);
        let limits = resources::of_container(&spec.container);
        let group = self.0.parts.cgroups.container(&place.uid, &place.sandbox.quality, id, &limits, open);
        let group = group.map_err(in_create)?;
        let ready = place.shim.ready();
        let own = |number: Option<i32>| number.map(|number| descriptor(&*place.shim, number));
        let namespaces = Namespaces {
            network: own(ready.namespaces.network),
            ipc: own(ready.namespaces.ipc),
            uts: own(ready.namespaces.uts),
            process: own(ready.namespaces.process),
        };
        let devices = if open { host::devices() } else { Vec::new() };
        let annotations = annotations(spec, place);
        let notes: Vec<(&str, &str)> = annotations.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let document = specification(&Inputs {
            pod: &spec.pod,
            container: &spec.container,
            image: &known.config,
            env: &spec.env,
            user: &identity,
            hostname: &names.kernel,
            mounts: &mounts,
            shared: &shared,
            namespaces: &namespaces,
            rootfs: &rootfs,
            cgroup: &group.path,
            oom_score_adj: oom::score(&spec.pod, &spec.container, self.0.settings.memory),
            seccomp: filter.as_ref(),
            devices: &devices,
            last_capability: self.0.facts.last_capability,
            open_files: self.0.facts.open_files,
            masked: &self.0.facts.masked,
            annotations: &notes,
        })
        .map_err(in_create)?;
        let process = serde_json::to_value(document.process()).map_err(|error| in_create(error.to_string()))?;
        let log = place.sandbox.logs.join(name).join(format!("{}.log", spec.attempt));
        let record = ContainerRecord {
            id: id.to_owned(),
            name: name.to_owned(),
            attempt: spec.attempt,
            sandbox: place.sandbox.attempt,
            image: known.shown.clone(),
            asked: spec.container.text_at(&["image"]).to_owned(),
            image_id: spec.image_id.clone(),
            created: self.0.clock.now().into(),
            uid: identity.uid,
            gid: identity.gid,
            groups: identity.groups,
            stop_signal: signal::stop_signal(&spec.container, &known.config.stop_signal),
            group: Group { folder: group.folder, path: group.path },
            log_link: log_link(&places.logs, &spec.pod, name, id),
            log,
            message,
            message_from_log: spec.container.text_at(&["terminationMessagePolicy"]) == "FallbackToLogsOnError",
            tty: object::flag(&spec.container, &["tty"]),
            process,
            start_failure: None,
        };
        let finish = || -> io::Result<()> {
            if let Some(logs) = record.log.parent() {
                fs::create_dir_all(logs)?;
            }
            link(&record.log, &record.log_link)?;
            write(&folder.join(CONFIG_FILE), &document)?;
            record.store(&folder)
        };
        finish().map_err(|error| in_create(error.to_string()))?;
        Ok(record)
    }

    /// Makes the file that the container writes its last words to, and mounts it.
    fn message_file(
        &self,
        place: &Place,
        spec: &ContainerSpec,
        id: &str,
        mounts: &mut Vec<Mount>,
    ) -> io::Result<PathBuf> {
        let name = spec.container.text_at(&["name"]);
        let folder = self.0.settings.places.kubelet_pod(&place.uid).join("containers").join(name);
        fs::create_dir_all(&folder)?;
        let file = folder.join(id.get(..8).unwrap_or(id));
        fs::write(&file, "")?;
        // Whoever the container runs as may write in it.
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666))?;
        let at = match spec.container.text_at(&["terminationMessagePath"]) {
            "" => MESSAGE_PATH,
            path => path,
        };
        mounts.push(bind(&file, at, &["rbind", "rprivate", "rw"]));
        Ok(file)
    }

    /// Writes the hosts file and says where what the pod shares lies.
    fn shared(&self, place: &Place, spec: &ContainerSpec, names: &hostname::Names) -> io::Result<Shared> {
        let places = &self.0.settings.places;
        let folder = places.kubelet_pod(&place.uid);
        fs::DirBuilder::new().recursive(true).mode(0o750).create(&folder)?;
        let of_node = fs::read_to_string(&self.0.settings.hosts).unwrap_or_default();
        let file = folder.join("etc-hosts");
        fs::write(&file, hosts::hosts(&spec.pod, &place.sandbox.ips, names, &of_node))?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644))?;
        let of_pod = places.pod(&place.uid);
        Ok(Shared {
            hosts: Some(file),
            hostname: of_pod.join(HOSTNAME),
            resolv_conf: of_pod.join(RESOLV_CONF),
            shm: of_pod.join(SHM),
        })
    }

    fn filter(&self, spec: &ContainerSpec) -> Result<Option<LinuxSeccomp>, String> {
        match seccomp::wanted(&spec.pod, &spec.container) {
            seccomp::Seccomp::Unconfined => Ok(None),
            seccomp::Seccomp::RuntimeDefault => {
                let names = crate::spec::capabilities(&spec.container, self.0.facts.last_capability)?;
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                host::default_seccomp(&names).map(Some)
            }
            seccomp::Seccomp::Localhost(name) => {
                host::local_seccomp(&self.0.settings.places.kubelet.join("seccomp"), &name).map(Some)
            }
        }
    }
}

fn annotations(spec: &ContainerSpec, place: &Place) -> Vec<(&'static str, String)> {
    vec![
        ("io.kubernetes.cri.container-name", spec.container.text_at(&["name"]).to_owned()),
        ("io.kubernetes.cri.container-type", "container".to_owned()),
        ("io.kubernetes.cri.image-name", spec.container.text_at(&["image"]).to_owned()),
        ("io.kubernetes.cri.sandbox-id", place.sandbox.id.clone()),
        ("io.kubernetes.cri.sandbox-name", object::name(&spec.pod).to_owned()),
        ("io.kubernetes.cri.sandbox-namespace", object::namespace(&spec.pod).to_owned()),
        ("io.kubernetes.cri.sandbox-uid", place.uid.clone()),
    ]
}

/// The link that collectors of logs know a log by.
fn log_link(logs: &Path, pod: &Value, container: &str, id: &str) -> PathBuf {
    let (name, namespace) = (object::name(pod), object::namespace(pod));
    let prefix = format!("{name}_{namespace}_{container}");
    let suffix = format!("-{id}.log");
    // Names of files end at 255 bytes.
    let room = 255_usize.saturating_sub(suffix.len());
    logs.join("containers").join(format!("{}{suffix}", prefix.get(..room).unwrap_or(&prefix)))
}

fn link(to: &Path, at: &Path) -> io::Result<()> {
    if let Some(folder) = at.parent() {
        fs::create_dir_all(folder)?;
    }
    super::sandbox::remove_file(at)?;
    std::os::unix::fs::symlink(to, at)
}
