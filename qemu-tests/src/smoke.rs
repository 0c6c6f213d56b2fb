//! The shortest way through the whole product: boot, first contact, a web page from a container, power off.

use crate::client::Client;
use crate::error::{Error, Result};
use crate::image::Image;
use crate::lab::Lab;
use crate::machine::Machine;
use crate::node::{NAME, Node, Parts};
use std::fmt;
use std::path::Path;
use std::time::Duration;

/// A web server of the image that every slot brings along, reached at a port of the node.
pub const WEB: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 1
  strategy: {type: Recreate}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: localhost/hello:1
        ports: [{containerPort: 8080, hostPort: 8080}]
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
";

/// One figure of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// What it is.
    pub name: &'static str,
    /// How much.
    pub value: String,
    /// Of what.
    pub unit: &'static str,
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.name, self.value, self.unit)
    }
}

/// Goes the way once on a fresh disk, telling each step.
///
/// # Errors
/// A step does not work.
pub fn run(lab: &Lab, machine: &'static Machine, client: Client, tell: impl Fn(&str)) -> Result<Vec<Figure>> {
    let node = Parts::flashed_for(lab, machine, "", client)?.boot(lab)?;
    tell("healthy");
    node.ready()?;
    let ready = node.started.elapsed();
    tell(&format!("node {NAME} is Ready"));
    node.client().apply(WEB)?;
    node.client().kubectl("rollout status deployment/web --timeout=300s")?;
    let running = node.started.elapsed();
    let page = node.fetch(8080, "/")?;
    if !page.contains("Coracle") {
        return Err(Error::Unexpected { subject: "the page".into(), message: format!("says {page:?}") });
    }
    tell("the page came from the container");
    let figures = figures(&node, machine, (ready, running))?;
    node.power_off()?;
    tell("powered off in order");
    Ok(figures)
}

fn figures(node: &Node, machine: &Machine, (ready, running): (Duration, Duration)) -> Result<Vec<Figure>> {
    let at = |name: &'static str, marker: &str, key: &str, value: &str| -> Result<Figure> {
        let found = node.boot.all(marker).find(|found| found.get(key) == Some(value));
        let time = found.and_then(|found| found.get("at-ms"));
        let value =
            time.ok_or_else(|| unknown(name, format!("no marker {marker} {key}={value} with a time")))?.to_owned();
        Ok(Figure { name, value, unit: "ms after the start of the kernel" })
    };
    let size = |name: &'static str, path: &Path| -> Result<Figure> {
        let bytes = path.metadata().map_err(Error::file("measure", path))?.len();
        Ok(Figure { name, value: format!("{:.1}", bytes as f64 / 1_048_576.0), unit: "MiB" })
    };
    let after = |name, time: Duration| Figure {
        name,
        value: format!("{:.1}", time.as_secs_f64()),
        unit: "s after the start of QEMU",
    };
    let memory = node.client().kubectl("exec deployment/web -- cat /proc/meminfo")?;
    let used = used_memory(&memory).ok_or_else(|| unknown("/proc/meminfo", memory))?;
    let image = Image::of(machine);
    Ok(vec![
        size("slot", &image.file("slot.img")?)?,
        size("disk, compressed", &image.file("disk.qcow2")?)?,
        at("first process", "stage", "name", "pseudo-fs")?,
        at("root mounted", "stage", "name", "root")?,
        at("orchestrator ready", "heartbeat", "message", "ready")?,
        after("node Ready, first contact included", ready),
        after("first pod Ready", running),
        Figure { name: "memory in use with one pod", value: used.to_string(), unit: "MiB" },
    ])
}

fn unknown(subject: &str, message: String) -> Error {
    Error::Unexpected { subject: subject.to_owned(), message }
}

/// Total less available memory in MiB.
fn used_memory(meminfo: &str) -> Option<u64> {
    let of = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    };
    Some(of("MemTotal")?.checked_sub(of("MemAvailable")?)? / 1024)
}

#[cfg(test)]
mod tests {
    use super::used_memory;

    #[test]
    fn memory_that_is_not_told_is_no_figure() {
        let text = "MemTotal:         997064 kB\nMemFree:          500000 kB\nMemAvailable:     800000 kB\n";
        assert_eq!(used_memory(text), Some(192));
        for bad in ["", "MemTotal: 5 kB\n", "MemTotal: 5 kB\nMemAvailable: 6 kB\n", "MemTotal: 5\nMemAvailable: 1\n"] {
            assert_eq!(used_memory(bad), None, "{bad:?}");
        }
    }
}
