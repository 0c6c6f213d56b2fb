//! `/etc/hosts` as the kubelet writes it.

use std::fmt::Write as _;

use coracle_apimachinery::Value;
use coracle_client::object;

use super::hostname::Names;

const OWN: &str = "# Kubernetes-managed hosts file.\n";
const OF_NODE: &str = "# Kubernetes-managed hosts file (host network).\n";
const LOCAL: &str = "127.0.0.1\tlocalhost\n\
    ::1\tlocalhost ip6-localhost ip6-loopback\n\
    fe00::0\tip6-localnet\n\
    fe00::0\tip6-mcastprefix\n\
    fe00::1\tip6-allnodes\n\
    fe00::2\tip6-allrouters\n";

/// The file of a pod with these addresses; that of the node goes into those of pods on its network.
#[must_use]
pub fn hosts(pod: &Value, ips: &[String], names: &Names, of_node: &str) -> String {
    let mut text = String::new();
    if object::flag(pod, &["spec", "hostNetwork"]) {
        text.extend([OF_NODE, of_node]);
    } else {
        text.extend([OWN, LOCAL]);
        for ip in ips {
            let Names { host, domain, .. } = names;
            // Writing to a text cannot fail.
            let _ = if domain.is_empty() {
                writeln!(text, "{ip}\t{host}")
            } else {
                writeln!(text, "{ip}\t{host}.{domain}\t{host}")
            };
        }
    }
    let aliases = object::items(pod, &["spec", "hostAliases"]);
    if !aliases.is_empty() {
        text.push_str("\n# Entries added by HostAliases.\n");
    }
    for alias in aliases {
        let names: Vec<&str> = object::items(alias, &["hostnames"]).iter().filter_map(Value::as_str).collect();
        let _ = writeln!(text, "{}\t{}", alias.text_at(&["ip"]), names.join("\t"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tests::tree;

    #[test]
    fn files() {
        let names = Names { host: "h".into(), domain: "s.n.svc.d".into(), kernel: "h".into() };
        let plain = Names { host: "h".into(), ..Names::default() };
        let pod = tree(r#"{"spec":{"hostAliases":[{"ip":"1.2.3.4","hostnames":["a","b"]}]}}"#);
        let ips = ["10.0.0.2".to_owned(), "fd00::2".to_owned()];
        let aliases = "\n# Entries added by HostAliases.\n1.2.3.4\ta\tb\n";
        assert_eq!(
            hosts(&pod, &ips, &names, ""),
            format!("{OWN}{LOCAL}10.0.0.2\th.s.n.svc.d\th\nfd00::2\th.s.n.svc.d\th\n{aliases}")
        );
        assert_eq!(hosts(&tree("{}"), &ips[..1], &plain, ""), format!("{OWN}{LOCAL}10.0.0.2\th\n"));
        let on_host = tree(r#"{"spec":{"hostNetwork":true}}"#);
        assert_eq!(hosts(&on_host, &[], &plain, "127.0.0.1 x\n"), format!("{OF_NODE}127.0.0.1 x\n"));
    }
}
