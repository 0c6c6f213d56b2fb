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
    /// A raw volume that the guest may read, for example with its machine configuration.
    pub seed: Option<PathBuf>,
    /// Ports of the guest that are reachable on the host's loopback.
    pub forwards: Vec<Forward>,
    /// Whether the guest reaches the host's networks. A guest under test reaches only what is forwarded to it.
    pub reaches_out: bool,
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
    /// The serial console.
    pub serial: Channel,
    /// The control protocol.
    pub control: Channel,
    /// This guest's copy of the firmware variables.
    pub variables: PathBuf,
}

/// Where a line between QEMU and the world ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channel {
    /// A socket that exists before QEMU starts, so no byte is lost and nothing waits for a file to appear.
    Connect(PathBuf),
    /// A socket that QEMU listens on, for whoever comes.
    Listen(PathBuf),
    /// A file that output is added to.
    Append(PathBuf),
}

impl Channel {
    fn text(&self, id: &str) -> String {
        match self {
            Self::Connect(path) => format!("socket,id={id},path={}", path.display()),
            Self::Listen(path) => format!("socket,id={id},path={},server=on,wait=off", path.display()),
            Self::Append(path) => format!("file,id={id},path={},append=on", path.display()),
        }
    }
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
            seed: None,
            forwards: Vec::new(),
            reaches_out: false,
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
    line.option("-chardev", files.serial.text("serial0")).option("-serial", "chardev:serial0");
    line.option("-chardev", files.control.text("control"));
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
    if let Some(seed) = &spec.seed {
        line.option("-drive", format!("if=none,id=seed,format=raw,readonly=on,file={}", seed.display()));
        line.option("-device", "virtio-blk-pci,drive=seed");
    }
    let forwards: String = spec
        .forwards
        .iter()
        .map(|forward| format!(",hostfwd=tcp:127.0.0.1:{}-:{}", forward.host, forward.guest))
        .collect();
    let restrict = if spec.reaches_out { "off" } else { "on" };
    line.option("-netdev", format!("user,id=net0,restrict={restrict}{forwards}"));
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
        let connect = |path: &str| Channel::Connect(path.into());
        Files { serial: connect("/r/serial"), control: connect("/r/control"), variables: "/r/variables".into() }
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
    fn a_machine_that_outlives_its_starter() {
        let mut spec = Spec::new(&machine::X86_64_BIOS);
        spec.seed = Some("seed.img".into());
        spec.reaches_out = true;
        let (serial, control) = (Channel::Append("console.log".into()), Channel::Listen("control".into()));
        let text = arguments(&spec, Accelerator::Tcg, &Files { serial, control, variables: "v".into() }).join(" ");
        for part in [
            "-chardev file,id=serial0,path=console.log,append=on -serial chardev:serial0",
            "-chardev socket,id=control,path=control,server=on,wait=off -mon chardev=control,mode=control",
            "-drive if=none,id=seed,format=raw,readonly=on,file=seed.img -device virtio-blk-pci,drive=seed",
            "-netdev user,id=net0,restrict=off ",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
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
