//! Names of resources.

use std::borrow::Cow;
use std::fmt;

/// A resource in one version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource {
    /// API group; empty for the core group.
    pub group: Cow<'static, str>,
    /// Version.
    pub version: Cow<'static, str>,
    /// Plural name in paths.
    pub plural: Cow<'static, str>,
    /// Kind.
    pub kind: Cow<'static, str>,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
}

impl Resource {
    /// A resource whose objects live in namespaces.
    #[must_use]
    pub const fn namespaced(
        group: &'static str,
        version: &'static str,
        plural: &'static str,
        kind: &'static str,
    ) -> Self {
        Self::of(group, version, plural, kind, true)
    }

    /// A resource whose objects live in the cluster.
    #[must_use]
    pub const fn clustered(
        group: &'static str,
        version: &'static str,
        plural: &'static str,
        kind: &'static str,
    ) -> Self {
        Self::of(group, version, plural, kind, false)
    }

    const fn of(
        group: &'static str,
        version: &'static str,
        plural: &'static str,
        kind: &'static str,
        namespaced: bool,
    ) -> Self {
        Self {
            group: Cow::Borrowed(group),
            version: Cow::Borrowed(version),
            plural: Cow::Borrowed(plural),
            kind: Cow::Borrowed(kind),
            namespaced,
        }
    }

    /// `apiVersion` of its objects.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_string() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Whether both name the same resource, perhaps in different versions.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.group == other.group && self.plural == other.plural
    }
}

/// `deployments.apps`, or `pods` for the core group.
impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.plural)?;
        if self.group.is_empty() { Ok(()) } else { write!(f, ".{}", self.group) }
    }
}

/// The resources that components name.
pub mod resources {
    use super::Resource;

    macro_rules! resources {
        ($($name:ident: $scope:ident $group:literal $version:literal $plural:literal $kind:literal;)*) => {
            $(
                #[doc = concat!("`", $plural, "`")]
                pub static $name: Resource = Resource::$scope($group, $version, $plural, $kind);
            )*
        };
    }

    resources! {
        CONFIG_MAPS: namespaced "" "v1" "configmaps" "ConfigMap";
        ENDPOINTS: namespaced "" "v1" "endpoints" "Endpoints";
        EVENTS: namespaced "" "v1" "events" "Event";
        NAMESPACES: clustered "" "v1" "namespaces" "Namespace";
        NODES: clustered "" "v1" "nodes" "Node";
        PERSISTENT_VOLUME_CLAIMS: namespaced "" "v1" "persistentvolumeclaims" "PersistentVolumeClaim";
        PERSISTENT_VOLUMES: clustered "" "v1" "persistentvolumes" "PersistentVolume";
        PODS: namespaced "" "v1" "pods" "Pod";
        SECRETS: namespaced "" "v1" "secrets" "Secret";
        SERVICE_ACCOUNTS: namespaced "" "v1" "serviceaccounts" "ServiceAccount";
        SERVICES: namespaced "" "v1" "services" "Service";
        DEPLOYMENTS: namespaced "apps" "v1" "deployments" "Deployment";
        REPLICA_SETS: namespaced "apps" "v1" "replicasets" "ReplicaSet";
        CERTIFICATE_SIGNING_REQUESTS: clustered "certificates.k8s.io" "v1" "certificatesigningrequests" "CertificateSigningRequest";
        LEASES: namespaced "coordination.k8s.io" "v1" "leases" "Lease";
        ENDPOINT_SLICES: namespaced "discovery.k8s.io" "v1" "endpointslices" "EndpointSlice";
        PRIORITY_CLASSES: clustered "scheduling.k8s.io" "v1" "priorityclasses" "PriorityClass";
    }
}
