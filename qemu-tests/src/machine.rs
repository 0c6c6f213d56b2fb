//! The machine kinds that tests boot, as rows.

use std::fmt;

/// Instruction set of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// 64-bit PC.
    X86_64,
    /// 64-bit Arm.
    Aarch64,
}

/// What runs before the boot disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firmware {
    /// QEMU's built-in BIOS.
    SeaBios,
    /// A UEFI in two flash chips; each guest writes its own copy of the variables.
    Uefi {
        /// Read-only code.
        code: &'static str,
        /// Variables as delivered.
        variables: &'static str,
    },
}

/// One machine kind.
#[derive(Debug, PartialEq, Eq)]
pub struct Machine {
    /// Name in test output.
    pub name: &'static str,
    /// The board whose image it boots.
    pub board: &'static str,
    /// Instruction set.
    pub architecture: Architecture,
    /// QEMU's program.
    pub program: &'static str,
    /// `-machine`.
    pub machine: &'static str,
    /// `-cpu` without hardware help; with it the host's processor is used.
    pub cpu: &'static str,
    /// Firmware.
    pub firmware: Firmware,
    /// Serial console of the kernel, for boots without GRUB.
    pub console: &'static str,
}

/// PC with UEFI.
pub const X86_64_UEFI: Machine = Machine {
    name: "x86_64-uefi",
    board: "x86_64-vm",
    architecture: Architecture::X86_64,
    program: "qemu-system-x86_64",
    machine: "q35",
    cpu: "max",
    firmware: Firmware::Uefi { code: "/usr/share/OVMF/OVMF_CODE_4M.fd", variables: "/usr/share/OVMF/OVMF_VARS_4M.fd" },
    console: "ttyS0",
};

/// PC with a BIOS; the same image.
pub const X86_64_BIOS: Machine = Machine { name: "x86_64-bios", firmware: Firmware::SeaBios, ..X86_64_UEFI };

/// Arm virtual machine with UEFI. `-cpu max` would emulate pointer authentication at a high price.
pub const ARM64_UEFI: Machine = Machine {
    name: "arm64-uefi",
    board: "arm64-vm",
    architecture: Architecture::Aarch64,
    program: "qemu-system-aarch64",
    machine: "virt",
    cpu: "cortex-a57",
    firmware: Firmware::Uefi { code: "/usr/share/AAVMF/AAVMF_CODE.fd", variables: "/usr/share/AAVMF/AAVMF_VARS.fd" },
    console: "ttyAMA0",
};

/// Every machine kind.
pub const ALL: [&Machine; 3] = [&X86_64_UEFI, &X86_64_BIOS, &ARM64_UEFI];

impl Architecture {
    /// The architecture that this program runs on, when it is one of ours.
    #[must_use]
    pub fn of_host() -> Option<Self> {
        match std::env::consts::ARCH {
            "x86_64" => Some(Self::X86_64),
            "aarch64" => Some(Self::Aarch64),
            _ => None,
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
