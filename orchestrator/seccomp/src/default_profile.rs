//! The profile `RuntimeDefault`: the calls and conditions of containerd 2's default profile.
//!
//! Names and conditions are facts of that interface; what a container may do more follows from its bounding set.

use crate::architecture::Architecture;
use crate::profile::{Action, Condition, Operator, Profile, Rule};

/// Calls that every container may make, whatever their arguments.
const ALWAYS: &str = "\
    _llseek _newselect accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown \
    chown32 clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 \
    clock_nanosleep clock_nanosleep_time64 close close_range connect copy_file_range creat dup dup2 dup3 \
    epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd \
    eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark \
    fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock \
    fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futex \
    futex_requeue futex_time64 futex_wait futex_waitv futex_wake futimesat get_robust_list get_thread_area getcpu \
    getcwd getdents getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getitimer \
    getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresgid32 getresuid getresuid32 \
    getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday getuid getuid32 getxattr inotify_add_watch \
    inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 \
    io_setup io_submit ioctl ioprio_get ioprio_set ipc kill landlock_add_rule landlock_create_ruleset \
    landlock_restrict_self lchown lchown32 lgetxattr link linkat listen listxattr llistxattr lremovexattr lseek \
    lsetxattr lstat lstat64 madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir mkdirat \
    mknod mknodat mlock mlock2 mlockall mmap mmap2 mprotect mq_getsetattr mq_notify mq_open mq_timedreceive \
    mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink mremap msgctl msgget msgrcv msgsnd msync \
    munlock munlockall munmap name_to_handle_at nanosleep newfstatat open openat openat2 pause pidfd_open \
    pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv \
    preadv2 prlimit64 process_mrelease process_vm_readv process_vm_writev pselect6 pselect6_time64 ptrace pwrite64 \
    pwritev pwritev2 read readahead readlink readlinkat readv recv recvfrom recvmmsg recvmmsg_time64 recvmsg \
    remap_file_pages removexattr rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending \
    rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 \
    rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam \
    sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr \
    sched_setparam sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop semtimedop_time64 \
    send sendfile sendfile64 sendmmsg sendmsg sendto set_robust_list set_thread_area set_tid_address setfsgid \
    setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setitimer setpgid setpriority setregid \
    setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit setsid setsockopt setuid \
    setuid32 setxattr shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4 sigprocmask sigreturn \
    socketcall socketpair splice stat stat64 statfs statfs64 statx symlink symlinkat sync sync_file_range syncfs \
    sysinfo tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime \
    timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill \
    truncate truncate64 ugetrlimit umask uname unlink unlinkat utime utimensat utimensat_time64 utimes vfork \
    vmsplice wait4 waitid waitpid write writev ";

/// Calls that come with a capability.
const BY_CAPABILITY: [(&str, &str); 14] = [
    ("CAP_DAC_READ_SEARCH", "open_by_handle_at"),
    (
        "CAP_SYS_ADMIN",
        "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount \
         open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare",
    ),
    ("CAP_SYS_BOOT", "reboot"),
    ("CAP_SYS_CHROOT", "chroot"),
    ("CAP_SYS_MODULE", "delete_module init_module finit_module"),
    ("CAP_SYS_PACCT", "acct"),
    ("CAP_SYS_PTRACE", "kcmp pidfd_getfd process_madvise"),
    ("CAP_SYS_RAWIO", "iopl ioperm"),
    ("CAP_SYS_TIME", "settimeofday stime clock_settime clock_settime64"),
    ("CAP_SYS_TTY_CONFIG", "vhangup"),
    ("CAP_SYS_NICE", "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"),
    ("CAP_SYSLOG", "syslog"),
    ("CAP_BPF", "bpf"),
    ("CAP_PERFMON", "perf_event_open"),
];

/// Execution domains that programs ask for: native and 32-bit, each with and without address randomisation off, and
/// the question which one it is.
const PERSONALITIES: [u64; 5] = [0, 0x0008, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// Flags of `clone` that make namespaces: mount, control group, UTS, IPC, user, process and network.
const NEW_NAMESPACES: u64 = 0x7e02_0000;

/// Sockets of this family reach the hypervisor, whatever the network namespace.
const VSOCK: u64 = 40;

const ENOSYS: u32 = 38;

/// The default profile on a machine of this architecture for a container with this bounding set.
#[must_use]
pub fn runtime_default(machine: Architecture, bounding: &[&str]) -> Profile {
    let mut rules = vec![allow(ALWAYS, None)];
    rules.push(allow("socket", Some(condition(Operator::NotEqual, VSOCK, None))));
    rules.extend(PERSONALITIES.map(|domain| allow("personality", Some(condition(Operator::Equal, domain, None)))));
    let (architectures, own) = match machine {
        Architecture::Aarch64 | Architecture::Arm => (
            vec![Architecture::Arm, Architecture::Aarch64],
            "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls",
        ),
        Architecture::X86_64 | Architecture::X86 | Architecture::X32 => {
            (vec![Architecture::X86_64, Architecture::X86, Architecture::X32], "arch_prctl modify_ldt")
        }
    };
    rules.push(allow(own, None));
    let granted = BY_CAPABILITY.iter().filter(|(capability, _)| bounding.contains(capability));
    rules.extend(granted.map(|(_, names)| allow(names, None)));
    if !bounding.contains(&"CAP_SYS_ADMIN") {
        rules.push(allow("clone", Some(condition(Operator::MaskedEqual, NEW_NAMESPACES, Some(0)))));
        // Its flags lie in memory, where a filter cannot look; C libraries fall back to clone when it does not exist.
        rules.push(Rule {
            names: vec!["clone3".to_owned()],
            action: Action::Errno,
            errno_ret: Some(ENOSYS),
            args: None,
        });
    }
    Profile {
        default_action: Action::Errno,
        default_errno_ret: None,
        architectures: Some(architectures.iter().map(|one| one.name().to_owned()).collect()),
        flags: None,
        syscalls: Some(rules),
    }
}

fn allow(names: &str, condition: Option<Condition>) -> Rule {
    Rule {
        names: names.split_whitespace().map(str::to_owned).collect(),
        action: Action::Allow,
        errno_ret: None,
        args: condition.map(|one| vec![one]),
    }
}

const fn condition(op: Operator, value: u64, value_two: Option<u64>) -> Condition {
    Condition { index: 0, value, value_two, op }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_known_to_an_architecture() {
        let all = [Architecture::X86_64, Architecture::X86, Architecture::Arm, Architecture::Aarch64];
        // Calls of libseccomp's list that no kernel table of ours has: they are skipped, as libseccomp does it.
        let unknown = ["fadvise64_64", "recv", "ugetrlimit", "umount", "utimensat_time64", "time", "stime"];
        for capability in ["CAP_CHOWN", "CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_SYS_TIME", "CAP_SYS_NICE"] {
            for machine in [Architecture::X86_64, Architecture::Aarch64] {
                for name in
                    runtime_default(machine, &[capability]).syscalls.unwrap().iter().flat_map(|rule| &rule.names)
                {
                    let known = all.iter().any(|architecture| architecture.number(name).is_some());
                    assert!(known || unknown.contains(&name.as_str()), "{name}");
                }
            }
        }
    }

    #[test]
    fn it_survives_its_own_notation() {
        let profile = runtime_default(Architecture::X86_64, &["CAP_SYS_ADMIN"]);
        let text = serde_json::to_string(&profile).unwrap();
        assert_eq!(serde_json::from_str::<Profile>(&text).unwrap(), profile);
    }
}
