//! The initrd stage and PID 1 of a device: modules, watchdog, verified root, STATE and DATA, supervision, shutdown.
//!
//! One thread. It decides in pure planners (`plan`, `policy`, `index`) and acts in small executors beside them. It never
//! returns and has no reachable panic: an error becomes a message, a marker and a reset within a bound, so that the slot
//! chooser can count the boot. It must never depend on async, TLS, Kubernetes or a network protocol; the only sockets
//! are the kernel's uevents and the heartbeat pair. `docs/root-contract.md` says what it leaves to the programs above.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::unreachable,
        clippy::string_slice,
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_sign_loss
    )
)]

mod arguments;
mod boot_facts;
mod boot_state;
mod cgroups;
mod clock_floor;
mod console;
mod context;
mod devmapper;
mod disk;
mod entropy;
mod error;
mod fatal;
mod fault;
mod files;
mod initrd;
mod limits;
mod loopback;
mod modprobe;
mod modules;
mod mounts;
mod power_button;
mod process;
mod reaper;
mod root_contract;
mod seed;
mod shutdown;
mod signals;
mod slot;
mod stages;
mod storage;
mod supervise;
mod switch_root;
mod sys;
mod sysctl;
mod system;
mod uevent;
mod wait;
mod watchdog;

pub use initrd::main as initrd_main;
pub use modprobe::main as modprobe_main;
pub use signals::{request_power_off, request_reboot};
pub use supervise::native::supervise as supervise_natively;
pub use system::main as system_main;
