//! One row per resource.

use super::{Dependents, Strategy, batch, cluster, common, pod, service};

/// A resource and its strategy.
pub(super) struct Row {
    pub(super) group: &'static str,
    pub(super) resource: &'static str,
    pub(super) strategy: Strategy,
}

/// No status, no generation.
const PLAIN: Strategy = Strategy {
    prepare_create: common::create_as_sent,
    prepare_update: common::update_as_sent,
    prepare_status: common::status_keeping_spec,
    create_on_update: false,
    unconditional_update: true,
    delete_grace: common::no_grace,
    default_finalizing: Dependents::Background,
    has_status: false,
};

/// Spec and status apart, no generation.
const STATUS: Strategy = Strategy {
    prepare_create: common::create_without_status,
    prepare_update: common::update_keeping_status,
    has_status: true,
    ..PLAIN
};

/// Spec and status apart, the generation counts changes of the spec.
const COUNTED: Strategy = Strategy {
    prepare_create: common::create_first_generation_without_status,
    prepare_update: common::update_keeping_status_counting_spec,
    ..STATUS
};

/// No status, the generation counts changes of the spec.
const COUNTED_SPEC: Strategy =
    Strategy { prepare_create: common::create_first_generation, prepare_update: common::update_counting_spec, ..PLAIN };

/// No status, changed only with a resource version.
const GUARDED: Strategy = Strategy { unconditional_update: false, ..PLAIN };

/// Webhook configurations.
const WEBHOOKS: Strategy = Strategy {
    prepare_create: common::create_first_generation,
    prepare_update: common::update_counting_webhooks,
    ..GUARDED
};

/// Changes of the status leave the metadata alone; changed only with a resource version.
const GUARDED_STATUS: Strategy =
    Strategy { prepare_status: common::status_keeping_spec_and_metadata, unconditional_update: false, ..STATUS };

/// PUT makes what is not there.
const MADE_BY_PUT: Strategy = Strategy { create_on_update: true, ..PLAIN };

/// Flow control.
const FLOW: Strategy = Strategy { prepare_status: common::status_keeping_all_else, ..COUNTED };

/// Resources without a row of their own.
pub(super) static ANY: Strategy = COUNTED;

const fn row(group: &'static str, resource: &'static str, strategy: Strategy) -> Row {
    Row { group, resource, strategy }
}

pub(super) static ROWS: &[Row] = &[
    row("", "configmaps", PLAIN),
    row("", "endpoints", MADE_BY_PUT),
    row("", "events", EVENT),
    row("", "limitranges", MADE_BY_PUT),
    row(
        "",
        "namespaces",
        Strategy { prepare_create: cluster::create_namespace, prepare_update: cluster::update_namespace, ..STATUS },
    ),
    // A kubelet registers its node together with the status.
    row("", "nodes", Strategy { prepare_create: common::create_as_sent, ..STATUS }),
    row(
        "",
        "persistentvolumeclaims",
        Strategy { prepare_create: cluster::create_claim, prepare_update: cluster::update_claim, ..STATUS },
    ),
    row(
        "",
        "persistentvolumes",
        Strategy { prepare_create: cluster::create_volume, prepare_status: cluster::volume_status, ..STATUS },
    ),
    row(
        "",
        "pods",
        Strategy {
            prepare_create: pod::create,
            prepare_update: pod::update,
            prepare_status: pod::status,
            delete_grace: pod::grace,
            ..STATUS
        },
    ),
    row(
        "",
        "podtemplates",
        Strategy {
            prepare_create: common::create_first_generation,
            prepare_update: batch::update_counting_template,
            ..PLAIN
        },
    ),
    row("", "replicationcontrollers", Strategy { default_finalizing: Dependents::Orphan, ..COUNTED }),
    row("", "resourcequotas", STATUS),
    row("", "secrets", Strategy { prepare_update: cluster::update_secret, ..PLAIN }),
    row(
        "",
        "serviceaccounts",
        Strategy { prepare_create: cluster::create_account, prepare_update: cluster::update_account, ..PLAIN },
    ),
    row("", "services", Strategy { prepare_update: service::update, create_on_update: true, ..STATUS }),
    row("admissionregistration.k8s.io", "mutatingadmissionpolicies", GUARDED_SPEC),
    row("admissionregistration.k8s.io", "mutatingadmissionpolicybindings", GUARDED_SPEC),
    row("admissionregistration.k8s.io", "mutatingwebhookconfigurations", WEBHOOKS),
    row(
        "admissionregistration.k8s.io",
        "validatingadmissionpolicies",
        Strategy { prepare_status: common::status_keeping_spec_and_metadata, unconditional_update: false, ..COUNTED },
    ),
    row("admissionregistration.k8s.io", "validatingadmissionpolicybindings", GUARDED_SPEC),
    row("admissionregistration.k8s.io", "validatingwebhookconfigurations", WEBHOOKS),
    row(
        "apiregistration.k8s.io",
        "apiservices",
        Strategy {
            prepare_create: cluster::create_api_service,
            prepare_status: cluster::api_service_status,
            unconditional_update: false,
            ..STATUS
        },
    ),
    row("apps", "controllerrevisions", PLAIN),
    row(
        "apps",
        "daemonsets",
        Strategy { prepare_create: batch::create_daemon_set, prepare_update: batch::update_daemon_set, ..COUNTED },
    ),
    row(
        "apps",
        "deployments",
        Strategy {
            prepare_update: batch::update_deployment,
            prepare_status: common::status_keeping_spec_and_labels,
            ..COUNTED
        },
    ),
    row("apps", "replicasets", COUNTED),
    row("apps", "statefulsets", COUNTED),
    row("autoscaling", "horizontalpodautoscalers", COUNTED),
    row("batch", "cronjobs", COUNTED),
    row(
        "batch",
        "jobs",
        Strategy { prepare_create: batch::create_job, default_finalizing: Dependents::Orphan, ..COUNTED },
    ),
    row(
        "certificates.k8s.io",
        "certificatesigningrequests",
        Strategy {
            prepare_create: cluster::create_request,
            prepare_update: cluster::update_request,
            prepare_status: cluster::request_status,
            ..STATUS
        },
    ),
    row("certificates.k8s.io", "clustertrustbundles", GUARDED),
    row("certificates.k8s.io", "podcertificaterequests", GUARDED_STATUS),
    row("coordination.k8s.io", "leasecandidates", Strategy { create_on_update: true, ..GUARDED }),
    row("coordination.k8s.io", "leases", Strategy { create_on_update: true, ..GUARDED }),
    row(
        "discovery.k8s.io",
        "endpointslices",
        Strategy {
            prepare_create: common::create_first_generation,
            prepare_update: service::update_endpoint_slice,
            ..PLAIN
        },
    ),
    row("events.k8s.io", "events", EVENT),
    row("flowcontrol.apiserver.k8s.io", "flowschemas", FLOW),
    row("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations", FLOW),
    row("internal.apiserver.k8s.io", "storageversions", GUARDED_STATUS),
    row("lifecycle.k8s.io", "evictionrequests", GUARDED_COUNTED),
    row("lifecycle.k8s.io", "evictions", GUARDED_COUNTED),
    row("networking.k8s.io", "ingressclasses", COUNTED_SPEC),
    row("networking.k8s.io", "ingresses", COUNTED),
    row("networking.k8s.io", "ipaddresses", PLAIN),
    row("networking.k8s.io", "networkpolicies", COUNTED_SPEC),
    row(
        "networking.k8s.io",
        "servicecidrs",
        Strategy { prepare_status: common::status_keeping_spec_and_metadata, ..STATUS },
    ),
    row("node.k8s.io", "runtimeclasses", Strategy { create_on_update: true, ..GUARDED }),
    row("policy", "poddisruptionbudgets", Strategy { unconditional_update: false, ..COUNTED }),
    row("rbac.authorization.k8s.io", "clusterrolebindings", MADE_BY_PUT),
    row("rbac.authorization.k8s.io", "clusterroles", MADE_BY_PUT),
    row("rbac.authorization.k8s.io", "rolebindings", MADE_BY_PUT),
    row("rbac.authorization.k8s.io", "roles", MADE_BY_PUT),
    row("resource.k8s.io", "deviceclasses", COUNTED_SPEC),
    row(
        "resource.k8s.io",
        "devicetaintrules",
        Strategy { prepare_status: common::status_keeping_spec_and_metadata, unconditional_update: false, ..COUNTED },
    ),
    row(
        "resource.k8s.io",
        "resourceclaims",
        Strategy { prepare_status: common::status_keeping_spec_and_metadata, ..STATUS },
    ),
    row("resource.k8s.io", "resourceclaimtemplates", PLAIN),
    row("resource.k8s.io", "resourcepoolstatusrequests", GUARDED_STATUS),
    row("resource.k8s.io", "resourceslices", COUNTED_SPEC),
    row("scheduling.k8s.io", "compositepodgroups", GUARDED_STATUS),
    row("scheduling.k8s.io", "podgroups", GUARDED_STATUS),
    row("scheduling.k8s.io", "priorityclasses", Strategy { prepare_create: common::create_first_generation, ..PLAIN }),
    row("scheduling.k8s.io", "workloads", GUARDED),
    row("storage.k8s.io", "csidrivers", Strategy { prepare_update: common::update_counting_spec, ..GUARDED }),
    row("storage.k8s.io", "csinodes", GUARDED_STATUS),
    row("storage.k8s.io", "csistoragecapacities", GUARDED),
    row("storage.k8s.io", "storageclasses", PLAIN),
    row("storage.k8s.io", "volumeattachments", GUARDED_STATUS),
    row("storage.k8s.io", "volumeattributesclasses", PLAIN),
    row("storagemigration.k8s.io", "storageversionmigrations", GUARDED_STATUS),
];

/// Events have no dependents.
const EVENT: Strategy = Strategy { default_finalizing: Dependents::Unsupported, ..MADE_BY_PUT };

/// Admission policies and their bindings.
const GUARDED_SPEC: Strategy = Strategy { unconditional_update: false, ..COUNTED_SPEC };

/// Evictions.
const GUARDED_COUNTED: Strategy =
    Strategy { prepare_status: common::status_keeping_spec_and_metadata, unconditional_update: false, ..COUNTED };
