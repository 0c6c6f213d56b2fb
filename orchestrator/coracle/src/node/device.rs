//! What a device says of itself as conditions of its node, beyond what every node says.

use std::fs;

use coracle_agent::node::OwnCondition;
use coracle_configuration::generations::Condition;
use coracle_contract::paths;

/// A condition that follows from one fact of this boot.
struct Row {
    of: &'static str,
    fact: &'static str,
    /// Values of the fact with which it holds, each with reason and message.
    bad: &'static [(&'static str, &'static str, &'static str)],
    /// Reason and message otherwise.
    good: (&'static str, &'static str),
}

const ROWS: [Row; 2] = [
    Row {
        of: "DevelopmentKeys",
        fact: "key-role",
        bad: &[(
            "development",
            "DevelopmentKey",
            "the running slot is signed by a development key, which anybody may have",
        )],
        good: ("ReleaseKey", "the running slot is signed by a release key"),
    },
    Row {
        of: "DataUnavailable",
        fact: "data",
        bad: &[
            (
                "damaged",
                "DataDamaged",
                "DATA has damage that a check could not repair, and is read-only: no image can be pulled",
            ),
            (
                "lost",
                "DataLost",
                "DATA has no readable file system: images and volumes are kept in memory until the next boot",
            ),
            (
                "no-room",
                "NoRoom",
                "the disk is too small for DATA: images and volumes are kept in memory until the next boot",
            ),
        ],
        good: ("DataMounted", "DATA is mounted"),
    },
];

/// The conditions of this boot; `problems` are those of the configuration.
pub(super) fn conditions(problems: &[Condition]) -> Vec<OwnCondition> {
    let mut conditions = fs::read_to_string(paths::BOOT_FACTS).map(|facts| of(&facts)).unwrap_or_default();
    let texts: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    conditions.push(OwnCondition {
        of: "ConfigInvalid",
        holds: !problems.is_empty(),
        reason: problems.first().map_or("ConfigValid", |problem| problem.reason.name()),
        message: if texts.is_empty() {
            "every source of the configuration is in use".to_owned()
        } else {
            texts.join("; ")
        },
    });
    conditions
}

fn of(facts: &str) -> Vec<OwnCondition> {
    let fact = |name: &str| facts.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap_or("");
    let condition = |row: &Row| {
        let found = row.bad.iter().find(|(value, ..)| *value == fact(row.fact));
        let (reason, message) = found.map_or(row.good, |(_, reason, message)| (*reason, *message));
        OwnCondition { of: row.of, holds: found.is_some(), reason, message: message.to_owned() }
    };
    ROWS.iter().map(condition).collect()
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn facts_become_conditions() {
        for (facts, expected) in [
            ("slot=a\nkey-role=development\ndata=clean\n", [(true, "DevelopmentKey"), (false, "DataMounted")]),
            ("key-role=vendor\ndata=damaged\n", [(false, "ReleaseKey"), (true, "DataDamaged")]),
            ("key-role=owner\ndata=lost\n", [(false, "ReleaseKey"), (true, "DataLost")]),
            ("database=lost\n", [(false, "ReleaseKey"), (false, "DataMounted")]),
        ] {
            let found: Vec<_> = of(facts).iter().map(|one| (one.holds, one.reason)).collect();
            assert_eq!(found, expected, "{facts}");
        }
    }
}
