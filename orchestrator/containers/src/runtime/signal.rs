//! Which signal asks a container to end.

use coracle_apimachinery::Value;

const TERM: i32 = 15;
/// SIGKILL.
pub(crate) const KILL: i32 = 9;

const NAMES: [(&str, i32); 31] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", KILL),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", TERM),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("PWR", 30),
    ("SYS", 31),
];
/// The first and the last of the signals without names of their own.
const REAL_TIME: (i32, i32) = (34, 64);

/// The signal of the container, or of its image, or SIGTERM.
pub(super) fn stop_signal(container: &Value, of_image: &str) -> i32 {
    let own = container.text_at(&["lifecycle", "stopSignal"]);
    [own, of_image].into_iter().find_map(number).unwrap_or(TERM)
}

fn number(text: &str) -> Option<i32> {
    if let Ok(number) = text.parse::<i32>() {
        return (1..=REAL_TIME.1).contains(&number).then_some(number);
    }
    let upper = text.to_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some((_, number)) = NAMES.iter().find(|(known, _)| *known == name) {
        return Some(*number);
    }
    let (base, offset) = if let Some(rest) = name.strip_prefix("RTMIN") {
        (REAL_TIME.0, rest)
    } else {
        (REAL_TIME.1, name.strip_prefix("RTMAX")?)
    };
    let offset: i32 = if offset.is_empty() { 0 } else { offset.parse().ok()? };
    base.checked_add(offset).filter(|number| (REAL_TIME.0..=REAL_TIME.1).contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tests::tree;

    #[test]
    fn signals() {
        let cases = [
            ("{}", "", 15),
            ("{}", "SIGQUIT", 3),
            ("{}", "quit", 3),
            ("{}", "9", 9),
            ("{}", "SIGRTMIN+3", 37),
            ("{}", "RTMAX-1", 63),
            ("{}", "nonsense", 15),
            ("{}", "99", 15),
            (r#"{"lifecycle":{"stopSignal":"SIGUSR1"}}"#, "SIGQUIT", 10),
        ];
        for (container, image, want) in cases {
            assert_eq!(stop_signal(&tree(container), image), want, "{container} {image}");
        }
    }
}
