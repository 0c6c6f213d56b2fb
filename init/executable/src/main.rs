//! `coracle-init`: one small static executable with several duties, chosen by its name and its first argument.
//!
//! As process 1 it is the initrd stage (`/init`) or the init of the running system (`/sbin/init`); as `modprobe` it is
//! the kernel's module helper; as `reboot` and `poweroff` it asks process 1; with `shim` and `pause` it keeps a pod.
//! It only dispatches; the duties are in `coracle-pid1` and `coracle-shim`.

use std::io::Write as _;
use std::process::ExitCode;

/// What this start is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Duty {
    /// Process 1 in the initrd.
    Initrd,
    /// Process 1 in the slot's root.
    System,
    /// The kernel's module helper.
    Modprobe,
    /// Ask process 1 for an orderly reboot.
    Reboot,
    /// Ask process 1 for an orderly power-off.
    PowerOff,
    /// Be a pod's shim.
    Shim,
    /// Be the first process of a pod's shared process namespace.
    Pause,
    /// Print the version.
    Version,
    /// Say what this program is.
    Usage,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args();
    let name = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    match duty(&name, rest.first().map(String::as_str), std::process::id() == 1) {
        Duty::Initrd => coracle_pid1::initrd_main(),
        Duty::System => coracle_pid1::system_main(),
        Duty::Modprobe => code(coracle_pid1::modprobe_main(rest.into_iter())),
        Duty::Reboot => code(coracle_pid1::request_reboot()),
        Duty::PowerOff => code(coracle_pid1::request_power_off()),
        Duty::Shim => coracle_shim::main(rest.get(1..).unwrap_or_default()),
        Duty::Pause => coracle_shim::pause_main(),
        Duty::Version => print(concat!("coracle-init ", env!("CARGO_PKG_VERSION"), "\n"), ExitCode::SUCCESS),
        Duty::Usage => print("coracle-init is started by the kernel; see docs/root-contract.md\n", ExitCode::from(2)),
    }
}

const fn code(succeeded: bool) -> ExitCode {
    if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print(text: &str, code: ExitCode) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}

fn duty(name: &str, argument: Option<&str>, is_process_1: bool) -> Duty {
    let base = name.rsplit('/').next().unwrap_or_default();
    match (base, argument) {
        ("modprobe", _) => Duty::Modprobe,
        ("reboot", _) => Duty::Reboot,
        ("poweroff", _) => Duty::PowerOff,
        (_, Some("--version")) => Duty::Version,
        // As process 1 of its namespace; the kernel, which may pass words of its command line on, uses other names.
        ("exe", Some("pause")) => Duty::Pause,
        (_, Some("shim")) if !is_process_1 => Duty::Shim,
        _ if !is_process_1 => Duty::Usage,
        // The kernel starts `/init` of an initrd; every other name is the init of a root file system.
        _ if name == "/init" => Duty::Initrd,
        _ => Duty::System,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_argument_and_process_id_choose_the_duty() {
        for (name, argument, first, want) in [
            ("/init", None, true, Duty::Initrd),
            ("/init", Some("splash"), true, Duty::Initrd),
            ("/sbin/init", None, true, Duty::System),
            ("/sbin/modprobe", Some("-q"), false, Duty::Modprobe),
            ("modprobe", Some("--version"), false, Duty::Modprobe),
            ("/usr/sbin/reboot", None, false, Duty::Reboot),
            ("poweroff", Some("--version"), false, Duty::PowerOff),
            ("coracle-init", Some("--version"), false, Duty::Version),
            ("coracle-init", None, false, Duty::Usage),
            ("/proc/self/exe", Some("operate"), false, Duty::Usage),
            ("/proc/self/fd/9", Some("shim"), false, Duty::Shim),
            ("/sbin/init", Some("shim"), false, Duty::Shim),
            ("/sbin/init", Some("shim"), true, Duty::System),
            ("/proc/self/exe", Some("pause"), true, Duty::Pause),
            ("/sbin/init", Some("pause"), true, Duty::System),
            ("/sbin/init", Some("pause"), false, Duty::Usage),
            ("/init", None, false, Duty::Usage),
            ("", None, false, Duty::Usage),
        ] {
            assert_eq!(duty(name, argument, first), want, "{name} {argument:?} {first}");
        }
    }
}
