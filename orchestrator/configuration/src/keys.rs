//! The keys that there are, and the nearest one to a key that there is not.

/// The components that a configuration can switch off, by k3s' names.
pub const COMPONENTS: [&str; 6] = ["coredns", "servicelb", "traefik", "local-storage", "metrics-server", "runtimes"];

/// Keys of the document.
pub(crate) const DOCUMENT: [&str; 14] = [
    "bootstrap-token",
    "certificates",
    "client-ca",
    "cluster-cidr",
    "disable",
    "hostname",
    "https-listen-port",
    "network",
    "node-label",
    "node-name",
    "node-taint",
    "registries",
    "service-cidr",
    "tls-san",
];

/// Keys of `network`.
pub(crate) const NETWORK: [&str; 1] = ["interfaces"];

/// Keys of an interface.
pub(crate) const INTERFACE: [&str; 9] =
    ["accept-ra", "addresses", "dhcp4", "gateway4", "gateway6", "metric", "mtu", "nameservers", "search"];

const SECOND_NODE: &str = "joins with the second node, which is not part of this version";
const LATER: &str = "joins with a later version";

/// Keys that are known and cannot be honoured yet, with the reason.
pub(crate) const LATER_KEYS: [(&str, &str); 5] =
    [("disks", LATER), ("server", SECOND_NODE), ("time", LATER), ("token", SECOND_NODE), ("update", LATER)];

/// What is said about a key that is none of `known`.
pub(crate) fn unknown(key: &str, known: &[&str]) -> String {
    match nearest(key, known) {
        Some(nearest) => format!("there is no such key; did you mean {nearest}?"),
        None => format!("there is no such key; there are {}", known.join(", ")),
    }
}

/// The known key that a person probably meant.
pub(crate) fn nearest<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    // A longer text is none of ours however it is bent.
    if key.len() > 40 {
        return None;
    }
    let key = key.to_lowercase().replace('_', "-");
    let distances = known.iter().map(|known| (distance(&key, known), *known));
    let (distance, nearest) = distances.min()?;
    (distance <= key.chars().count().min(nearest.len()).div_ceil(3)).then_some(nearest)
}

/// How many letters have to be put in, taken out or changed to make one text of the other.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (down, left) in one.chars().enumerate() {
        let mut corner = down;
        let mut before = down.saturating_add(1);
        let mut next = vec![before];
        for (above, right) in row.iter().skip(1).zip(other.chars()) {
            let changed = corner.saturating_add(usize::from(left != right));
            before = changed.min(above.saturating_add(1)).min(before.saturating_add(1));
            next.push(before);
            corner = *above;
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (one, other, want) in
            [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2), ("ä", "a", 1)]
        {
            assert_eq!(distance(one, other), want, "{one} {other}");
        }
    }

    #[test]
    fn the_nearest_key_is_named_only_when_it_is_near() {
        for (key, want) in [
            ("node-nam", Some("node-name")),
            ("nodeName", Some("node-name")),
            ("node_label", Some("node-label")),
            ("tls-sans", Some("tls-san")),
            ("bootstrap-tokne", Some("bootstrap-token")),
            ("write-kubeconfig-mode", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(key, &DOCUMENT), want, "{key}");
        }
    }

    #[test]
    fn the_tables_are_sorted_and_do_not_meet() {
        assert!(DOCUMENT.is_sorted() && INTERFACE.is_sorted());
        assert!(LATER_KEYS.iter().all(|(key, _)| !DOCUMENT.contains(key)));
    }
}
