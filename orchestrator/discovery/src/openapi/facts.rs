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

/// Closed sets of values that a table cannot hold, since they have blanks in them.
pub(super) const SPACED_ENUMS: [(&str, &[&str]); 1] = [(
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
)];

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
