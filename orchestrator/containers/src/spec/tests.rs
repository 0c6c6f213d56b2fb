use std::path::Path;

use coracle_apimachinery::{Value, json};

use super::*;

/// A tree from JSON.
pub(crate) fn tree(text: &str) -> Value {
    json::decode_any(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// JSON with every list of capabilities sorted, since the types hold them as sets.
fn canonical(spec: &Spec) -> serde_json::Value {
    let mut value = serde_json::to_value(spec).unwrap();
    if let Some(sets) = value.pointer_mut("/process/capabilities").and_then(|sets| sets.as_object_mut()) {
        for set in sets.values_mut() {
            let list = set.as_array_mut().unwrap();
            list.sort_by_key(|name| name.as_str().unwrap().to_owned());
        }
    }
    value
}

fn check(name: &str, spec: &Spec) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.json"));
    let got = format!("{}\n", serde_json::to_string_pretty(&canonical(spec)).unwrap());
    if std::env::var_os("CORACLE_BLESS").is_some() {
        std::fs::write(&path, &got).unwrap();
    }
    let want = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(got == want, "{name}: want\n{want}\ngot\n{got}");
}

fn build(pod: &str, index: usize, mounts: &[Mount]) -> Result<Spec, String> {
    let pod = tree(pod);
    let container = &object::items(&pod, &["spec", "containers"])[index];
    let image = ImageConfig {
        user: "web".into(),
        env: vec!["PATH=/bin".into(), "I=1".into()],
        entrypoint: vec!["/entry".into()],
        cmd: vec!["run".into()],
        working_dir: "/srv".into(),
        ..ImageConfig::default()
    };
    let env = [("A".to_owned(), "1".to_owned())];
    let files = user::Accounts { passwd: "web:x:33:34::/var/www:/bin/sh\n", group: "g:x:50:web\n" };
    let identity = user::resolve(&pod, container, &image.user, files)?;
    let names = hostname::names(&pod, "cluster.local", "node");
    let shared = Shared {
        hosts: Some("/k/etc-hosts".into()),
        hostname: "/r/hostname".into(),
        resolv_conf: "/r/resolv.conf".into(),
        shm: "/r/shm".into(),
    };
    let on_host = object::flag(&pod, &["spec", "hostNetwork"]);
    let own = |path: &str| (!on_host).then(|| PathBuf::from(path));
    let namespaces = Namespaces {
        network: own("/proc/7/fd/4"),
        ipc: (!object::flag(&pod, &["spec", "hostIPC"])).then(|| PathBuf::from("/proc/7/fd/5")),
        uts: own("/proc/7/fd/6"),
        process: object::flag(&pod, &["spec", "shareProcessNamespace"]).then(|| PathBuf::from("/proc/7/fd/8")),
    };
    let profile: LinuxSeccomp = serde_json::from_str(
        r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}"#,
    )
    .unwrap();
    let mut device = LinuxDevice::default();
    device.set_path("/dev/fuse".into()).set_major(10).set_minor(229);
    specification(&Inputs {
        pod: &pod,
        container,
        image: &image,
        env: &env,
        user: &identity,
        hostname: &names.kernel,
        mounts,
        shared: &shared,
        namespaces: &namespaces,
        rootfs: Path::new("/r/containers/c/rootfs"),
        cgroup: Path::new("/kubepods/podu/c"),
        oom_score_adj: oom::score(&pod, container, 1 << 30),
        seccomp: (seccomp::wanted(&pod, container) == seccomp::Seccomp::RuntimeDefault).then_some(&profile),
        devices: &[device],
        last_capability: 40,
        open_files: u64::MAX,
        masked: &["/sys/devices/system/cpu/cpu0/thermal_throttle".to_owned()],
        annotations: &[("io.kubernetes.container.name", container.text_at(&["name"]))],
    })
}

const PLAIN: &str = r#"{"metadata":{"name":"p","namespace":"n","uid":"u"},
    "spec":{"containers":[{"name":"c","image":"i"}]},"status":{"qosClass":"BestEffort"}}"#;

#[test]
fn a_plain_pod() {
    check("plain", &build(PLAIN, 0, &[]).unwrap());
}

#[test]
fn a_privileged_pod_of_the_host() {
    let pod = r#"{"metadata":{"name":"p","namespace":"n","uid":"u"},"spec":{"hostNetwork":true,"hostPID":true,"hostIPC":true,
        "securityContext":{"seccompProfile":{"type":"RuntimeDefault"}},
        "containers":[{"name":"c","tty":true,"command":["sh"],"securityContext":{"privileged":true,"allowPrivilegeEscalation":true}}]},
        "status":{"qosClass":"BestEffort"}}"#;
    let mounts = [mounts::bind(Path::new("/"), "/host", &["rbind", "rshared", "rw"])];
    check("privileged", &build(pod, 0, &mounts).unwrap());
}

#[test]
fn a_pod_with_everything() {
    let pod = r#"{"metadata":{"name":"p","namespace":"n","uid":"u"},"spec":{
        "hostname":"h","subdomain":"s","setHostnameAsFQDN":true,"shareProcessNamespace":true,
        "securityContext":{"runAsUser":1000,"runAsGroup":2000,"runAsNonRoot":true,"fsGroup":3000,
            "supplementalGroups":[4000],"seccompProfile":{"type":"RuntimeDefault"},"sysctls":[{"name":"net.core.somaxconn","value":"9"}]},
        "containers":[{"name":"c","command":["/x","$(A)"],"args":["$$(A)"],"workingDir":"/w",
            "volumeMounts":[{"name":"v","mountPath":"/etc/hosts"}],
            "resources":{"requests":{"memory":"512Mi"}},
            "securityContext":{"readOnlyRootFilesystem":true,"allowPrivilegeEscalation":false,"procMount":"Unmasked",
                "capabilities":{"drop":["ALL"],"add":["NET_BIND_SERVICE"]}}}]},
        "status":{"qosClass":"Burstable"}}"#;
    let mounts = [mounts::bind(Path::new("/k/volumes/v"), "/etc/hosts", &["rbind", "rprivate", "ro"])];
    check("everything", &build(pod, 0, &mounts).unwrap());
}

#[test]
fn what_cannot_be_is_said() {
    let cases = [
        (r#""command":["x"],"securityContext":{"runAsUser":0,"runAsNonRoot":true}"#, "breaks non-root policy"),
        (r#""securityContext":{"capabilities":{"add":["NONE"]}}"#, "unknown capability \"CAP_NONE\""),
    ];
    for (members, want) in cases {
        let pod = format!(r#"{{"spec":{{"containers":[{{"name":"c",{members}}}]}}}}"#);
        let error = build(&pod, 0, &[]).unwrap_err();
        assert!(error.contains(want), "{error}");
    }
}
