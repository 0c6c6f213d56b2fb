//! Names of places whose objects are read: `[NAMESPACE:]RESOURCE[/NAME][?LABELS]`.

use crate::error::{Error, Result};

/// A resource that scenarios read.
struct Row {
    name: &'static str,
    group: &'static str,
    namespaced: bool,
}

const fn row(name: &'static str, group: &'static str, namespaced: bool) -> Row {
    Row { name, group, namespaced }
}

const RESOURCES: [Row; 10] = [
    row("certificatesigningrequests", "/apis/certificates.k8s.io/v1", false),
    row("configmaps", "/api/v1", true),
    row("deployments", "/apis/apps/v1", true),
    row("events", "/api/v1", true),
    row("namespaces", "/api/v1", false),
    row("nodes", "/api/v1", false),
    row("pods", "/api/v1", true),
    row("replicasets", "/apis/apps/v1", true),
    row("secrets", "/api/v1", true),
    row("serviceaccounts", "/api/v1", true),
];

/// Objects of one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// As it was written.
    pub text: String,
    namespace: Option<String>,
    row: usize,
    parameters: Vec<String>,
}

impl Place {
    /// Reads a place.
    ///
    /// # Errors
    /// Its resource is not one that scenarios read.
    pub fn parse(text: &str) -> Result<Self> {
        let (namespace, rest) = match text.split_once(':') {
            Some((namespace, rest)) => (Some(namespace.to_owned()), rest),
            None => (None, text),
        };
        let (rest, labels) = rest.split_once('?').map_or((rest, None), |(rest, labels)| (rest, Some(labels)));
        let (resource, name) = rest.split_once('/').map_or((rest, None), |(rest, name)| (rest, Some(name)));
        let row = RESOURCES.iter().position(|row| row.name == resource);
        let row = row.ok_or_else(|| Error::format(text, "no resource that scenarios read"))?;
        let escaped = |text: &str| text.replace('=', "%3D").replace(',', "%2C").replace('!', "%21");
        let name = name.map(|name| format!("fieldSelector=metadata.name%3D{name}"));
        let labels = labels.map(|labels| format!("labelSelector={}", escaped(labels)));
        let parameters = name.into_iter().chain(labels).collect();
        Ok(Self { text: text.to_owned(), namespace, row, parameters })
    }

    /// The path of the list, whose objects are in `namespace` unless the place names another.
    #[must_use]
    pub fn path(&self, namespace: &str, more: &[&str]) -> String {
        let Some(Row { name, group, namespaced }) = RESOURCES.get(self.row) else { return String::new() };
        let namespace = self.namespace.as_deref().unwrap_or(namespace);
        let within = if *namespaced { format!("/namespaces/{namespace}") } else { String::new() };
        let parameters: Vec<&str> = self.parameters.iter().map(String::as_str).chain(more.iter().copied()).collect();
        let mark = if parameters.is_empty() { "" } else { "?" };
        format!("{group}{within}/{name}{mark}{}", parameters.join("&"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for (text, path) in [
            ("nodes", "/api/v1/nodes"),
            ("nodes/a", "/api/v1/nodes?fieldSelector=metadata.name%3Da"),
            ("pods?app=a,b", "/api/v1/namespaces/n/pods?labelSelector=app%3Da%2Cb"),
            ("kube-public:configmaps/a", "/api/v1/namespaces/kube-public/configmaps?fieldSelector=metadata.name%3Da"),
            ("deployments", "/apis/apps/v1/namespaces/n/deployments"),
        ] {
            assert_eq!(Place::parse(text).unwrap().path("n", &[]), path);
        }
        assert_eq!(Place::parse("pods").unwrap().path("n", &["a=1", "b"]), "/api/v1/namespaces/n/pods?a=1&b");
        assert!(Place::parse("podz").is_err());
    }
}
