//! One row per resource that has labels of its own.

/// A resource with labels of its own.
pub(super) struct Row {
    pub(super) group: &'static str,
    pub(super) resource: &'static str,
    pub(super) names: &'static [&'static str],
    /// Where the values stand, in the order of the names.
    pub(super) reads: &'static [Read],
    /// Whether selectors may name the namespace.
    pub(super) by_namespace: bool,
    pub(super) refusal: Refusal,
}

/// Where a value stands.
pub(super) enum Read {
    /// The first of these that has text.
    Text(&'static [&'static [&'static str]]),
    Bool(&'static [&'static str]),
    Int(&'static [&'static str]),
    /// The first address of a pod.
    FirstAddress,
    /// Accepted, but empty for every object.
    Nothing,
}

/// How an unknown label is refused.
#[derive(Clone, Copy)]
pub(super) enum Refusal {
    Plain,
    /// Names the kind.
    OfKind(&'static str),
    /// Names the kind with its group-version.
    ForKind(&'static str),
}

/// A row from `group, resource, by_namespace, refusal, { label => where }`.
macro_rules! row {
    ($group:literal, $resource:literal, $by_namespace:literal, $refusal:expr, { $($name:literal => $read:expr),* $(,)? }) => {
        Row {
            group: $group,
            resource: $resource,
            names: &[$($name),*],
            reads: &[$($read),*],
            by_namespace: $by_namespace,
            refusal: $refusal,
        }
    };
}

pub(super) static ROWS: &[Row] = &[
    // Events are read in both of their views, whichever way the label is spelled.
    row!("", "events", true, Refusal::Plain, {
        "involvedObject.apiVersion" => Read::Text(&[&["involvedObject", "apiVersion"], &["regarding", "apiVersion"]]),
        "involvedObject.fieldPath" => Read::Text(&[&["involvedObject", "fieldPath"], &["regarding", "fieldPath"]]),
        "involvedObject.kind" => Read::Text(&[&["involvedObject", "kind"], &["regarding", "kind"]]),
        "involvedObject.name" => Read::Text(&[&["involvedObject", "name"], &["regarding", "name"]]),
        "involvedObject.namespace" => Read::Text(&[&["involvedObject", "namespace"], &["regarding", "namespace"]]),
        "involvedObject.resourceVersion" => Read::Text(&[
            &["involvedObject", "resourceVersion"],
            &["regarding", "resourceVersion"],
        ]),
        "involvedObject.uid" => Read::Text(&[&["involvedObject", "uid"], &["regarding", "uid"]]),
        "reason" => Read::Text(&[&["reason"]]),
        "reportingComponent" => Read::Text(&[&["reportingComponent"], &["reportingController"]]),
        "source" => Read::Text(&[
            &["source", "component"],
            &["deprecatedSource", "component"],
            &["reportingComponent"],
            &["reportingController"],
        ]),
        "type" => Read::Text(&[&["type"]]),
    }),
    row!("", "namespaces", false, Refusal::Plain, { "status.phase" => Read::Text(&[&["status", "phase"]]) }),
    row!("", "nodes", false, Refusal::Plain, { "spec.unschedulable" => Read::Bool(&["spec", "unschedulable"]) }),
    row!("", "pods", true, Refusal::Plain, {
        // Very old clients ask for this instead of the name of the node.
        "spec.host" => Read::Text(&[&["spec", "nodeName"]]),
        "spec.hostNetwork" => Read::Bool(&["spec", "hostNetwork"]),
        "spec.nodeName" => Read::Text(&[&["spec", "nodeName"]]),
        "spec.restartPolicy" => Read::Text(&[&["spec", "restartPolicy"]]),
        "spec.schedulerName" => Read::Text(&[&["spec", "schedulerName"]]),
        "spec.serviceAccountName" => Read::Text(&[&["spec", "serviceAccountName"]]),
        "status.nominatedNodeName" => Read::Text(&[&["status", "nominatedNodeName"]]),
        "status.phase" => Read::Text(&[&["status", "phase"]]),
        "status.podIP" => Read::FirstAddress,
        "status.podIPs" => Read::Nothing,
    }),
    row!("", "replicationcontrollers", true, Refusal::Plain, {
        "status.replicas" => Read::Int(&["status", "replicas"]),
    }),
    row!("", "secrets", true, Refusal::Plain, { "type" => Read::Text(&[&["type"]]) }),
    row!("", "services", true, Refusal::Plain, {
        "spec.clusterIP" => Read::Text(&[&["spec", "clusterIP"]]),
        "spec.type" => Read::Text(&[&["spec", "type"]]),
    }),
    row!("batch", "jobs", true, Refusal::OfKind("Job"), {
        "status.successful" => Read::Int(&["status", "succeeded"]),
    }),
    row!("certificates.k8s.io", "certificatesigningrequests", false, Refusal::Plain, {
        "spec.signerName" => Read::Text(&[&["spec", "signerName"]]),
    }),
    row!("certificates.k8s.io", "clustertrustbundles", false, Refusal::Plain, {
        "spec.signerName" => Read::Text(&[&["spec", "signerName"]]),
    }),
    row!("certificates.k8s.io", "podcertificaterequests", false, Refusal::Plain, {
        "spec.nodeName" => Read::Text(&[&["spec", "nodeName"]]),
        "spec.podName" => Read::Text(&[&["spec", "podName"]]),
        "spec.signerName" => Read::Text(&[&["spec", "signerName"]]),
    }),
    row!("events.k8s.io", "events", true, Refusal::Plain, {
        "reason" => Read::Text(&[&["reason"]]),
        "regarding.apiVersion" => Read::Text(&[&["involvedObject", "apiVersion"], &["regarding", "apiVersion"]]),
        "regarding.fieldPath" => Read::Text(&[&["involvedObject", "fieldPath"], &["regarding", "fieldPath"]]),
        "regarding.kind" => Read::Text(&[&["involvedObject", "kind"], &["regarding", "kind"]]),
        "regarding.name" => Read::Text(&[&["involvedObject", "name"], &["regarding", "name"]]),
        "regarding.namespace" => Read::Text(&[&["involvedObject", "namespace"], &["regarding", "namespace"]]),
        "regarding.resourceVersion" => Read::Text(&[
            &["involvedObject", "resourceVersion"],
            &["regarding", "resourceVersion"],
        ]),
        "regarding.uid" => Read::Text(&[&["involvedObject", "uid"], &["regarding", "uid"]]),
        "reportingController" => Read::Text(&[&["reportingComponent"], &["reportingController"]]),
        "type" => Read::Text(&[&["type"]]),
    }),
    row!("resource.k8s.io", "resourceslices", false, Refusal::ForKind("ResourceSlice"), {
        "spec.driver" => Read::Text(&[&["spec", "driver"]]),
        "spec.nodeName" => Read::Text(&[&["spec", "nodeName"]]),
    }),
];
