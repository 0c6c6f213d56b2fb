//! What neither tables nor rules say about the published documents.

/// Kinds whose deletion answers with the object instead of a Status, by group.
pub(super) const RETURN_DELETED: [(&str, &[&str]); 3] = [
    (
        "",
        &[
            "PersistentVolume",
            "PersistentVolumeClaim",
            "Pod",
            "PodTemplate",
            "ResourceQuota",
            "Service",
            "ServiceAccount",
        ],
    ),
    ("resource.k8s.io", &["DeviceClass", "ResourceClaim", "ResourceClaimTemplate", "ResourceSlice"]),
    ("storage.k8s.io", &["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"]),
];

/// Members of `JSONSchemaProps` that upstream documents with no sentence. A reference without a sentence or any other
/// member beside it stands bare in v3; all others are wrapped.
pub(super) const BARE_REFERENCES: [&str; 6] =
    ["additionalItems", "additionalProperties", "example", "externalDocs", "items", "not"];

/// Closed sets of values that the tables do not hold: those with blanks in them, and those that upstream declares apart
/// from their type.
pub(super) const OTHER_ENUMS: [(&str, &[&str]); 4] = [
    ("AddressType", &["FQDN", "IPv4", "IPv6"]),
    ("DeviceAllocationMode", &["All", "ExactCount"]),
    ("PathType", &["Exact", "ImplementationSpecific", "Prefix"]),
    (
        "KeyUsage",
        &[
            "any",
            "cert sign",
            "client auth",
            "code signing",
            "content commitment",
            "crl sign",
            "data encipherment",
            "decipher only",
            "digital signature",
            "email protection",
            "encipher only",
            "ipsec end system",
            "ipsec tunnel",
            "ipsec user",
            "key agreement",
            "key encipherment",
            "microsoft sgc",
            "netscape sgc",
            "ocsp signing",
            "s/mime",
            "server auth",
            "signing",
            "timestamping",
        ],
    ),
];

/// Defaults that the documents tell although upstream sets most of them elsewhere: type, member, JSON. Other defaults,
/// which defaulting functions set, they do not tell.
pub(super) const DEFAULTS: [(&str, &str, &str); 33] = [
    ("AzureDiskVolumeSource", "cachingMode", r#""ReadWrite""#),
    ("AzureDiskVolumeSource", "fsType", r#""ext4""#),
    ("AzureDiskVolumeSource", "kind", r#""Shared""#),
    ("AzureDiskVolumeSource", "readOnly", "false"),
    ("ConfigMapEnvSource", "name", r#""""#),
    ("ConfigMapKeySelector", "name", r#""""#),
    ("ConfigMapProjection", "name", r#""""#),
    ("ConfigMapVolumeSource", "name", r#""""#),
    ("ContainerPort", "protocol", r#""TCP""#),
    ("DeviceToleration", "operator", r#""Equal""#),
    ("FileKeySelector", "optional", "false"),
    ("GRPCAction", "service", r#""""#),
    ("ISCSIPersistentVolumeSource", "iscsiInterface", r#""default""#),
    ("ISCSIVolumeSource", "iscsiInterface", r#""default""#),
    ("LocalObjectReference", "name", r#""""#),
    ("PodCertificateRequestSpec", "maxExpirationSeconds", "86400"),
    ("RBDPersistentVolumeSource", "keyring", r#""/etc/ceph/keyring""#),
    ("RBDPersistentVolumeSource", "pool", r#""rbd""#),
    ("RBDPersistentVolumeSource", "user", r#""admin""#),
    ("RBDVolumeSource", "keyring", r#""/etc/ceph/keyring""#),
    ("RBDVolumeSource", "pool", r#""rbd""#),
    ("RBDVolumeSource", "user", r#""admin""#),
    ("ReplicationControllerSpec", "minReadySeconds", "0"),
    ("ReplicationControllerSpec", "replicas", "1"),
    ("ScaleIOPersistentVolumeSource", "fsType", r#""xfs""#),
    ("ScaleIOPersistentVolumeSource", "storageMode", r#""ThinProvisioned""#),
    ("ScaleIOVolumeSource", "fsType", r#""xfs""#),
    ("ScaleIOVolumeSource", "storageMode", r#""ThinProvisioned""#),
    ("ScaleSpec", "replicas", "0"),
    ("SecretEnvSource", "name", r#""""#),
    ("SecretKeySelector", "name", r#""""#),
    ("SecretProjection", "name", r#""""#),
    ("ServicePort", "protocol", r#""TCP""#),
];

/// Members that are told to be merged member by member, which they are anyway: type and member.
pub(super) const GRANULAR: [(&str, &str); 2] =
    [("PersistentVolumeClaimStatus", "allocatedResourceStatuses"), ("PersistentVolumeSpec", "claimRef")];

/// Every group-version that the real server knows, served or not: under each of them it also knows the options of a
/// deletion and the events of a watch.
pub(super) const KNOWN: [(&str, &[&str]); 27] = [
    ("", &["v1"]),
    ("admission.k8s.io", &["v1", "v1beta1"]),
    ("admissionregistration.k8s.io", &["v1", "v1alpha1", "v1beta1"]),
    ("apiextensions.k8s.io", &["v1", "v1beta1"]),
    ("apiregistration.k8s.io", &["v1", "v1beta1"]),
    ("apps", &["v1", "v1beta1", "v1beta2"]),
    ("authentication.k8s.io", &["v1", "v1alpha1", "v1beta1"]),
    ("authorization.k8s.io", &["v1", "v1beta1"]),
    ("autoscaling", &["v1", "v2"]),
    ("batch", &["v1", "v1beta1"]),
    ("certificates.k8s.io", &["v1", "v1alpha1", "v1beta1"]),
    ("coordination.k8s.io", &["v1", "v1alpha2", "v1beta1"]),
    ("discovery.k8s.io", &["v1", "v1beta1"]),
    ("events.k8s.io", &["v1", "v1beta1"]),
    ("extensions", &["v1beta1"]),
    ("flowcontrol.apiserver.k8s.io", &["v1", "v1beta1", "v1beta2", "v1beta3"]),
    ("imagepolicy.k8s.io", &["v1alpha1"]),
    ("internal.apiserver.k8s.io", &["v1alpha1"]),
    ("lifecycle.k8s.io", &["v1alpha1"]),
    ("networking.k8s.io", &["v1", "v1beta1"]),
    ("node.k8s.io", &["v1", "v1alpha1", "v1beta1"]),
    ("policy", &["v1", "v1beta1"]),
    ("rbac.authorization.k8s.io", &["v1", "v1alpha1", "v1beta1"]),
    ("resource.k8s.io", &["v1", "v1alpha3", "v1beta1", "v1beta2"]),
    ("scheduling.k8s.io", &["v1", "v1alpha3", "v1beta1"]),
    ("storage.k8s.io", &["v1", "v1alpha1", "v1beta1"]),
    ("storagemigration.k8s.io", &["v1", "v1beta1"]),
];

/// Of these groups the documents of custom resources do not know, as they are made with the scheme of clients.
pub(super) const NOT_FOR_CLIENTS: [&str; 4] =
    ["admission.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "imagepolicy.k8s.io"];

/// Members of the document of `/version`, and whether it always has them.
pub(super) const VERSION_INFO: [(&str, bool); 13] = [
    ("major", true),
    ("minor", true),
    ("emulationMajor", false),
    ("emulationMinor", false),
    ("minCompatibilityMajor", false),
    ("minCompatibilityMinor", false),
    ("gitVersion", true),
    ("gitCommit", true),
    ("gitTreeState", true),
    ("buildDate", true),
    ("goVersion", true),
    ("compiler", true),
    ("platform", true),
];

/// The endings of the names under which v2 shares a parameter: options type (any, if empty), parameter, ending. A
/// parameter that is not here stands in its place. The endings are hashes over upstream's sentences, hence facts.
pub(super) const SHARED_PARAMETERS: [(&str, &str, &str); 45] = [
    ("", "allowWatchBookmarks", "HC2hJt-J"),
    ("", "command", "Py3eQybp"),
    ("PodLogOptions", "container", "1GeXxFDC"),
    ("PodAttachOptions", "container", "_Q-EJ3nR"),
    ("PodExecOptions", "container", "i5dOmRiM"),
    ("", "continue", "QfD61s0i"),
    ("PatchOptions", "fieldManager", "7c6nTn1T"),
    ("", "fieldManager", "Qy4HdaTW"),
    ("", "fieldSelector", "xIcQKXFG"),
    ("", "follow", "9OIXh_2R"),
    ("", "force", "tOGGb0Yi"),
    ("", "gracePeriodSeconds", "-K5HaBOS"),
    ("", "ignoreStoreReadErrorWithClusterBreakingPotential", "QbNkfIqj"),
    ("", "insecureSkipTLSVerifyBackend", "gM00jVbe"),
    ("", "labelSelector", "5Zw57w4C"),
    ("", "limit", "1NfNmdNH"),
    ("", "limitBytes", "zwd1RXuc"),
    ("", "namespace", "vgWSWtn3"),
    ("", "orphanDependents", "uRB25kX5"),
    ("ServiceProxyOptions", "path", "QCf0eosM"),
    ("PodProxyOptions", "path", "oPbzgLUj"),
    ("NodeProxyOptions", "path", "rFDtV0x9"),
    ("", "path", "z6Ciiujn"),
    ("", "ports", "91KROJmm"),
    ("", "pretty", "tJGM1-ng"),
    ("", "previous", "1jxDPu3y"),
    ("", "propagationPolicy", "6jk3prlO"),
    ("", "resourceVersion", "5WAnf1kx"),
    ("", "resourceVersionMatch", "t8XhRHeC"),
    ("", "sendInitialEvents", "rLXlEK_k"),
    ("", "shardSelector", "Kgyki_3_"),
    ("", "sinceSeconds", "vE2NLdnP"),
    ("PodAttachOptions", "stderr", "26jJhFUR"),
    ("PodExecOptions", "stderr", "W_1TNlWc"),
    ("PodExecOptions", "stdin", "PSzNhyUC"),
    ("PodAttachOptions", "stdin", "sEFnN3IS"),
    ("PodExecOptions", "stdout", "-EZLRwV1"),
    ("PodAttachOptions", "stdout", "005YMKE6"),
    ("", "stream", "l-48cgXv"),
    ("", "tailLines", "9xQLWHMV"),
    ("", "timeoutSeconds", "yvYezaOC"),
    ("", "timestamps", "c17fW1w_"),
    ("PodAttachOptions", "tty", "g7MlET_l"),
    ("PodExecOptions", "tty", "s0flW37O"),
    ("", "watch", "XNNPZGbK"),
];

/// The shared bodies of v2: the options of a deletion and a patch.
pub(super) const DELETE_BODY: &str = "body-2Y1dVQaQ";
/// See [`DELETE_BODY`].
pub(super) const PATCH_BODY: &str = "body-78PwaGsr";
