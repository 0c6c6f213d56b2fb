//! Requests and limits of containers and pods.

use super::pod::Context;
use crate::validate::format;
use crate::validate::quantity::Quantity;
use crate::validate::report::{At, Report};
use coracle_apimachinery::Value;
use coracle_apimachinery::field::{Error, Path};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

const STANDARD: [&str; 20] = [
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "storage",
    "requests.storage",
    "services.nodeports",
    "services.loadbalancers",
];
const COUNTED: [&str; 9] = [
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
];
const HUGE: &str = "hugepages-";

/// Whether this is a size of huge pages.
pub(crate) fn is_huge(name: &str) -> bool {
    name.starts_with(HUGE)
}

fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

fn is_extended(name: &str) -> bool {
    !is_native(name) && !name.starts_with("requests.") && format::label_key(&format!("requests.{name}")).is_empty()
}

/// Any resource name.
pub(crate) fn any_name(report: &mut Report, path: &Path, name: &str) -> bool {
    let before = report.len();
    report.complaints(path, name, format::label_key(name));
    let standard = STANDARD.contains(&name) || is_huge(name) || name.starts_with("requests.hugepages-");
    if report.len() == before && !name.contains('/') && !standard {
        report.invalid(path, name, "must be a standard resource type or fully qualified");
    }
    report.len() == before
}

fn container_name(report: &mut Report, path: &Path, name: &str) {
    any_name(report, path, name);
    if !name.contains('/') {
        if !["cpu", "memory", "ephemeral-storage"].contains(&name) && !is_huge(name) {
            report.invalid(path, name, "must be a standard resource for containers");
        }
    } else if !is_native(name) && !is_extended(name) {
        report.invalid(path, name, "doesn't follow extended resource name standard");
    }
}

fn pod_name(report: &mut Report, path: &Path, name: &str) {
    if any_name(report, path, name) && !["cpu", "memory"].contains(&name) && !is_huge(name) {
        report.not_supported(path, name, &["cpu", "hugepages-", "memory"]);
    }
}

/// An amount of a resource.
pub(crate) fn amount(report: &mut Report, path: &Path, name: &str, text: &str) {
    let quantity = Quantity::new(text);
    if quantity.is_negative() {
        report.invalid(path, text, "must be greater than or equal to 0");
    }
    if (COUNTED.contains(&name) || is_extended(name)) && quantity.milli() % 1000 != 0 {
        report.invalid(path, text, "must be an integer");
    }
}

/// An amount that must be above zero.
pub(crate) fn is_positive(text: &str) -> bool {
    let quantity = Quantity::new(text);
    !quantity.is_zero() && !quantity.is_negative()
}

/// Requests and limits of a container.
pub(crate) fn of_container(report: &mut Report, at: &At<'_>, context: &Context<'_>) {
    requirements(report, at, container_name, context);
}

/// Resources that a pod needs besides its containers: only limits are looked at.
pub(crate) fn overhead(report: &mut Report, at: &At<'_>, context: &Context<'_>) {
    let mut seen = Seen::default();
    // The same rules as for limits, so the place is named after them too.
    let limits = At { value: at.value, path: at.path.child("limits") };
    limits_of(report, &limits, container_name, context, &mut seen);
    if seen.huge && !seen.compute {
        report.forbidden(&at.path, "HugePages require cpu or memory");
    }
}

#[derive(Default)]
struct Seen {
    compute: bool,
    huge: bool,
}

impl Seen {
    fn add(&mut self, name: &str) {
        self.compute |= matches!(name, "cpu" | "memory");
        self.huge |= is_huge(name);
    }
}

fn limits_of(
    report: &mut Report,
    limits: &At<'_>,
    check_name: fn(&mut Report, &Path, &str),
    context: &Context<'_>,
    seen: &mut Seen,
) {
    for (name, text) in entries(limits) {
        let path = limits.path.key(name);
        check_name(report, &path, name);
        amount(report, &path, name, text);
        whole_pages(report, &path, name, text, context);
        seen.add(name);
    }
}

fn entries<'a>(at: &At<'a>) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
    at.entries().map(|(name, text)| (name, text.as_str().unwrap_or_default()))
}

fn requirements(report: &mut Report, at: &At<'_>, check_name: fn(&mut Report, &Path, &str), context: &Context<'_>) {
    let (limits, requests) = (at.get("limits"), at.get("requests"));
    let mut seen = Seen::default();
    limits_of(report, &limits, check_name, context, &mut seen);
    for (name, text) in entries(&requests) {
        let path = requests.path.key(name);
        check_name(report, &path, name);
        amount(report, &path, name, text);
        let overcommit = is_native(name) && !is_huge(name);
        match limits.member(name).and_then(Value::as_str) {
            Some(limit) => {
                let (wanted, allowed) = (Quantity::new(text), Quantity::new(limit));
                if wanted != allowed && !overcommit {
                    report.invalid(&requests.path, text, format!("must be equal to {name} limit of {limit}"));
                } else if wanted > allowed {
                    let detail = format!("must be less than or equal to {name} limit of {limit}");
                    report.invalid(&requests.path, text, detail);
                }
            }
            None if !overcommit => {
                report.required(&limits.path, "Limit must be set for non overcommitable resources");
            }
            None => {}
        }
        whole_pages(report, &path, name, text, context);
        seen.add(name);
    }
    if seen.huge && !seen.compute {
        report.forbidden(&at.path, "HugePages require cpu or memory");
    }
    claims(report, &at.get("claims"), &context.claims);
}

fn whole_pages(report: &mut Report, path: &Path, name: &str, text: &str, context: &Context<'_>) {
    if context.options.keeps_indivisible_pages {
        return;
    }
    if let Some(size) = name.strip_prefix(HUGE)
        && !divides(size, text)
    {
        report.invalid(path, text, format!("{text} is not positive integer multiple of {name}"));
    }
}

/// Whether an amount is a whole number of pages.
pub(crate) fn divides(size: &str, text: &str) -> bool {
    if coracle_apimachinery::quantity::canonical(size).is_err() {
        return false;
    }
    let size = Quantity::new(size);
    !size.is_negative()
        && !size.is_zero()
        && size.milli() % 1000 == 0
        && Quantity::new(text).value().checked_rem(size.value()) == Some(0)
}

fn claims(report: &mut Report, at: &At<'_>, known: &BTreeSet<&str>) {
    let mut keys: HashSet<String> = HashSet::new();
    let mut parts: HashMap<&str, usize> = HashMap::new();
    for claim in at.items() {
        let name = claim.text_of("name");
        if name.is_empty() {
            report.required(&claim.path, "");
            continue;
        }
        if keys.contains(name) {
            report.duplicate(&claim.path, name);
        } else {
            let request = claim.get("request");
            let mut key = name.to_owned();
            report.optional_format(&request, format::label);
            if !request.text().is_empty() {
                key = format!("{name}/{}", request.text());
            }
            if keys.contains(&key) {
                report.duplicate(&claim.path, &key);
            } else if request.text().is_empty() {
                for _ in 0..parts.get(name).copied().unwrap_or_default() {
                    report.duplicate(&claim.path, name);
                }
            }
            if keys.insert(key) && !request.text().is_empty() {
                *parts.entry(name).or_default() += 1;
            }
        }
        if !known.contains(name) && !report.is_full() {
            let mut error = Error::not_found(&claim.path, name);
            error.detail = "must be one of the names in pod.spec.resourceClaims".to_owned();
            error.detail.push_str(if known.is_empty() { " which is empty" } else { ": " });
            error.detail.push_str(&known.iter().copied().collect::<Vec<_>>().join(", "));
            report.push(error);
        }
    }
}

/// Requests and limits of a pod as a whole.
pub(crate) fn of_pod(report: &mut Report, spec: &At<'_>, context: &Context<'_>) {
    let at = spec.get("resources");
    if !at.is_set() {
        return;
    }
    if context.os == Some("windows") {
        report.forbidden(&at.path, "may not be set for a windows pod");
        return;
    }
    if at.has("claims") {
        report.forbidden(&at.path.child("claims"), "claims may not be set for Resources at pod-level");
    }
    requirements(report, &at, pod_name, context);
    let (limits, requests) = (at.get("limits"), at.get("requests"));
    for (name, total) in totals(spec, "requests") {
        below_total(report, &requests, name, &total, "requests");
    }
    for (name, total) in totals(spec, "limits").into_iter().filter(|(name, _)| is_huge(name)) {
        below_total(report, &limits, name, &total, "limits");
    }
    for (number, container) in spec.get("containers").items().enumerate() {
        for (name, text) in entries(&container.get("resources").get("limits")) {
            let Some(limit) = limits.member(name).and_then(Value::as_str) else { continue };
            if Quantity::new(text) > Quantity::new(limit) {
                let path = at.path.child("containers").index(number).key(name).child("limits");
                report.invalid(&path, text, format!("must be less than or equal to pod limits of {limit}"));
            }
        }
    }
}

fn below_total(report: &mut Report, list: &At<'_>, name: &str, total: &str, what: &str) {
    let Some(text) = list.member(name).and_then(Value::as_str) else { return };
    if Quantity::new(total) > Quantity::new(text) {
        let detail = format!("must be greater than or equal to aggregate container {what} of {total}");
        report.invalid(&list.path.key(name), text, detail);
    }
}

/// What the containers need at most at one time: those that run together, or one that runs first with its companions.
fn totals<'a>(spec: &At<'a>, what: &str) -> BTreeMap<&'a str, String> {
    let of = |container: &At<'a>| container.get("resources").get(what);
    let mut together: BTreeMap<&str, Sum> = BTreeMap::new();
    let mut companions: BTreeMap<&str, Sum> = BTreeMap::new();
    let mut first: BTreeMap<&str, Sum> = BTreeMap::new();
    for container in spec.get("containers").items() {
        add(&mut together, &of(&container));
    }
    for container in spec.get("initContainers").items() {
        let mut now = companions.clone();
        add(&mut now, &of(&container));
        if container.text_of("restartPolicy") == "Always" {
            add(&mut together, &of(&container));
            companions.clone_from(&now);
        }
        for (name, sum) in now {
            let most = first.entry(name).or_default();
            if sum.nanos > most.nanos {
                *most = sum;
            }
        }
    }
    for (name, sum) in first {
        let most = together.entry(name).or_default();
        if sum.nanos > most.nanos {
            *most = sum;
        }
    }
    together.into_iter().map(|(name, sum)| (name, sum.print())).collect()
}

fn add<'a>(sums: &mut BTreeMap<&'a str, Sum>, list: &At<'a>) {
    for (name, text) in entries(list) {
        let sum = sums.entry(name).or_default();
        // The first amount that is not zero decides how the sum prints.
        if sum.nanos == 0 {
            sum.binary = text.ends_with('i');
        }
        sum.nanos = sum.nanos.saturating_add(Quantity::new(text).nanos());
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    nanos: i128,
    binary: bool,
}

impl Sum {
    fn print(self) -> String {
        const NANOS: i128 = 1_000_000_000;
        let text = if self.binary {
            // A 1024th part has ten digits behind the point at most.
            let bytes = self.nanos / NANOS;
            format!("{}.{:010}Ki", bytes / 1024, bytes % 1024 * 10_000_000_000 / 1024)
        } else {
            format!("{}n", self.nanos)
        };
        coracle_apimachinery::quantity::canonical(&text).unwrap_or(text)
    }
}

#[cfg(test)]
mod tests {
    use super::totals;
    use crate::validate::report::At;
    use coracle_apimachinery::json;

    #[test]
    fn totals_are_what_runs_at_one_time() {
        let text = br#"{"containers":[{"resources":{"requests":{"cpu":"100m","memory":"1Gi"}}},{"resources":{"requests":{"cpu":"1","memory":"512Mi"}}}],"initContainers":[{"restartPolicy":"Always","resources":{"requests":{"cpu":"1"}}},{"resources":{"requests":{"cpu":"5","a":"1"}}}]}"#;
        let spec = json::decode_any(text).unwrap();
        let found: Vec<(String, String)> =
            totals(&At::root(&spec), "requests").into_iter().map(|(name, total)| (name.to_owned(), total)).collect();
        let expected = [("a", "1"), ("cpu", "6"), ("memory", "1536Mi")];
        assert_eq!(found, expected.map(|(name, total)| (name.to_owned(), total.to_owned())));
    }
}
