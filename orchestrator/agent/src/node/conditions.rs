//! The conditions of a node that the node itself reports.

use coracle_apimachinery::time::{Instant, Precision};
use coracle_apimachinery::{Object, Value};

use super::Machine;

/// One side of a condition: status, reason, message and the reason of the event that tells of it.
#[derive(Debug, Clone)]
struct Side {
    status: &'static str,
    reason: &'static str,
    message: String,
    news: &'static str,
}

/// A condition of two sides.
struct Row {
    of: &'static str,
    bad: [&'static str; 3],
    good: [&'static str; 3],
    is_bad: fn(&Machine) -> bool,
}

const PRESSURES: [Row; 3] = [
    Row {
        of: "MemoryPressure",
        bad: ["KubeletHasInsufficientMemory", "kubelet has insufficient memory available", "NodeHasInsufficientMemory"],
        good: ["KubeletHasSufficientMemory", "kubelet has sufficient memory available", "NodeHasSufficientMemory"],
        is_bad: |machine| machine.pressure.memory,
    },
    Row {
        of: "DiskPressure",
        bad: ["KubeletHasDiskPressure", "kubelet has disk pressure", "NodeHasDiskPressure"],
        good: ["KubeletHasNoDiskPressure", "kubelet has no disk pressure", "NodeHasNoDiskPressure"],
        is_bad: |machine| machine.pressure.disk,
    },
    Row {
        of: "PIDPressure",
        bad: ["KubeletHasInsufficientPID", "kubelet has insufficient PID available", "NodeHasInsufficientPID"],
        good: ["KubeletHasSufficientPID", "kubelet has sufficient PID available", "NodeHasSufficientPID"],
        is_bad: |machine| machine.pressure.pids,
    },
];

impl Machine {
    /// Brings the conditions of a status up to date; answers the reasons of what is to be told about that.
    pub(super) fn set_conditions(&self, status: &mut Object, now: Instant) -> Vec<&'static str> {
        if !matches!(status.get("conditions"), Some(Value::List(_))) {
            status.insert("conditions".into(), Value::List(Vec::new()));
        }
        let Some(conditions) = status.get_mut("conditions").and_then(Value::items_mut) else { return Vec::new() };
        let mut news = Vec::new();
        for row in PRESSURES {
            let is_bad = (row.is_bad)(self);
            let [reason, message, told] = if is_bad { row.bad } else { row.good };
            let status = if is_bad { "True" } else { "False" };
            // The kubelet leaves reason and message alone while the status stays.
            let side = Side { status, reason, message: message.to_owned(), news: told };
            if set(conditions, row.of, &side, now, false) != Turn::Same {
                news.push(side.news);
            }
        }
        for own in &self.conditions {
            let status = if own.holds { "True" } else { "False" };
            let side = Side { status, reason: own.reason, message: own.message.clone(), news: own.reason };
            let turn = set(conditions, own.of, &side, now, true);
            if turn == Turn::Changed || turn == Turn::New && own.holds {
                news.push(side.news);
            }
        }
        let ready = self.ready();
        if set(conditions, "Ready", &ready, now, true) == Turn::Changed {
            news.push(ready.news);
        }
        news
    }

    fn ready(&self) -> Side {
        match self.problems.as_slice() {
            [] => Side {
                status: "True",
                reason: "KubeletReady",
                message: "kubelet is posting ready status".to_owned(),
                news: "NodeReady",
            },
            problems => {
                Side { status: "False", reason: "KubeletNotReady", message: joined(problems), news: "NodeNotReady" }
            }
        }
    }
}

/// What became of a condition.
#[derive(PartialEq, Eq)]
enum Turn {
    Same,
    Changed,
    New,
}

fn set(conditions: &mut Vec<Value>, of: &str, side: &Side, now: Instant, always: bool) -> Turn {
    let now = now.print(Precision::Seconds);
    let place = conditions.iter_mut().find(|condition| condition.text_at(&["type"]) == of);
    let (turn, transition) = match &place {
        None => (Turn::New, now.clone()),
        Some(before) if before.text_at(&["status"]) == side.status => {
            (Turn::Same, before.text_at(&["lastTransitionTime"]).to_owned())
        }
        Some(_) => (Turn::Changed, now.clone()),
    };
    if let (Turn::Same, false, Some(Value::Object(before))) = (&turn, always, &place) {
        let mut kept = before.clone();
        kept.insert("lastHeartbeatTime".into(), Value::text(now));
        if let Some(place) = place {
            *place = Value::Object(kept);
        }
        return turn;
    }
    let condition = Value::Object(super::texts([
        ("lastHeartbeatTime", now.as_str()),
        ("lastTransitionTime", &transition),
        ("message", &side.message),
        ("reason", side.reason),
        ("status", side.status),
        ("type", of),
    ]));
    match place {
        Some(place) => *place = condition,
        None => conditions.push(condition),
    }
    turn
}

/// Several errors as Go prints them together, each one once.
fn joined(problems: &[String]) -> String {
    match problems {
        [one] => one.clone(),
        several => {
            let mut seen: Vec<&str> = Vec::new();
            for problem in several {
                if !seen.contains(&problem.as_str()) {
                    seen.push(problem);
                }
            }
            match seen.as_slice() {
                [one] => (*one).to_owned(),
                several => format!("[{}]", several.join(", ")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::joined;

    #[test]
    fn problems_are_joined_as_go_joins_them() {
        let joined = |problems: &[&str]| joined(&problems.iter().map(|&text| text.to_owned()).collect::<Vec<_>>());
        assert_eq!(joined(&["a"]), "a");
        assert_eq!(joined(&["a", "a"]), "a");
        assert_eq!(joined(&["a", "b", "a"]), "[a, b]");
    }
}
