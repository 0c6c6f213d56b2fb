//! What a booted device costs: times from the start of its kernel, memory, and CPU and writes while nothing happens. The
//! names of the figures are the ids of the group `guest` in `orchestrator/figures`, which reads the lines.

use crate::client::Client;
use crate::error::{Error, Result};
use crate::lab::Lab;
use crate::machine::Machine;
use crate::node::{Node, Parts};
use crate::record::What;
use crate::smoke::Figure;
use std::time::{Duration, Instant};

/// Pods whose start is timed, one after the other.
const PODS: usize = 5;

/// A process whose memory is a figure.
struct Row {
    what: &'static str,
    /// Whether a process with this id and command line is it.
    is: fn(&str, &str) -> bool,
    /// The figures of its resident and its proportional memory.
    names: [&'static str; 2],
    unit: &'static str,
}

const ROWS: [Row; 3] = [
    Row {
        what: "the orchestrator",
        is: |_, line| line.starts_with("/usr/bin/coracle server"),
        names: ["guest-coracle-rss", "guest-coracle-pss"],
        unit: "MB",
    },
    Row { what: "PID 1", is: |pid, _| pid == "1", names: ["guest-init-rss", "guest-init-pss"], unit: "kB" },
    Row {
        what: "a shim",
        is: |_, line| line.split_whitespace().nth(1) == Some("shim"),
        names: ["guest-shim-rss", "guest-shim-pss"],
        unit: "kB",
    },
];

/// A pod of the slot's own image.
fn pod(name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec:\n  containers:\n  - {{name: c, image: 'localhost/hello:1'}}\n"
    )
}

/// A pod that sees all processes of the machine.
const WATCHER: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: watcher}
spec:
  hostPID: true
  containers:
  - name: c
    image: localhost/hello:1
    command: [sleep, '86400']
    securityContext: {privileged: true, runAsUser: 0}
";

/// Prints processor times and disk counters four times (at the start and after one and five quiet minutes), then memory
/// and command line of every process.
const WATCH: &str = r#"
sample() { grep '^cpu ' /proc/stat; grep ' vda ' /proc/diskstats; }
sleep 60; sample; sleep 60; sample; sleep 240; sample
for d in /proc/[0-9]*; do
  m=$(grep -E '^(Rss|Pss):' $d/smaps_rollup 2>/dev/null | tr -s ' ' | tr '\n' ' ')
  [ -n "$m" ] && echo "mem ${d#/proc/} $m $(tr '\0' ' ' < $d/cmdline)"
done; true"#;

/// Boots a fresh device and measures it. Takes about eight minutes.
///
/// # Errors
/// A step does not work, or a figure is not told.
pub fn run(lab: &Lab, machine: &'static Machine, client: Client, tell: impl Fn(&str)) -> Result<Vec<Figure>> {
    let node = Parts::flashed_for(lab, machine, "", client)?.boot(lab)?;
    let kernel = kernel_start(&node)?;
    let ms = |time: Duration| time.as_millis().to_string();
    let mut figures = vec![
        Figure { name: "kernel-to-init", value: time(&node, "stage", "pseudo-fs")?, unit: "ms" },
        Figure { name: "kernel-to-readyz", value: time(&node, "heartbeat", "ready")?, unit: "ms" },
    ];
    node.ready()?;
    figures.push(Figure { name: "kernel-to-node-ready", value: ms(kernel.elapsed()), unit: "ms" });
    start(&node, "first")?;
    figures.push(Figure { name: "kernel-to-first-pod", value: ms(kernel.elapsed()), unit: "ms" });
    tell("the first pod runs");
    for number in 0..PODS {
        let begun = Instant::now();
        start(&node, &format!("pod-{number}"))?;
        figures.push(Figure { name: "guest-pod-running", value: ms(begun.elapsed()), unit: "ms" });
    }
    node.client().kubectl("delete pods --all --wait=true --timeout=300s")?;
    node.client().apply(WATCHER)?;
    node.client().kubectl("wait --for=condition=Ready pod/watcher --timeout=300s")?;
    tell("six quiet minutes begin");
    let seen = node.client().kubectl_with(&["exec", "watcher", "--", "sh", "-c", WATCH])?;
    figures.extend(read(&seen).map_err(|message| Error::Unexpected { subject: "the watcher".into(), message })?);
    node.power_off()?;
    Ok(figures)
}

fn start(node: &Node, name: &str) -> Result<()> {
    node.client().apply(&pod(name))?;
    node.client()
        .kubectl(&format!("wait --for=jsonpath={{.status.phase}}=Running pod/{name} --timeout=300s"))
        .map(|_| ())
}

/// Milliseconds after the start of the kernel at which a marker was printed, by any of its fields.
fn time(node: &Node, marker: &str, value: &str) -> Result<String> {
    let found = node.boot.all(marker).find(|found| found.fields().any(|(_, field)| field == value));
    let time = found.and_then(|found| found.get("at-ms")).map(str::to_owned);
    time.ok_or_else(|| Error::Unexpected { subject: format!("marker {marker}"), message: "tells no time".into() })
}

/// When the kernel started, by this machine's clock.
fn kernel_start(node: &Node) -> Result<Instant> {
    let said = node.guest.record().entries().into_iter().find_map(|entry| match entry.what {
        What::Line { marker: Some(marker), .. } if marker.name() == "heartbeat" => {
            let at = marker.get("at-ms")?.parse().ok().map(Duration::from_millis)?;
            entry.at.checked_sub(at)
        }
        _ => None,
    });
    let after = said.ok_or_else(|| Error::Unexpected {
        subject: "marker heartbeat".into(),
        message: "tells no time after the start of the kernel".into(),
    })?;
    Ok(node.started + after)
}

/// What the watcher saw.
fn read(text: &str) -> std::result::Result<Vec<Figure>, String> {
    let numbers = |line: &str| line.split_whitespace().filter_map(|word| word.parse::<u64>().ok()).collect::<Vec<_>>();
    let busy: Vec<u64> = text
        .lines()
        .filter(|line| line.starts_with("cpu "))
        .map(|line| {
            let ticks = numbers(line);
            // User, nice, system, then idle and waiting, then interrupts.
            [0, 1, 2, 5, 6].iter().filter_map(|&at| ticks.get(at)).sum()
        })
        .collect();
    let written: Vec<u64> = text
        .lines()
        .filter_map(|line| line.split_once(" vda "))
        .filter_map(|(_, counters)| numbers(counters).get(6).copied())
        .collect();
    let ([_, cpu_from, cpu_to], [disk_from, disk_to, _]) = (busy.as_slice(), written.as_slice()) else {
        return Err(format!("three samples are wanted: {text:?}"));
    };
    let difference = |to: &u64, from: &u64| to.checked_sub(*from).ok_or_else(|| "a counter ran backwards".to_owned());
    // Four minutes were watched; a tick is ten milliseconds, a sector 512 bytes.
    let idle = difference(cpu_to, cpu_from)? * 10 * 5 / 4;
    let bytes = difference(disk_to, disk_from)? * 512;
    let mut figures = vec![
        Figure { name: "guest-idle-cpu", value: idle.to_string(), unit: "CPU-ms" },
        Figure { name: "guest-idle-writes", value: format!("{:.1}", bytes as f64 / 1000.0), unit: "kB" },
    ];
    for Row { what, is, names, unit } in ROWS {
        let found = text.lines().filter_map(process).find(|(pid, _, line)| is(pid, line));
        let (_, sizes, _) = found.ok_or_else(|| format!("no process is {what}: {text:?}"))?;
        for (name, kibibytes) in names.into_iter().zip(sizes) {
            let bytes = kibibytes as f64 * 1024.0;
            let value = if unit == "MB" { bytes / 1e6 } else { bytes / 1e3 };
            figures.push(Figure { name, value: format!("{value:.1}"), unit });
        }
    }
    Ok(figures)
}

/// Id, resident and proportional KiB, and command line of a process.
fn process(line: &str) -> Option<(&str, [u64; 2], &str)> {
    let (pid, rest) = line.strip_prefix("mem ")?.split_once(' ')?;
    let (rss, rest) = rest.strip_prefix("Rss: ")?.split_once(" kB Pss: ")?;
    let (pss, line) = rest.split_once(" kB ")?;
    Some((pid, [rss.parse().ok()?, pss.parse().ok()?], line.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEN: &str = "\
cpu  100 0 50 9000 7 1 2 0 0 0
 253       0 vda 5 0 100 1 10 0 2000 3 0 4 5 0 0 0 0 0 0
cpu  110 0 60 9500 7 1 2 0 0 0
 253       0 vda 5 0 100 1 12 0 2010 3 0 4 5 0 0 0 0 0 0
cpu  130 0 80 9900 9 2 3 0 0 0
 253       0 vda 5 0 100 1 12 0 2500 3 0 4 5 0 0 0 0 0 0
mem 1 Rss: 1000 kB Pss: 500 kB  /sbin/init
mem 160 Rss: 40000 kB Pss: 39000 kB  /usr/bin/coracle server
mem 200 Rss: 400 kB Pss: 129 kB  coracle-init shim /run/coracle/pods/x
mem 210 Rss: 4 kB Pss: 4 kB  sleep 86400
";

    #[test]
    fn figures_follow_from_what_was_seen() {
        let figures: Vec<String> = read(SEEN).unwrap().iter().map(ToString::to_string).collect();
        for expected in [
            "guest-idle-cpu: 525 CPU-ms",
            "guest-idle-writes: 5.1 kB",
            "guest-coracle-rss: 41.0 MB",
            "guest-coracle-pss: 39.9 MB",
            "guest-init-pss: 512.0 kB",
            "guest-shim-pss: 132.1 kB",
        ] {
            assert!(figures.contains(&expected.to_owned()), "{expected}: {figures:?}");
        }
        assert_eq!(figures.len(), 8);
    }

    #[test]
    fn what_was_not_seen_is_no_figure() {
        for lacking in ["/sbin/init", "/usr/bin/coracle", " shim "] {
            let without: String =
                SEEN.lines().filter(|line| !line.contains(lacking)).map(|line| format!("{line}\n")).collect();
            assert!(read(&without).is_err(), "{lacking}");
        }
        assert!(read(&SEEN.replace("2010", "1999")).is_err(), "backwards");
        assert!(read("").is_err());
    }
}
