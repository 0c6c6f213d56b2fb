//! What a node has and what of it pods can have.

use coracle_apimachinery::quantity::canonical;
use coracle_apimachinery::{Key, Object, Value};

use super::Machine;

const HUGE_PAGES: &str = "hugepages-";

impl Machine {
    /// Sets `capacity` and `allocatable` of a status. What somebody else put into the capacity stays there, and pods can
    /// have all of it; huge pages of sizes that the machine does not have any more go.
    pub(super) fn set_resources(&self, status: &mut Object) {
        let own = self.resources();
        let is_own = |name: &str| own.iter().any(|(known, ..)| known == name);
        let capacity = status.object_mut("capacity");
        capacity.retain(|name, _| !name.starts_with(HUGE_PAGES) || is_own(name));
        for (name, has, _) in &own {
            capacity.insert(Key::Owned(name.clone()), Value::text(has.clone()));
        }
        let mut free = capacity.clone();
        for (name, _, free_of_it) in own {
            free.insert(Key::Owned(name), Value::text(free_of_it));
        }
        let allocatable = status.object_mut("allocatable");
        allocatable.retain(|name, _| !is_extended(name) || free.get(name).is_some());
        allocatable.retain(|name, _| !name.starts_with(HUGE_PAGES) || free.get(name).is_some());
        for (name, value) in free.iter() {
            allocatable.insert(Key::Owned(name.to_owned()), value.clone());
        }
    }

    /// How much of a resource of its own pods can have.
    pub(crate) fn allocatable(&self, name: &str) -> Option<String> {
        self.resources().into_iter().find(|(known, ..)| known == name).map(|(.., free)| free)
    }

    /// Name, what there is and what pods can have.
    fn resources(&self) -> Vec<(String, String, String)> {
        let same = |name: &str, text: String| (name.to_owned(), text.clone(), text);
        let huge: u64 = self.huge_pages.iter().map(|(_, bytes)| *bytes).sum();
        let memory = self.memory.saturating_sub(self.memory_reserved).saturating_sub(huge);
        let storage = self.storage.saturating_sub(self.storage_reserved);
        let mut resources = vec![
            same("cpu", self.cpus.to_string()),
            ("memory".to_owned(), binary(self.memory), binary(memory)),
            same("pods", decimal(u64::from(self.pods))),
            ("ephemeral-storage".to_owned(), binary(self.storage), binary(storage)),
        ];
        resources
            .extend(self.huge_pages.iter().map(|(size, bytes)| same(&format!("{HUGE_PAGES}{size}"), binary(*bytes))));
        resources
    }
}

/// Whether a resource is none of Kubernetes' own.
fn is_extended(name: &str) -> bool {
    match name.split_once('/') {
        Some((domain, _)) => !domain.ends_with("kubernetes.io") && !domain.starts_with("requests."),
        None => false,
    }
}

/// As the API prints it back, which takes a number without a suffix for a decimal one.
fn binary(bytes: u64) -> String {
    let text = with_suffix(bytes, 1024, &["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]);
    canonical(&text).unwrap_or(text)
}

fn decimal(number: u64) -> String {
    with_suffix(number, 1000, &["", "k", "M", "G", "T", "P", "E"])
}

/// The number with the greatest suffix that leaves it whole.
fn with_suffix(mut number: u64, step: u64, suffixes: &[&str]) -> String {
    let mut suffixes = suffixes.iter();
    let mut suffix = suffixes.next();
    while number >= step && number.is_multiple_of(step) {
        match suffixes.next() {
            Some(greater) => suffix = Some(greater),
            None => break,
        }
        number /= step;
    }
    format!("{number}{}", suffix.copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use coracle_apimachinery::json::{decode_any, encode_any};

    use super::*;

    #[test]
    fn quantities_are_canonical() {
        for (bytes, text) in
            [(0, "0"), (1000, "1k"), (1024, "1Ki"), (16 << 30, "16Gi"), ((16 << 30) + 1024, "16777217Ki")]
        {
            assert_eq!(binary(bytes), text);
            assert_eq!(canonical(text).unwrap(), text);
        }
        assert_eq!((decimal(110), decimal(2000)), ("110".to_owned(), "2k".to_owned()));
    }

    #[test]
    fn what_others_add_stays() {
        let machine = Machine {
            cpus: 4,
            memory: 8 << 30,
            memory_reserved: 100 << 20,
            storage: 100 << 10,
            storage_reserved: 10 << 10,
            huge_pages: vec![("2Mi".to_owned(), 1 << 30)],
            pods: 110,
            ..Machine::default()
        };
        let before = r#"{
            "capacity":{"cpu":"2","example.com/dongle":"3","hugepages-1Gi":"1Gi"},
            "allocatable":{"example.com/gone":"1","hugepages-1Gi":"1Gi"}}"#;
        let mut status = decode_any(before.as_bytes()).unwrap();
        machine.set_resources(status.as_object_mut().unwrap());
        let after = concat!(
            r#"{"allocatable":{"cpu":"4","ephemeral-storage":"90Ki","example.com/dongle":"3","hugepages-2Mi":"1Gi","#,
            r#""memory":"7068Mi","pods":"110"},"#,
            r#""capacity":{"cpu":"4","ephemeral-storage":"100Ki","example.com/dongle":"3","hugepages-2Mi":"1Gi","#,
            r#""memory":"8Gi","pods":"110"}}"#
        );
        assert_eq!(String::from_utf8(encode_any(&status)).unwrap(), after);
    }
}
