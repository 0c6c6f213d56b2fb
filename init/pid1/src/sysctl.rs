//! Kernel parameters as data: hardening that costs nothing here, and what a Kubernetes node expects.

use crate::error::Error;
use crate::files;

/// Path below `/proc/sys` and value.
const TABLE: [(&str, &str); 28] = [
    // A kernel that has lost its integrity resets; the chooser counts.
    ("kernel/panic", "10"),
    ("kernel/panic_on_oops", "1"),
    // Information and powers that no workload needs.
    ("kernel/dmesg_restrict", "1"),
    ("kernel/kptr_restrict", "2"),
    ("kernel/perf_event_paranoid", "3"),
    ("kernel/unprivileged_bpf_disabled", "1"),
    ("kernel/kexec_load_disabled", "1"),
    ("kernel/sysrq", "0"),
    ("kernel/yama/ptrace_scope", "1"),
    ("net/core/bpf_jit_harden", "2"),
    ("fs/protected_fifos", "2"),
    ("fs/protected_hardlinks", "1"),
    ("fs/protected_regular", "2"),
    ("fs/protected_symlinks", "1"),
    ("fs/suid_dumpable", "0"),
    ("kernel/core_pattern", "|/bin/false"),
    ("dev/tty/ldisc_autoload", "0"),
    // What kubelet checks or sets itself.
    ("vm/overcommit_memory", "1"),
    ("vm/panic_on_oom", "0"),
    ("kernel/keys/root_maxkeys", "1000000"),
    ("kernel/keys/root_maxbytes", "25000000"),
    // Many pods, many watches, many processes.
    ("fs/inotify/max_user_instances", "8192"),
    ("fs/inotify/max_user_watches", "524288"),
    ("kernel/pid_max", "4194304"),
    ("vm/max_map_count", "262144"),
    // Pods are routed.
    ("net/ipv4/ip_forward", "1"),
    ("net/ipv6/conf/all/forwarding", "1"),
    ("net/ipv4/conf/all/rp_filter", "0"),
];

/// Writes the table. A parameter that this kernel lacks, or refuses, is returned and left as it is.
pub(crate) fn apply() -> Vec<Error> {
    let write = |(path, value): &(&str, &str)| files::write_kernel(format!("/proc/sys/{path}"), value).err();
    TABLE.iter().filter_map(write).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_parameter_is_set_once_and_below_proc_sys() {
        let paths: BTreeSet<&str> = TABLE.iter().map(|(path, _)| *path).collect();
        assert_eq!(paths.len(), TABLE.len());
        assert!(paths.iter().all(|path| !path.starts_with('/') && !path.contains("..")));
    }
}
