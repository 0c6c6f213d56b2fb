//! `/etc/resolv.conf` of a pod, with the kubelet's limits.

use coracle_apimachinery::Value;
use coracle_client::object;

const MOST_SERVERS: usize = 3;
const MOST_SEARCHES: usize = 32;
const LONGEST_SEARCH: usize = 253;
const LONGEST_LINE: usize = 2048;

/// How names are resolved in the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterDns {
    /// The addresses of its servers; with none, pods resolve as the node does.
    pub servers: Vec<String>,
    /// Its domain.
    pub domain: String,
}

#[derive(Debug, Default)]
struct Config {
    servers: Vec<String>,
    searches: Vec<String>,
    options: Vec<String>,
}

/// The file of a pod, from that of the node.
#[must_use]
pub fn resolv_conf(pod: &Value, cluster: &ClusterDns, of_node: &str) -> String {
    let on_host = object::flag(pod, &["spec", "hostNetwork"]);
    let in_cluster = match pod.text_at(&["spec", "dnsPolicy"]) {
        "None" => None,
        "Default" => Some(false),
        "ClusterFirst" => Some(!on_host),
        // `ClusterFirstWithHostNet`, and what the API would not let through.
        _ => Some(true),
    };
    let mut config = in_cluster.map(|_| parse(of_node)).unwrap_or_default();
    if in_cluster == Some(true) && !cluster.servers.is_empty() {
        config.servers.clone_from(&cluster.servers);
        config.options = vec!["ndots:5".to_owned()];
        if !cluster.domain.is_empty() {
            let domain = &cluster.domain;
            let first = [format!("{}.svc.{domain}", object::namespace(pod)), format!("svc.{domain}"), domain.clone()];
            config.searches.splice(0..0, first);
        }
    }
    if let Some(own) = pod.at(&["spec", "dnsConfig"]) {
        let texts = |member| object::items(own, &[member]).iter().filter_map(Value::as_str).map(str::to_owned);
        config.servers.extend(texts("nameservers"));
        config.searches.extend(texts("searches"));
        for option in object::items(own, &["options"]) {
            let (name, value) = (option.text_at(&["name"]), option.text_at(&["value"]));
            let option = if value.is_empty() { name.to_owned() } else { format!("{name}:{value}") };
            add_option(&mut config.options, &option);
        }
    }
    config.print()
}

fn parse(text: &str) -> Config {
    let mut config = Config::default();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("nameserver") => config.servers.extend(words.next().map(str::to_owned)),
            Some("search") => {
                let words = words.filter(|word| *word != ".");
                config.searches = words.map(|word| word.strip_suffix('.').unwrap_or(word).to_owned()).collect();
            }
            Some("options") => words.for_each(|option| add_option(&mut config.options, option)),
            _ => {}
        }
    }
    config
}

/// Sets an option; one of its name gives way.
fn add_option(options: &mut Vec<String>, option: &str) {
    let name = |option: &str| option.split(':').next().unwrap_or_default().to_owned();
    match options.iter_mut().find(|known| name(known) == name(option)) {
        Some(slot) => option.clone_into(slot),
        None => options.push(option.to_owned()),
    }
}

fn without_repetitions(items: Vec<String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::with_capacity(items.len());
    for item in items {
        if !kept.contains(&item) {
            kept.push(item);
        }
    }
    kept
}

impl Config {
    fn print(self) -> String {
        let mut servers = without_repetitions(self.servers);
        servers.truncate(MOST_SERVERS);
        let mut searches = without_repetitions(self.searches);
        searches.truncate(MOST_SEARCHES);
        searches.retain(|search| search.len() <= LONGEST_SEARCH);
        while searches.join(" ").len() > LONGEST_LINE {
            searches.pop();
        }
        let mut text = String::new();
        if !searches.is_empty() {
            text.push_str(&format!("search {}\n", searches.join(" ")));
        }
        for server in servers {
            text.push_str(&format!("nameserver {server}\n"));
        }
        if !self.options.is_empty() {
            text.push_str(&format!("options {}\n", self.options.join(" ")));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tests::tree;

    const NODE: &str = "# x\nnameserver 9.9.9.9\nsearch lan. . example\noptions timeout:1 timeout:2\n";

    #[test]
    fn policies() {
        let cluster = ClusterDns { servers: vec!["10.43.0.10".into()], domain: "cluster.local".into() };
        let host = "search lan example\nnameserver 9.9.9.9\noptions timeout:2\n";
        let first = "search n.svc.cluster.local svc.cluster.local cluster.local lan example\nnameserver 10.43.0.10\noptions ndots:5\n";
        let cases = [
            (r#"{"dnsPolicy":"Default"}"#, &cluster, host),
            (r#"{"dnsPolicy":"ClusterFirst"}"#, &cluster, first),
            (r#"{"dnsPolicy":"ClusterFirst","hostNetwork":true}"#, &cluster, host),
            (r#"{"dnsPolicy":"ClusterFirstWithHostNet","hostNetwork":true}"#, &cluster, first),
            (r#"{"dnsPolicy":"ClusterFirst"}"#, &ClusterDns::default(), host),
            (r#"{"dnsPolicy":"None"}"#, &cluster, ""),
            (
                r#"{"dnsPolicy":"None","dnsConfig":{"nameservers":["1.1.1.1","1.1.1.1","2","3","4"],"searches":["a","b","a"],"options":[{"name":"edns0"},{"name":"ndots","value":"2"}]}}"#,
                &cluster,
                "search a b\nnameserver 1.1.1.1\nnameserver 2\nnameserver 3\noptions edns0 ndots:2\n",
            ),
            (
                r#"{"dnsPolicy":"ClusterFirst","dnsConfig":{"options":[{"name":"ndots","value":"1"}]}}"#,
                &cluster,
                &first.replace("ndots:5", "ndots:1"),
            ),
        ];
        for (spec, cluster, want) in cases {
            let pod = tree(&format!(r#"{{"metadata":{{"namespace":"n"}},"spec":{spec}}}"#));
            assert_eq!(resolv_conf(&pod, cluster, NODE), want, "{spec}");
        }
    }

    #[test]
    fn lines_have_an_end() {
        let long: Vec<String> = (0..60).map(|at| format!("\"{}{at}\"", "x".repeat(100))).collect();
        let pod =
            tree(&format!(r#"{{"spec":{{"dnsPolicy":"None","dnsConfig":{{"searches":[{}]}}}}}}"#, long.join(",")));
        let line = resolv_conf(&pod, &ClusterDns::default(), "");
        assert!(line.len() <= LONGEST_LINE + 8, "{}", line.len());
    }
}
