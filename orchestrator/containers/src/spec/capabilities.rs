//! Capabilities of a container.

use std::collections::BTreeSet;

use coracle_apimachinery::Value;
use coracle_client::object;

use super::security::{is_privileged, own};

/// All capabilities in the order of the kernel's numbers.
const ALL: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// What containerd gives to every container.
const DEFAULT: [&str; 14] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
];

/// The capabilities of a container with their full names, in the kernel's order. The kernel knows those up to number
/// `last`.
///
/// # Errors
/// The container names one that does not exist.
pub(crate) fn capabilities(container: &Value, last: usize) -> Result<Vec<String>, String> {
    let known = ALL.get(..=last).unwrap_or(&ALL);
    let mut set: BTreeSet<&str> = DEFAULT.into_iter().collect();
    if is_privileged(container) {
        set = known.iter().copied().collect();
    } else if let Some(wanted) = own(container, "capabilities") {
        let (add, drop) = (list(wanted, "add")?, list(wanted, "drop")?);
        // ALL stands for the base that the other names change.
        if add.contains(&"ALL") {
            set = known.iter().copied().collect();
        }
        if drop.contains(&"ALL") {
            set.clear();
        }
        set.extend(add.into_iter().filter(|name| *name != "ALL"));
        for name in drop {
            set.remove(name);
        }
    }
    Ok(known.iter().filter(|name| set.contains(**name)).map(|name| format!("CAP_{name}")).collect())
}

fn list(wanted: &Value, member: &str) -> Result<Vec<&'static str>, String> {
    let names = object::items(wanted, &[member]).iter().filter_map(Value::as_str);
    names
        .map(|name| {
            let upper = name.to_uppercase();
            let short = upper.strip_prefix("CAP_").unwrap_or(&upper);
            let known = ALL.iter().chain(&["ALL"]).find(|known| **known == short);
            known.copied().ok_or_else(|| format!("unknown capability \"CAP_{short}\""))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tests::tree;

    #[test]
    fn sets() {
        let of = |text: &str| {
            let container = tree(&format!(r#"{{"securityContext":{text}}}"#));
            capabilities(&container, 40).map(|names| names.join(" ").replace("CAP_", ""))
        };
        let default = "CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW \
                       SYS_CHROOT MKNOD AUDIT_WRITE SETFCAP";
        assert_eq!(of("{}").unwrap(), default);
        assert_eq!(of(r#"{"capabilities":{"drop":["ALL"],"add":["NET_BIND_SERVICE"]}}"#).unwrap(), "NET_BIND_SERVICE");
        assert_eq!(of(r#"{"capabilities":{"drop":["all"]}}"#).unwrap(), "");
        assert_eq!(
            of(r#"{"capabilities":{"add":["CAP_SYS_TIME"],"drop":["MKNOD"]}}"#).unwrap(),
            "CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT SYS_TIME AUDIT_WRITE SETFCAP"
        );
        let all = of(r#"{"capabilities":{"add":["ALL"],"drop":["BPF"]}}"#).unwrap();
        assert_eq!(all.split(' ').count(), 40);
        assert!(!all.contains("BPF"));
        assert_eq!(of(r#"{"privileged":true,"capabilities":{"drop":["ALL"]}}"#).unwrap().split(' ').count(), 41);
        assert_eq!(of(r#"{"capabilities":{"add":["X"]}}"#), Err("unknown capability \"CAP_X\"".to_owned()));
        let old = capabilities(&tree(r#"{"securityContext":{"privileged":true}}"#), 37).unwrap();
        assert_eq!(old.last().unwrap(), "CAP_AUDIT_READ");
    }
}
