//! Paths of the running system that more than one program uses. `docs/root-contract.md` explains each.

/// Mount point of the STATE partition: configuration, keys, store, trust records, update state, last boots' logs.
pub const STATE: &str = "/state";

/// Mount point of the DATA partition: images, volumes, pod logs.
pub const DATA: &str = "/data";

/// The device's facts of this boot, written by PID 1 and read by the orchestrator. Lost at power-off.
pub const RUN: &str = "/run/coracle";

/// `key=value` lines of this boot (slot, boot-state source, STATE and DATA condition), below [`RUN`].
pub const BOOT_FACTS: &str = "/run/coracle/boot";

/// What the sources of the machine configuration held at this boot, a file a source, named like it. Copied by PID 1,
/// which does not look into it. Below [`RUN`].
pub const SEED: &str = "/run/coracle/seed";

/// Certificates of the machine configuration, a file `NAME.pem` a certificate, below [`RUN`].
pub const CERTIFICATES: &str = "/run/coracle/certificates";

/// Generations of the machine configuration, below [`STATE`].
pub const CONFIG: &str = "/state/config";

/// The orchestrator executable in the root image.
pub const ORCHESTRATOR: &str = "/usr/bin/coracle";

/// OCI layout in the root image: container images that are there from the start.
pub const IMAGES: &str = "/usr/share/coracle/images";

/// PID 1 in the root image.
pub const INIT: &str = "/sbin/init";

/// The static module helper that `kernel.modprobe` names.
pub const MODPROBE: &str = "/sbin/modprobe";

/// Aliases and names that [`MODPROBE`] may load, one a line; everything else is refused.
pub const MODPROBE_ALLOW: &str = "/etc/coracle/modprobe.allow";

/// Modules that PID 1 loads before it looks at modaliases, one name a line (the board's list).
pub const MODULES_BOOT: &str = "/etc/coracle/modules.boot";

/// Public keys that may sign a slot footer: `ROLE KEY-ID HEX` a line, in the initrd.
pub const FOOTER_KEYS: &str = "/etc/coracle/footer.keys";

/// Identity of the board that this slot was built for, compared with the footer.
pub const BOARD: &str = "/etc/coracle/board";
