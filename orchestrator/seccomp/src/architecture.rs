//! Architectures of a filter: their names, what the kernel calls them, and their tables of calls.

use syscalls::{aarch64, arm, x86, x86_64};

/// Numbers of x32 calls have this bit; the kernel calls their architecture `x86_64`.
pub(crate) const X32_BIT: u32 = 0x4000_0000;

/// An architecture that this product's machines can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Architecture {
    /// 64-bit x86.
    X86_64,
    /// 32-bit x86.
    X86,
    /// 64-bit x86 with 32-bit pointers.
    X32,
    /// 64-bit ARM.
    Aarch64,
    /// 32-bit ARM.
    Arm,
}

/// Calls whose x32 form has a number of its own instead of `x86_64`'s.
const X32_OWN: [(&str, u32); 36] = [
    ("rt_sigaction", 512),
    ("rt_sigreturn", 513),
    ("ioctl", 514),
    ("readv", 515),
    ("writev", 516),
    ("recvfrom", 517),
    ("sendmsg", 518),
    ("recvmsg", 519),
    ("execve", 520),
    ("ptrace", 521),
    ("rt_sigpending", 522),
    ("rt_sigtimedwait", 523),
    ("rt_sigqueueinfo", 524),
    ("sigaltstack", 525),
    ("timer_create", 526),
    ("mq_notify", 527),
    ("kexec_load", 528),
    ("waitid", 529),
    ("set_robust_list", 530),
    ("get_robust_list", 531),
    ("vmsplice", 532),
    ("move_pages", 533),
    ("preadv", 534),
    ("pwritev", 535),
    ("rt_tgsigqueueinfo", 536),
    ("recvmmsg", 537),
    ("sendmmsg", 538),
    ("process_vm_readv", 539),
    ("process_vm_writev", 540),
    ("setsockopt", 541),
    ("getsockopt", 542),
    ("io_setup", 543),
    ("io_submit", 544),
    ("execveat", 545),
    ("preadv2", 546),
    ("pwritev2", 547),
];

/// Private calls of 32-bit ARM, and those that libseccomp names otherwise than the kernel's table.
const ARM_OWN: [(&str, u32); 5] = [
    ("breakpoint", 0x000f_0001),
    ("cacheflush", 0x000f_0002),
    ("set_tls", 0x000f_0005),
    ("sync_file_range2", 341),
    ("arm_sync_file_range", 341),
];

impl Architecture {
    /// The one that this program was built for, if filters can be made for it.
    #[must_use]
    pub const fn native() -> Option<Self> {
        if cfg!(target_arch = "x86_64") {
            Some(Self::X86_64)
        } else if cfg!(target_arch = "aarch64") {
            Some(Self::Aarch64)
        } else if cfg!(target_arch = "arm") {
            Some(Self::Arm)
        } else {
            None
        }
    }

    /// From an OCI name; `None` for those that no machine of this product runs.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "SCMP_ARCH_X86_64" => Some(Self::X86_64),
            "SCMP_ARCH_X86" => Some(Self::X86),
            "SCMP_ARCH_X32" => Some(Self::X32),
            "SCMP_ARCH_AARCH64" => Some(Self::Aarch64),
            "SCMP_ARCH_ARM" => Some(Self::Arm),
            "SCMP_ARCH_NATIVE" => Self::native(),
            _ => None,
        }
    }

    /// Its OCI name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "SCMP_ARCH_X86_64",
            Self::X86 => "SCMP_ARCH_X86",
            Self::X32 => "SCMP_ARCH_X32",
            Self::Aarch64 => "SCMP_ARCH_AARCH64",
            Self::Arm => "SCMP_ARCH_ARM",
        }
    }

    /// The kernel's audit number.
    pub(crate) const fn audit(self) -> u32 {
        match self {
            Self::X86_64 | Self::X32 => 0xc000_003e,
            Self::X86 => 0x4000_0003,
            Self::Aarch64 => 0xc000_00b7,
            Self::Arm => 0x4000_0028,
        }
    }

    /// Number of a call; `None` when this architecture does not have it.
    #[must_use]
    pub fn number(self, name: &str) -> Option<u32> {
        let of_table = match self {
            Self::X86_64 => name.parse::<x86_64::Sysno>().ok().map(|call| call.id()),
            Self::X86 => name.parse::<x86::Sysno>().ok().map(|call| call.id()),
            // The kernel's own table calls it otherwise.
            Self::Aarch64 if name == "newfstatat" => Some(79),
            Self::Aarch64 => name.parse::<aarch64::Sysno>().ok().map(|call| call.id()),
            Self::Arm => match own(&ARM_OWN, name) {
                Some(number) => return Some(number),
                None => name.parse::<arm::Sysno>().ok().map(|call| call.id()),
            },
            Self::X32 => {
                let number = own(&X32_OWN, name).or_else(|| Self::X86_64.number(name))?;
                return Some(number | X32_BIT);
            }
        };
        of_table.and_then(|number| u32::try_from(number).ok())
    }
}

fn own(table: &[(&str, u32)], name: &str) -> Option<u32> {
    table.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_have_the_numbers_of_their_architecture() {
        for (architecture, name, want) in [
            (Architecture::X86_64, "read", Some(0)),
            (Architecture::X86_64, "clone3", Some(435)),
            (Architecture::X86_64, "socketcall", None),
            (Architecture::X86, "socketcall", Some(102)),
            (Architecture::X86, "_llseek", Some(140)),
            (Architecture::X86, "_newselect", Some(142)),
            (Architecture::X32, "read", Some(X32_BIT)),
            (Architecture::X32, "execve", Some(X32_BIT | 520)),
            (Architecture::Aarch64, "openat", Some(56)),
            (Architecture::Aarch64, "newfstatat", Some(79)),
            (Architecture::Aarch64, "open", None),
            (Architecture::Arm, "open", Some(5)),
            (Architecture::Arm, "set_tls", Some(0x000f_0005)),
            (Architecture::Arm, "arm_fadvise64_64", Some(270)),
            (Architecture::Arm, "no such call", None),
        ] {
            assert_eq!(architecture.number(name), want, "{architecture:?} {name}");
        }
    }

    #[test]
    fn names_lead_back_to_their_architecture() {
        for architecture in
            [Architecture::X86_64, Architecture::X86, Architecture::X32, Architecture::Aarch64, Architecture::Arm]
        {
            assert_eq!(Architecture::named(architecture.name()), Some(architecture));
        }
        assert_eq!(Architecture::named("SCMP_ARCH_S390X"), None);
    }
}
