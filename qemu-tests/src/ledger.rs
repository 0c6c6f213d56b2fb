//! Counts guest time: the budget of a commit is 30 minutes, so every guest says what it used.
//!
//! `CORACLE_GUEST_LEDGER=FILE` collects one line a guest: suite, scenario, machine, accelerator, seconds, boots, separated
//! by tabs. The sum of the fifth column is the guest time.

use std::fmt;
use std::io::Write as _;
use std::time::Duration;

/// Name of the variable with the file's path.
const VARIABLE: &str = "CORACLE_GUEST_LEDGER";

/// What one guest used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// Test program.
    pub suite: &'a str,
    /// Scenario within it.
    pub scenario: &'a str,
    /// Machine kind.
    pub machine: &'a str,
    /// Accelerator.
    pub accelerator: &'a str,
    /// From start to end.
    pub time: Duration,
    /// Resets plus one.
    pub boots: usize,
}

impl fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { suite, scenario, machine, accelerator, time, boots } = self;
        write!(f, "{suite}\t{scenario}\t{machine}\t{accelerator}\t{:.1}\t{boots}", time.as_secs_f64())
    }
}

/// Appends a row to the ledger, when there is one. A ledger that cannot be written is said, and fails no test.
pub fn add(row: &Row<'_>) {
    let Some(path) = std::env::var_os(VARIABLE) else { return };
    let file = std::fs::File::options().create(true).append(true).open(&path);
    if let Err(error) = file.and_then(|mut file| file.write_all(format!("{row}\n").as_bytes())) {
        eprintln!("write guest ledger {}: {error}", path.to_string_lossy());
    }
}

/// Name of the running test program without cargo's hash.
#[must_use]
pub fn suite() -> String {
    let program = std::env::current_exe().ok();
    let stem = program.as_deref().and_then(std::path::Path::file_stem).map(|stem| stem.to_string_lossy().into_owned());
    stem.map_or_else(|| "unknown".to_owned(), |stem| without_hash(&stem).to_owned())
}

fn without_hash(stem: &str) -> &str {
    match stem.rsplit_once('-') {
        Some((name, hash)) if hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => name,
        _ => stem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_can_be_summed() {
        let row = Row {
            suite: without_hash("boot-0123456789abcdef"),
            scenario: "fresh",
            machine: "arm64-uefi",
            accelerator: "tcg",
            time: Duration::from_millis(12_340),
            boots: 2,
        };
        assert_eq!(row.to_string(), "boot\tfresh\tarm64-uefi\ttcg\t12.3\t2");
        assert_eq!(without_hash("qemu-tests"), "qemu-tests");
    }
}
