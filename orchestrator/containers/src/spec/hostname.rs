//! The name of a pod's host.

use coracle_apimachinery::Value;
use coracle_client::object;

/// The longest name that the kernel takes.
const LONGEST: usize = 63;

/// What a pod is called inside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Its name.
    pub host: String,
    /// The domain that its subdomain gives it; empty without one.
    pub domain: String,
    /// The name that the kernel is told.
    pub kernel: String,
}

/// The names of a pod in a cluster of this domain, on a node of this name.
#[must_use]
pub fn names(pod: &Value, cluster_domain: &str, node: &str) -> Names {
    let spec = |name| pod.text_at(&["spec", name]);
    let forced = spec("hostnameOverride");
    let asked = [forced, spec("hostname"), object::name(pod)].into_iter().find(|name| !name.is_empty());
    let host = truncate(asked.unwrap_or_default());
    let domain = match spec("subdomain") {
        subdomain if !subdomain.is_empty() && forced.is_empty() => {
            format!("{subdomain}.{}.svc.{cluster_domain}", object::namespace(pod))
        }
        _ => String::new(),
    };
    let kernel = if object::flag(pod, &["spec", "hostNetwork"]) {
        node.to_owned()
    } else if object::flag(pod, &["spec", "setHostnameAsFQDN"]) && !domain.is_empty() {
        format!("{host}.{domain}")
    } else {
        host.clone()
    };
    Names { host, domain, kernel }
}

fn truncate(name: &str) -> String {
    let end = name.char_indices().map(|(at, _)| at).take_while(|at| *at < LONGEST).last().map_or(0, |at| at + 1);
    name.get(..end.min(name.len())).unwrap_or(name).trim_end_matches(['-', '.']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tests::tree;

    #[test]
    fn pods_have_names() {
        let long = "a".repeat(62);
        let cases = [
            (r#"{}"#.to_owned(), "p||p"),
            (r#"{"hostname":"h","subdomain":"s"}"#.to_owned(), "h|s.n.svc.d|h"),
            (r#"{"subdomain":"s","setHostnameAsFQDN":true}"#.to_owned(), "p|s.n.svc.d|p.s.n.svc.d"),
            (r#"{"hostnameOverride":"x.y","subdomain":"s"}"#.to_owned(), "x.y||x.y"),
            (r#"{"hostNetwork":true}"#.to_owned(), "p||node"),
            (format!(r#"{{"hostname":"{long}-bc"}}"#), &format!("{long}||{long}")),
        ];
        for (spec, want) in cases {
            let pod = tree(&format!(r#"{{"metadata":{{"name":"p","namespace":"n"}},"spec":{spec}}}"#));
            let Names { host, domain, kernel } = names(&pod, "d", "node");
            assert_eq!(format!("{host}|{domain}|{kernel}"), want, "{spec}");
        }
    }
}
