//! QEMU's command line as a pure function of what a test asks for.

use crate::acceleration::Accelerator;
use crate::disk::Disk;
use crate::machine::{Firmware, Machine};
use std::path::{Path, PathBuf};

/// PCI address of the watchdog on bus 0. The bare test programs, which do not enumerate the bus, know it.
pub const WATCHDOG_SLOT: u8 = 0x10;

/// A guest to start.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Machine kind.
    pub machine: &'static Machine,
    /// Virtual CPUs.
    pub cpus: u8,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// Disks in boot order.
    pub disks: Vec<Disk>,
    /// What is booted.
    pub boot: Boot,
    /// Ports of the guest that are reachable on the host's loopback.
    pub forwards: Vec<Forward>,
    /// Further arguments, verbatim.
    pub extra: Vec<String>,
}

/// What a guest boots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Boot {
    /// The firmware starts the first disk.
    Disk,
    /// QEMU loads a kernel, for tests whose subject is not GRUB.
    Kernel {
        /// Kernel or Multiboot program.
        kernel: PathBuf,
        /// Initial file system.
        initrd: Option<PathBuf>,
        /// Kernel arguments.
        append: String,
    },
}

/// One forwarded TCP port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forward {
    /// On 127.0.0.1.
    pub host: u16,
    /// In the guest.
    pub guest: u16,
}

/// Files of one running guest.
#[derive(Clone, Debug)]
pub struct Files {
    /// Socket of the serial console; the test listens.
    pub serial: PathBuf,
    /// Socket of the control protocol; the test listens.
    pub control: PathBuf,
    /// This guest's copy of the firmware variables.
    pub variables: PathBuf,
}

impl Spec {
    /// A guest with the defaults of the device: two CPUs and 1 GiB.
    #[must_use]
    pub const fn new(machine: &'static Machine) -> Self {
        Self {
            machine,
            cpus: 2,
            memory_mib: 1024,
            disks: Vec::new(),
            boot: Boot::Disk,
            forwards: Vec::new(),
            extra: Vec::new(),
        }
    }

    /// The same with one more disk.
    #[must_use]
    pub fn disk(mut self, disk: &Disk) -> Self {
        self.disks.push(disk.clone());
        self
    }
}

/// The arguments for QEMU.
#[must_use]
pub fn arguments(spec: &Spec, accelerator: Accelerator, files: &Files) -> Vec<String> {
    let mut line = Line::default();
    line.flag("-nodefaults").flag("-no-user-config").option("-display", "none");
    line.option("-machine", spec.machine.machine);
    match accelerator {
        Accelerator::Kvm => line.option("-accel", "kvm").option("-cpu", "host"),
        Accelerator::Tcg => line.option("-accel", "tcg,thread=multi").option("-cpu", spec.machine.cpu),
    };
    line.option("-smp", spec.cpus.to_string()).option("-m", format!("{}M", spec.memory_mib)).option("-rtc", "base=utc");
    // QEMU connects to sockets that exist before it starts, so no byte is lost and nothing waits for a file to appear.
    line.option("-chardev", format!("socket,id=serial0,path={}", files.serial.display()));
    line.option("-serial", "chardev:serial0");
    line.option("-chardev", format!("socket,id=control,path={}", files.control.display()));
    line.option("-mon", "chardev=control,mode=control");
    if let Firmware::Uefi { code, .. } = spec.machine.firmware {
        line.option("-drive", format!("if=pflash,unit=0,format=raw,readonly=on,file={code}"));
        line.option("-drive", format!("if=pflash,unit=1,format=raw,file={}", files.variables.display()));
    }
    for (index, disk) in spec.disks.iter().enumerate() {
        let path = disk.path().display();
        line.option("-drive", format!("if=none,id=disk{index},format=qcow2,discard=unmap,file={path}"));
        line.option("-device", format!("virtio-blk-pci,drive=disk{index},bootindex={index}"));
    }
    // restrict=on: a guest under test reaches nothing but the ports that the test forwards.
    let forwards: String = spec
        .forwards
        .iter()
        .map(|forward| format!(",hostfwd=tcp:127.0.0.1:{}-:{}", forward.host, forward.guest))
        .collect();
    line.option("-netdev", format!("user,id=net0,restrict=on{forwards}"));
    // Without its option ROM the firmware does not try to boot from the network.
    line.option("-device", "virtio-net-pci,netdev=net0,romfile=");
    line.option("-device", "virtio-rng-pci");
    line.option("-device", format!("i6300esb,addr={WATCHDOG_SLOT:#x}")).option("-action", "watchdog=reset");
    if let Boot::Kernel { kernel, initrd, append } = &spec.boot {
        line.path("-kernel", kernel);
        initrd.iter().for_each(|path| line.path("-initrd", path));
        if !append.is_empty() {
            line.option("-append", append);
        }
    }
    line.words.extend(spec.extra.iter().cloned());
    line.words
}

#[derive(Default)]
struct Line {
    words: Vec<String>,
}

impl Line {
    fn flag(&mut self, name: &str) -> &mut Self {
        self.words.push(name.to_owned());
        self
    }

    fn option(&mut self, name: &str, value: impl Into<String>) -> &mut Self {
        self.words.extend([name.to_owned(), value.into()]);
        self
    }

    fn path(&mut self, name: &str, path: &Path) {
        self.option(name, path.display().to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine;

    fn files() -> Files {
        Files { serial: "/r/serial".into(), control: "/r/control".into(), variables: "/r/variables".into() }
    }

    fn golden(spec: &Spec, accelerator: Accelerator, want: &str) {
        let text = arguments(spec, accelerator, &files()).join(" ").replace(" -", "\n-");
        assert_eq!(text, want.trim(), "{}", spec.machine);
    }

    #[test]
    fn a_pc_with_uefi() {
        let disks = [Disk::at("/r/a.qcow2"), Disk::at("/r/b.qcow2")];
        let mut spec = Spec::new(&machine::X86_64_UEFI).disk(&disks[0]).disk(&disks[1]);
        spec.forwards = vec![Forward { host: 16443, guest: 6443 }, Forward { host: 18080, guest: 8080 }];
        let want = "
-nodefaults
-no-user-config
-display none
-machine q35
-accel tcg,thread=multi
-cpu max
-smp 2
-m 1024M
-rtc base=utc
-chardev socket,id=serial0,path=/r/serial
-serial chardev:serial0
-chardev socket,id=control,path=/r/control
-mon chardev=control,mode=control
-drive if=pflash,unit=0,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd
-drive if=pflash,unit=1,format=raw,file=/r/variables
-drive if=none,id=disk0,format=qcow2,discard=unmap,file=/r/a.qcow2
-device virtio-blk-pci,drive=disk0,bootindex=0
-drive if=none,id=disk1,format=qcow2,discard=unmap,file=/r/b.qcow2
-device virtio-blk-pci,drive=disk1,bootindex=1
-netdev user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:16443-:6443,hostfwd=tcp:127.0.0.1:18080-:8080
-device virtio-net-pci,netdev=net0,romfile=
-device virtio-rng-pci
-device i6300esb,addr=0x10
-action watchdog=reset";
        golden(&spec, Accelerator::Tcg, want);
        let with_kvm = want.replace("tcg,thread=multi\n-cpu max", "kvm\n-cpu host");
        golden(&spec, Accelerator::Kvm, &with_kvm);
    }

    #[test]
    fn a_pc_with_bios_and_a_kernel_from_the_host() {
        let mut spec = Spec::new(&machine::X86_64_BIOS);
        spec.boot = Boot::Kernel {
            kernel: "/r/vmlinuz".into(),
            initrd: Some("/r/initrd".into()),
            append: "console=ttyS0 coracle.boot=1".into(),
        };
        spec.extra = vec!["-S".into()];
        golden(
            &spec,
            Accelerator::Tcg,
            "
-nodefaults
-no-user-config
-display none
-machine q35
-accel tcg,thread=multi
-cpu max
-smp 2
-m 1024M
-rtc base=utc
-chardev socket,id=serial0,path=/r/serial
-serial chardev:serial0
-chardev socket,id=control,path=/r/control
-mon chardev=control,mode=control
-netdev user,id=net0,restrict=on
-device virtio-net-pci,netdev=net0,romfile=
-device virtio-rng-pci
-device i6300esb,addr=0x10
-action watchdog=reset
-kernel /r/vmlinuz
-initrd /r/initrd
-append console=ttyS0 coracle.boot=1
-S",
        );
    }

    #[test]
    fn an_arm_machine() {
        let mut spec = Spec::new(&machine::ARM64_UEFI).disk(&Disk::at("/r/a.qcow2"));
        spec.cpus = 1;
        spec.memory_mib = 512;
        golden(
            &spec,
            Accelerator::Tcg,
            "
-nodefaults
-no-user-config
-display none
-machine virt
-accel tcg,thread=multi
-cpu cortex-a57
-smp 1
-m 512M
-rtc base=utc
-chardev socket,id=serial0,path=/r/serial
-serial chardev:serial0
-chardev socket,id=control,path=/r/control
-mon chardev=control,mode=control
-drive if=pflash,unit=0,format=raw,readonly=on,file=/usr/share/AAVMF/AAVMF_CODE.fd
-drive if=pflash,unit=1,format=raw,file=/r/variables
-drive if=none,id=disk0,format=qcow2,discard=unmap,file=/r/a.qcow2
-device virtio-blk-pci,drive=disk0,bootindex=0
-netdev user,id=net0,restrict=on
-device virtio-net-pci,netdev=net0,romfile=
-device virtio-rng-pci
-device i6300esb,addr=0x10
-action watchdog=reset",
        );
    }
}
