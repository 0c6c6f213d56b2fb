//! Limits of resources.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::failure::Problem;
use super::process::Limit;

/// The value that OCI and the kernel use for "no limit".
const INFINITY: u64 = u64::MAX;

/// Lifts the hard limits to what will be asked for. Only root of the machine may do that, so it is done before a user
/// namespace is entered; a limit that hurts the helper is not set yet.
pub(super) fn lift(limits: &[Limit]) -> Result<(), Problem> {
    for limit in limits {
        let resource = resource(&limit.kind)?;
        let mut now = getrlimit(resource);
        if now.maximum.is_some_and(|maximum| limit.hard > maximum) {
            now.maximum = bounded(limit.hard);
            set(limit, resource, now)?;
        }
    }
    Ok(())
}

/// Sets the limits exactly.
pub(super) fn apply(limits: &[Limit]) -> Result<(), Problem> {
    for limit in limits {
        let wanted = Rlimit { current: bounded(limit.soft), maximum: bounded(limit.hard) };
        set(limit, resource(&limit.kind)?, wanted)?;
    }
    Ok(())
}

fn set(limit: &Limit, resource: Resource, wanted: Rlimit) -> Result<(), Problem> {
    setrlimit(resource, wanted)
        .map_err(|errno| Problem::step(&format!("error setting rlimit type {}", limit.kind), errno))
}

fn bounded(value: u64) -> Option<u64> {
    (value != INFINITY).then_some(value)
}

fn resource(name: &str) -> Result<Resource, Problem> {
    Ok(match name {
        "RLIMIT_CPU" => Resource::Cpu,
        "RLIMIT_FSIZE" => Resource::Fsize,
        "RLIMIT_DATA" => Resource::Data,
        "RLIMIT_STACK" => Resource::Stack,
        "RLIMIT_CORE" => Resource::Core,
        "RLIMIT_RSS" => Resource::Rss,
        "RLIMIT_NPROC" => Resource::Nproc,
        "RLIMIT_NOFILE" => Resource::Nofile,
        "RLIMIT_MEMLOCK" => Resource::Memlock,
        "RLIMIT_AS" => Resource::As,
        "RLIMIT_LOCKS" => Resource::Locks,
        "RLIMIT_SIGPENDING" => Resource::Sigpending,
        "RLIMIT_MSGQUEUE" => Resource::Msgqueue,
        "RLIMIT_NICE" => Resource::Nice,
        "RLIMIT_RTPRIO" => Resource::Rtprio,
        "RLIMIT_RTTIME" => Resource::Rttime,
        _ => return Err(Problem::new(format!("rlimit {name:?} is not known"))),
    })
}
