//! The kernel command line as PID 1 uses it.

use coracle_contract::kernel_arguments::KernelArguments;

use crate::error::{Error, Result, invalid};
use crate::fault::Fault;
use crate::files;
use crate::supervise::policy::GATE_MS;

/// Longest command line that is read; the kernel's own limit is 2048 on x86_64 and arm64.
const LIMIT: u64 = 16 * 1024;

/// What the command line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// What the chooser passed.
    pub(crate) boot: KernelArguments,
    /// A fault of this release.
    pub(crate) fault: Option<Fault>,
    /// Print the root contract as markers (development slots only).
    pub(crate) probe_root_contract: bool,
    /// `coracle.gate-seconds`: another time for the health gate (development slots only).
    gate_seconds: Option<u64>,
}

impl Arguments {
    /// Reads `/proc/cmdline`.
    pub(crate) fn read() -> Result<Self> {
        Self::parse(&files::read_text("/proc/cmdline", LIMIT)?)
    }

    /// Reads a command line.
    pub(crate) fn parse(command_line: &str) -> Result<Self> {
        let boot = KernelArguments::parse(command_line)
            .map_err(|error| invalid("read", "the kernel command line")(Box::new(error)))?;
        let fault = match &boot.fault {
            None => None,
            Some(value) => Some(
                Fault::parse(value)
                    .ok_or_else(|| Error::Found(format!("coracle.fault={value} names no known fault")))?,
            ),
        };
        let probe_root_contract =
            command_line.split_ascii_whitespace().any(|word| word == "coracle.probe=root-contract");
        let gate_seconds = command_line
            .split_ascii_whitespace()
            .filter_map(|word| word.strip_prefix("coracle.gate-seconds="))
            .next_back()
            .and_then(|seconds| seconds.parse().ok());
        Ok(Self { boot, fault, probe_root_contract, gate_seconds })
    }

    /// Time for the health gate in milliseconds.
    pub(crate) fn gate_ms(&self, development: bool) -> u64 {
        self.gate_seconds.filter(|_| development).map_or(GATE_MS, |seconds| seconds.saturating_mul(1000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "coracle.boot=1 coracle.slot=a coracle.seq=0000000001 coracle.id=0000000000000000";

    #[test]
    fn faults_and_probes_are_read() {
        let plain = Arguments::parse(GOOD).unwrap();
        assert_eq!((plain.fault, plain.probe_root_contract), (None, false));
        let probed =
            Arguments::parse(&format!("{GOOD} coracle.probe=root-contract coracle.fault=hang-at:root")).unwrap();
        assert_eq!((probed.fault, probed.probe_root_contract), (Fault::parse("hang-at:root"), true));
        let gated = Arguments::parse(&format!("{GOOD} coracle.gate-seconds=5")).unwrap();
        assert_eq!((gated.gate_ms(true), gated.gate_ms(false), plain.gate_ms(true)), (5_000, GATE_MS, GATE_MS));
        assert!(Arguments::parse(&format!("{GOOD} coracle.fault=hang-at:mars")).is_err());
        assert!(Arguments::parse("quiet").is_err());
    }
}
