//! What single values must look like.

use std::net::IpAddr;

use coracle_apimachinery::selector::label::{key_problems, value_problems};
use netstack::Cidr;

use crate::keys::{COMPONENTS, nearest};
use crate::machine::{BootstrapToken, Taint};
use crate::problem::shortened;

/// Longest name of a node: it is the value of a label too.
const NAME_LIMIT: usize = 63;

/// Prefixes of a node's pod addresses that can be given out: each node gets a /24 or /64, and there may be 65,536.
const POD_PREFIXES: [std::ops::RangeInclusive<u8>; 2] = [8..=24, 48..=64];

/// Labels of Kubernetes' own name spaces that a node may give itself; the same as with upstream's kubelet.
const OWN_LABELS: [&str; 11] = [
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/instance-type",
    "beta.kubernetes.io/os",
    "failure-domain.beta.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "kubernetes.io/arch",
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "node.kubernetes.io/instance-type",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
];

/// Name spaces below Kubernetes' own that nodes may use freely.
const OWN_PREFIXES: [&str; 2] = ["kubelet.kubernetes.io", "node.kubernetes.io"];

/// What a taint does.
const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// A name of the host or node: labels of a domain, 63 bytes together.
pub(crate) fn name(text: &str) -> Result<String, String> {
    if text.len() <= NAME_LIMIT && is_subdomain(text) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "{:?} is no name: it takes 1 to {NAME_LIMIT} of a-z, 0-9, '-' and '.', and each part begins and ends with a letter or digit",
        shortened(text)
    ))
}

/// An address or a name in the serving certificate; `*.` may stand before a name.
pub(crate) fn subject(text: &str) -> Result<String, String> {
    let name = text.strip_prefix("*.").unwrap_or(text);
    if text.parse::<IpAddr>().is_ok() || (text.len() <= 253 && is_subdomain(name)) {
        return Ok(text.to_owned());
    }
    Err(format!("{:?} is no IP address and no name of a host", shortened(text)))
}

fn is_subdomain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    text.split('.').all(label)
}

/// `KEY=VALUE`.
pub(crate) fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("{:?} is no KEY=VALUE", shortened(text)))?;
    qualified(key)?;
    let prefix = key.split_once('/').map_or("", |(prefix, _)| prefix);
    let below = |domain: &str| prefix == domain || prefix.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    let is_own = below("kubernetes.io") || below("k8s.io");
    if is_own && !OWN_LABELS.contains(&key) && !OWN_PREFIXES.iter().any(|domain| below(domain)) {
        return Err(format!("{key} is none of the labels below kubernetes.io that a node may give itself"));
    }
    label_value(value)?;
    Ok((key.to_owned(), value.to_owned()))
}

/// `KEY[=VALUE]:EFFECT`.
pub(crate) fn taint(text: &str) -> Result<Taint, String> {
    let form = || format!("{:?} is no KEY=VALUE:EFFECT or KEY:EFFECT", shortened(text));
    let (left, effect) = text.rsplit_once(':').ok_or_else(form)?;
    let (key, value) = left.split_once('=').unwrap_or((left, ""));
    qualified(key)?;
    label_value(value)?;
    if !EFFECTS.contains(&effect) {
        return Err(format!("the effect {:?} is none of {}", shortened(effect), EFFECTS.join(", ")));
    }
    Ok(Taint { key: key.to_owned(), value: value.to_owned(), effect: effect.to_owned() })
}

fn qualified(key: &str) -> Result<(), String> {
    first(key_problems(key)).map_or(Ok(()), |problem| Err(format!("the key {:?}: {problem}", shortened(key))))
}

fn label_value(value: &str) -> Result<(), String> {
    first(value_problems(value)).map_or(Ok(()), |problem| Err(format!("the value {:?}: {problem}", shortened(value))))
}

fn first(problems: Vec<String>) -> Option<String> {
    problems.into_iter().next()
}

/// A component by k3s' name.
pub(crate) fn component(text: &str) -> Result<String, String> {
    if COMPONENTS.contains(&text) {
        return Ok(text.to_owned());
    }
    let hint = nearest(text, &COMPONENTS).map_or_else(
        || format!("; there are {}", COMPONENTS.join(", ")),
        |nearest| format!("; did you mean {nearest}?"),
    );
    Err(format!("{:?} is no component{hint}", shortened(text)))
}

/// One network of pods, or one of each version with a comma between.
pub(crate) fn cluster_cidr(text: &str) -> Result<String, String> {
    let networks = text.split(',').map(network).collect::<Result<Vec<_>, _>>()?;
    if let [one, other] = networks.as_slice()
        && one.is_v4() == other.is_v4()
    {
        return Err("there are two networks of one IP version".to_owned());
    }
    if networks.len() > 2 {
        return Err("there are more than two networks".to_owned());
    }
    for network in &networks {
        let [v4, v6] = POD_PREFIXES;
        let fitting = if network.is_v4() { v4 } else { v6 };
        if !fitting.contains(&network.prefix()) {
            return Err(format!("the prefix of {network} must be from {} to {}", fitting.start(), fitting.end()));
        }
    }
    Ok(text.to_owned())
}

/// The network of Service addresses.
pub(crate) fn service_cidr(text: &str) -> Result<String, String> {
    let network = network(text)?;
    if !network.is_v4() || !(12..=28).contains(&network.prefix()) {
        return Err(format!("{network} is no IPv4 network with a prefix from 12 to 28"));
    }
    Ok(text.to_owned())
}

fn network(text: &str) -> Result<Cidr, String> {
    let cidr: Cidr = text.parse().map_err(|_| format!("{:?} is no network such as 10.42.0.0/16", shortened(text)))?;
    if cidr.network() != cidr {
        return Err(format!("{cidr} has bits after its prefix; the network is {}", cidr.network()));
    }
    Ok(cidr)
}

/// `ID.SECRET`. Its text stays out of the message.
pub(crate) fn token(text: &str) -> Result<BootstrapToken, String> {
    let part = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    match text.split_once('.') {
        Some((id, secret)) if part(id, 6) && part(secret, 16) => {
            Ok(BootstrapToken { id: id.to_owned(), secret: secret.to_owned() })
        }
        _ => Err("must be six of a-z and 0-9, a dot, and sixteen of a-z and 0-9".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all<T>(check: fn(&str) -> Result<T, String>, good: &[&str], bad: &[(&str, &str)]) {
        for text in good {
            assert!(check(text).is_ok(), "{text}: {:?}", check(text).err());
        }
        for (text, want) in bad {
            let found = check(text).err().unwrap_or_else(|| panic!("{text:?} is taken"));
            assert!(found.contains(want), "{text}: {found}");
        }
    }

    #[test]
    fn names() {
        let long = "a".repeat(64);
        all(name, &["a", "node-1", "a.b"], &[("", "no name"), ("A", "no name"), ("-a", ""), ("a..b", ""), (&long, "")]);
        all(
            subject,
            &["10.0.0.1", "::1", "a.example", "*.a.example"],
            &[("", "no IP"), ("a.*", ""), ("*.*.a", ""), ("a b", ""), ("1.2.3.4/8", "")],
        );
        all(component, &["traefik", "runtimes"], &[("treafik", "did you mean traefik?"), ("kube-proxy", "there are")]);
    }

    #[test]
    fn labels_and_taints() {
        all(
            label,
            &[
                "a=b",
                "a=",
                "example.com/a=b_c",
                "node.kubernetes.io/x=y",
                "topology.kubernetes.io/zone=z",
                "a.k8s.iox/b=c",
            ],
            &[
                ("a", "no KEY=VALUE"),
                ("=b", "the key \"\""),
                ("a=b=c", "the value \"b=c\""),
                ("a b=c", "the key"),
                ("node-role.kubernetes.io/worker=true", "none of the labels"),
                ("kubernetes.io/x=y", "none of the labels"),
                ("x.k8s.io/y=z", "none of the labels"),
            ],
        );
        all(
            taint,
            &["a=b:NoSchedule", "a:NoExecute", "example.com/a=:PreferNoSchedule"],
            &[("a", "no KEY"), ("a:Nothing", "none of NoSchedule"), (":NoExecute", "the key"), ("a=b c:NoExecute", "")],
        );
        let taint = taint("a=b:NoSchedule").unwrap();
        assert_eq!((&*taint.key, &*taint.value, &*taint.effect), ("a", "b", "NoSchedule"));
    }

    #[test]
    fn networks() {
        all(
            cluster_cidr,
            &["10.42.0.0/16", "10.0.0.0/8", "10.42.0.0/24,fd00:42::/56"],
            &[
                ("10.42.0.0", "no network"),
                ("10.42.0.1/16", "the network is 10.42.0.0/16"),
                ("10.42.0.0/25", "from 8 to 24"),
                ("fd00::/40", "from 48 to 64"),
                ("10.42.0.0/16,10.44.0.0/16", "two networks of one"),
                ("10.42.0.0/16,fd00::/64,fd01::/64", "more than two"),
                ("", "no network"),
            ],
        );
        all(
            service_cidr,
            &["10.43.0.0/16"],
            &[("fd00::/112", "no IPv4"), ("10.0.0.0/8", "12 to 28"), ("x", "no network")],
        );
    }

    #[test]
    fn tokens_stay_out_of_messages() {
        let token = super::token("abcdef.0123456789abcdef").unwrap();
        assert_eq!((&*token.id, &*token.secret), ("abcdef", "0123456789abcdef"));
        assert!(!format!("{token:?}").contains("0123456789abcdef"));
        for bad in ["", "abcdef", "abcdef.0123456789abcde", "ABCDEF.0123456789abcdef", "abcdef.0123456789abcdeff"] {
            let problem = super::token(bad).unwrap_err();
            assert!(bad.is_empty() || !problem.contains(bad), "{problem}");
        }
    }
}
