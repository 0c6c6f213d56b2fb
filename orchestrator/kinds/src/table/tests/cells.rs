//! Cells of every kind but the pod. The objects lack times, so that an age is unknown; the expected cells are those that
//! the real server gave whole objects.

use super::{group, now, object};
use crate::table::{Printer, cells};
use coracle_apimachinery::Value;
use coracle_apimachinery::json::decode_any;

const TEMPLATE: &str = r#""template":{"metadata":{"labels":{"a":"b"}},"spec":{"nodeSelector":{"z":"1","y":"2"},
    "containers":[{"name":"a","image":"i:1"},{"name":"b","image":"i:2"}]}}"#;
const SELECTOR: &str = r#"{"matchLabels":{"a":"b"},"matchExpressions":[{"key":"a","operator":"In","values":["d","b"]},
    {"key":"q","operator":"DoesNotExist"}]}"#;
const PORTS: &str = r#""ports":[{"port":80,"protocol":"TCP","nodePort":31626},{"port":53,"protocol":"UDP"}]"#;

/// Resource, apiVersion and kind, the members beside the metadata, and the cells behind the name.
type Case = (&'static str, &'static str, &'static str, &'static str);

fn check(cases: &[Case]) {
    for (resource, kind, members, expected) in cases {
        let (version, kind) = kind.split_once(' ').unwrap();
        let members = members.replace("TEMPLATE", TEMPLATE).replace("SELECTOR", SELECTOR).replace("PORTS", PORTS);
        let metadata = if members.starts_with("\"metadata\"") { "" } else { r#""metadata":{"name":"n"},"# };
        let json = format!(r#"{{"apiVersion":"{version}","kind":"{kind}",{metadata}{members}}}"#);
        let object = object(&json);
        let expected = decode_any(format!("[{expected}]").as_bytes()).unwrap();
        let cells = cells(group(&object), resource, &object, now());
        assert_eq!(cells, expected.items(), "{json}");
    }
}

#[test]
fn workloads() {
    check(&[
        ("podtemplates", "v1 PodTemplate", "TEMPLATE", r#""n","a,b","i:1,i:2","a=b""#),
        (
            "replicationcontrollers",
            "v1 ReplicationController",
            r#""spec":{"replicas":3,"selector":{"a":"b"},TEMPLATE},"status":{"replicas":2,"readyReplicas":1}"#,
            r#""n",3,2,1,"<unknown>","a,b","i:1,i:2","a=b""#,
        ),
        (
            "replicasets",
            "apps/v1 ReplicaSet",
            r#""spec":{"replicas":3,"selector":SELECTOR,TEMPLATE},"status":{"replicas":2,"readyReplicas":1}"#,
            r#""n",3,2,1,"<unknown>","a,b","i:1,i:2","a=b,a in (b,d),!q""#,
        ),
        (
            "deployments",
            "apps/v1 Deployment",
            r#""spec":{"replicas":0,"selector":SELECTOR,TEMPLATE},
            "status":{"readyReplicas":1,"updatedReplicas":2,"availableReplicas":3}"#,
            r#""n","1/0",2,3,"<unknown>","a,b","i:1,i:2","a=b,a in (b,d),!q""#,
        ),
        ("deployments", "apps/v1 Deployment", r#""spec":{"selector":{}}"#, r#""n","0/0",0,0,"<unknown>","","","""#),
        (
            "statefulsets",
            "apps/v1 StatefulSet",
            r#""spec":{"replicas":2,"selector":SELECTOR,TEMPLATE},"status":{"readyReplicas":1}"#,
            r#""n","1/2","<unknown>","a,b","i:1,i:2""#,
        ),
        (
            "daemonsets",
            "apps/v1 DaemonSet",
            r#""spec":{"selector":SELECTOR,TEMPLATE},"status":{"desiredNumberScheduled":5,"currentNumberScheduled":4,
            "numberReady":3,"updatedNumberScheduled":2,"numberAvailable":1}"#,
            r#""n",5,4,3,2,1,"y=2,z=1","<unknown>","a,b","i:1,i:2","a=b,a in (b,d),!q""#,
        ),
        ("controllerrevisions", "apps/v1 ControllerRevision", r#""revision":4"#, r#""n","<none>",4,"<unknown>""#),
        (
            "controllerrevisions",
            "apps/v1 ControllerRevision",
            r#""metadata":{"name":"n","ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"c"},
            {"apiVersion":"apps/v1","kind":"StatefulSet","name":"s","controller":true}]},"revision":5"#,
            r#""n","statefulset.apps/s",5,"<unknown>""#,
        ),
        ("scale", "autoscaling/v1 Scale", r#""spec":{"replicas":2},"status":{"replicas":1}"#, r#""n",2,1,"<unknown>""#),
        (
            "horizontalpodautoscalers",
            "autoscaling/v2 HorizontalPodAutoscaler",
            r#""spec":{"scaleTargetRef":{"kind":"Deployment","name":"d"},"maxReplicas":5},"status":{"currentReplicas":2}"#,
            r#""n","Deployment/d","<none>","<unset>",5,2,"<unknown>""#,
        ),
        (
            "poddisruptionbudgets",
            "policy/v1 PodDisruptionBudget",
            r#""spec":{"minAvailable":2}"#,
            r#""n","2","N/A",0,"<unknown>""#,
        ),
        (
            "poddisruptionbudgets",
            "policy/v1 PodDisruptionBudget",
            r#""spec":{"maxUnavailable":"50%"},"status":{"disruptionsAllowed":3}"#,
            r#""n","N/A","50%",3,"<unknown>""#,
        ),
    ]);
}

#[test]
fn jobs() {
    let cases = [
        ("", "", r#""Running","0/1","""#),
        (r#""parallelism":3"#, "", r#""Running","0/1 of 3","""#),
        (r#""completions":2"#, r#""startTime":"2001-02-03T03:57:00Z""#, r#""Running","0/2","63m""#),
        ("", r#""conditions":[{"type":"Suspended","status":"True"}]"#, r#""Suspended","0/1","""#),
        ("", r#""conditions":[{"type":"Suspended","status":"False"}]"#, r#""Running","0/1","""#),
        (
            "",
            r#""startTime":"2001-02-03T03:00:00Z","completionTime":"2001-02-03T03:03:05Z","succeeded":1,
            "conditions":[{"type":"SuccessCriteriaMet","status":"True"},{"type":"Complete","status":"True"}]"#,
            r#""Complete","1/1","3m5s""#,
        ),
        (
            "",
            r#""conditions":[{"type":"FailureTarget","status":"True"},{"type":"Failed","status":"True"}]"#,
            r#""Failed","0/1","""#,
        ),
        ("", r#""conditions":[{"type":"FailureTarget","status":"True"}]"#, r#""FailureTarget","0/1","""#),
    ];
    for (spec, status, expected) in cases {
        let json = format!(
            r#"{{"apiVersion":"batch/v1","kind":"Job","metadata":{{"name":"n"}},"spec":{{{spec}}},"status":{{{status}}}}}"#
        );
        let cells = cells("batch", "jobs", &object(&json), now());
        let expected = decode_any(format!("[{expected}]").as_bytes()).unwrap();
        assert_eq!(&cells[1..4], expected.items(), "{json}");
    }
    check(&[
        (
            "jobs",
            "batch/v1 Job",
            r#""metadata":{"name":"n","deletionTimestamp":"2001-02-03T04:00:00Z"}"#,
            r#""n","Terminating","0/1","","<unknown>","","","<none>""#,
        ),
        (
            "cronjobs",
            "batch/v1 CronJob",
            r#""spec":{"suspend":true,"schedule":"* * * * *","jobTemplate":{"spec":{TEMPLATE}}},
            "status":{"active":[{"name":"x"}],"lastScheduleTime":"2001-02-03T03:57:00Z"}"#,
            r#""n","* * * * *","<none>","True",1,"63m","<unknown>","a,b","i:1,i:2","<none>""#,
        ),
    ]);
}

#[test]
fn services_and_networking() {
    check(&[
        (
            "services",
            "v1 Service",
            r#""spec":{"type":"ClusterIP","clusterIPs":["10.0.0.1"],"externalIPs":["192.0.2.1","192.0.2.2"],PORTS}"#,
            r#""n","ClusterIP","10.0.0.1","192.0.2.1,192.0.2.2","80:31626/TCP,53/UDP","<unknown>","<none>""#,
        ),
        (
            "services",
            "v1 Service",
            r#""spec":{"type":"ClusterIP","clusterIPs":["None"],"selector":{"a":"b"}}"#,
            r#""n","ClusterIP","None","<none>","<none>","<unknown>","a=b""#,
        ),
        (
            "services",
            "v1 Service",
            r#""spec":{"type":"ExternalName","externalName":"e.example.com"}"#,
            r#""n","ExternalName","<none>","e.example.com","<none>","<unknown>","<none>""#,
        ),
        (
            "services",
            "v1 Service",
            r#""spec":{"type":"LoadBalancer"}"#,
            r#""n","LoadBalancer","<none>","<pending>","<none>","<unknown>","<none>""#,
        ),
        (
            "services",
            "v1 Service",
            r#""spec":{"type":"LoadBalancer"},"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.9"},
            {"hostname":"lb.example.com"},{"ip":"192.0.2.10"}]}}"#,
            r#""n","LoadBalancer","<none>","192.0.2.10,192.0.2.9,lb.example.com","<none>","<unknown>","<none>""#,
        ),
        (
            "services",
            "v1 Service",
            r#""spec":{"type":"LoadBalancer","externalIPs":["192.0.2.1"]},
            "status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.9"}]}}"#,
            r#""n","LoadBalancer","<none>","192.0.2.9,192.0.2.1","<none>","<unknown>","<none>""#,
        ),
        ("endpoints", "v1 Endpoints", r#""subsets":[]"#, r#""n","<none>","<unknown>""#),
        (
            "endpoints",
            "v1 Endpoints",
            r#""subsets":[{"addresses":[{"ip":"10.0.0.1"},{"ip":"10.0.0.2"},{"ip":"10.0.0.3"},{"ip":"10.0.0.4"}],
            "ports":[{"port":80,"name":"a"},{"port":81,"name":"b"}]}]"#,
            r#""n","10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 5 more...","<unknown>""#,
        ),
        (
            "endpoints",
            "v1 Endpoints",
            r#""subsets":[{"addresses":[{"ip":"fd00::1"}],"ports":[{"port":80}]},{"addresses":[{"ip":"10.0.0.3"}]}]"#,
            r#""n","[fd00::1]:80,10.0.0.3","<unknown>""#,
        ),
        (
            "endpoints",
            "v1 Endpoints",
            r#""subsets":[{"notReadyAddresses":[{"ip":"10.0.0.3"}],"ports":[{"port":80}]}]"#,
            r#""n","","<unknown>""#,
        ),
        (
            "endpointslices",
            "discovery.k8s.io/v1 EndpointSlice",
            r#""addressType":"IPv4","ports":[{"port":80,"name":"a"},{"name":"b"},{"port":1},{"port":2}],"endpoints":[
            {"addresses":["10.0.0.1"]},{"addresses":["10.0.0.2"]},{"addresses":["10.0.0.3"]},{"addresses":["10.0.0.4"]},
            {"addresses":["10.0.0.5"]}]"#,
            r#""n","IPv4","80,b,1 + 1 more...","10.0.0.1,10.0.0.2,10.0.0.3 + 2 more...","<unknown>""#,
        ),
        (
            "endpointslices",
            "discovery.k8s.io/v1 EndpointSlice",
            r#""addressType":"IPv6","ports":[{"name":""}]"#,
            r#""n","IPv6","<unset>","<unset>","<unknown>""#,
        ),
        (
            "ingresses",
            "networking.k8s.io/v1 Ingress",
            r#""spec":{"rules":[{"host":"a.x"},{"host":"b.x"},{"host":"c.x"},{},{"host":"d.x"}]}"#,
            r#""n","<none>","a.x,b.x,c.x + 2 more...","","80","<unknown>""#,
        ),
        (
            "ingresses",
            "networking.k8s.io/v1 Ingress",
            r#""spec":{"rules":[{},{"host":"a.x"},{"host":"b.x"},{"host":"c.x"}],"tls":[{"hosts":["a.x"]}]},
            "status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.9"},{"hostname":"lb.example.com"}]}}"#,
            r#""n","<none>","a.x,b.x,c.x","192.0.2.9,lb.example.com","80, 443","<unknown>""#,
        ),
        ("ingresses", "networking.k8s.io/v1 Ingress", r#""spec":{}"#, r#""n","<none>","*","","80","<unknown>""#),
        (
            "ingressclasses",
            "networking.k8s.io/v1 IngressClass",
            r#""metadata":{"name":"n","annotations":{"ingressclass.kubernetes.io/is-default-class":"true"}},
            "spec":{"controller":"example.com/c","parameters":{"apiGroup":"example.com","kind":"K","name":"k"}}"#,
            r#""n (default)","example.com/c","K.example.com/k","<unknown>""#,
        ),
        (
            "ingressclasses",
            "networking.k8s.io/v1 IngressClass",
            r#""spec":{"controller":"example.com/c","parameters":{"kind":"K","name":"k"}}"#,
            r#""n","example.com/c","K/k","<unknown>""#,
        ),
        (
            "networkpolicies",
            "networking.k8s.io/v1 NetworkPolicy",
            r#""spec":{"podSelector":{}}"#,
            r#""n","<none>","<unknown>""#,
        ),
        (
            "servicecidrs",
            "networking.k8s.io/v1 ServiceCIDR",
            r#""spec":{"cidrs":["10.99.0.0/24","fd00:99::/112"]}"#,
            r#""n","10.99.0.0/24,fd00:99::/112","<unknown>""#,
        ),
        (
            "ipaddresses",
            "networking.k8s.io/v1 IPAddress",
            r#""spec":{"parentRef":{"resource":"services","name":"c","namespace":"x"}}"#,
            r#""n","services/x/c","<unknown>""#,
        ),
        (
            "ipaddresses",
            "networking.k8s.io/v1 IPAddress",
            r#""spec":{"parentRef":{"group":"example.com","resource":"things","name":"c"}}"#,
            r#""n","things.example.com/c","<unknown>""#,
        ),
    ]);
}

#[test]
fn events_of_both_groups() {
    check(&[
        (
            "events",
            "v1 Event",
            r#""involvedObject":{"kind":"Pod","name":"p","fieldPath":"spec.containers{a}"},"reason":"R","type":"Normal",
            "message":" two \n","source":{"component":"k","host":"h"},"firstTimestamp":"2001-01-28T22:00:00Z",
            "lastTimestamp":"2001-02-03T03:57:00Z","count":3"#,
            r#""63m","Normal","R","pod/p","spec.containers{a}","k, h","two","5d7h",3,"n""#,
        ),
        (
            "events",
            "v1 Event",
            r#""involvedObject":{"kind":"Pod"},"reason":"R","message":"m","type":"Warning""#,
            r#""<unknown>","Warning","R","pod","","","m","<unknown>",1,"n""#,
        ),
        (
            "events",
            "v1 Event",
            r#""involvedObject":{"kind":"Pod","name":"p"},"reason":"R","message":"m","type":"Normal",
            "eventTime":"2001-02-03T03:57:00.000000Z","reportingComponent":"example.com/c","reportingInstance":"i",
            "series":{"count":7,"lastObservedTime":"2001-02-03T04:27:00.000000Z"}"#,
            r#""33m","Normal","R","pod/p","","example.com/c, i","m","63m",7,"n""#,
        ),
        (
            "events",
            "events.k8s.io/v1 Event",
            r#""regarding":{"kind":"Pod","name":"p","fieldPath":"spec.containers{a}"},"reason":"R","type":"Normal",
            "note":" two \n","deprecatedSource":{"component":"k","host":"h"},"deprecatedCount":3,
            "deprecatedFirstTimestamp":"2001-01-28T22:00:00Z","deprecatedLastTimestamp":"2001-02-03T03:57:00Z""#,
            r#""63m","Normal","R","pod/p","spec.containers{a}","k, h","two","5d7h",3,"n""#,
        ),
        (
            "events",
            "events.k8s.io/v1 Event",
            r#""regarding":{"kind":"Pod","name":"p"},"reason":"R","note":"m","type":"Normal",
            "eventTime":"2001-02-03T03:57:00.000000Z","reportingController":"example.com/c","reportingInstance":"i""#,
            r#""63m","Normal","R","pod/p","","example.com/c, i","m","63m",1,"n""#,
        ),
    ]);
}

#[test]
fn small_kinds_of_the_core() {
    check(&[
        ("configmaps", "v1 ConfigMap", r#""data":{"a":"1"},"binaryData":{"b":"YQ=="}"#, r#""n",2,"<unknown>""#),
        ("secrets", "v1 Secret", r#""type":"Opaque","data":{"a":"YQ=="}"#, r#""n","Opaque",1,"<unknown>""#),
        ("namespaces", "v1 Namespace", r#""status":{"phase":"Active"}"#, r#""n","Active","<unknown>""#),
        ("serviceaccounts", "v1 ServiceAccount", r#""secrets":[]"#, r#""n","<unknown>""#),
        ("limitranges", "v1 LimitRange", r#""spec":{}"#, r#""n","0001-01-01T00:00:00Z""#),
        (
            "limitranges",
            "v1 LimitRange",
            r#""metadata":{"name":"n","creationTimestamp":"2001-02-03T04:05:06Z"}"#,
            r#""n","2001-02-03T04:05:06Z""#,
        ),
        (
            "resourcequotas",
            "v1 ResourceQuota",
            r#""status":{"hard":{"pods":"4","limits.cpu":"2","requests.cpu":"1","limits.memory":"1Gi"},
            "used":{"pods":"1","limits.cpu":"500m"}}"#,
            r#""n","pods: 1/4, requests.cpu: 0/1","limits.cpu: 500m/2, limits.memory: 0/1Gi","<unknown>""#,
        ),
        (
            "componentstatuses",
            "v1 ComponentStatus",
            r#""conditions":[{"type":"Healthy","status":"False","message":"m","error":"e"}]"#,
            r#""n","Unhealthy","m","e""#,
        ),
        ("componentstatuses", "v1 ComponentStatus", r#""conditions":[]"#, r#""n","Unknown","","""#),
        (
            "nodes",
            "v1 Node",
            r#""metadata":{"name":"n","labels":{"node-role.kubernetes.io/worker":"","node-role.kubernetes.io/aa":"x",
            "kubernetes.io/role":"boss"}},"spec":{"unschedulable":true},"status":{"conditions":[{"type":"Ready",
            "status":"Unknown"}],"addresses":[{"type":"ExternalIP","address":"192.0.2.1"}]}"#,
            r#""n","NotReady,SchedulingDisabled","aa,boss,worker","<unknown>","","<none>","192.0.2.1","<unknown>",
            "<unknown>","<unknown>""#,
        ),
    ]);
}

#[test]
fn volumes() {
    check(&[
        (
            "persistentvolumes",
            "v1 PersistentVolume",
            r#""spec":{"capacity":{"storage":"1024Mi"},"accessModes":["ReadWriteMany","ReadWriteOnce"],
            "claimRef":{"namespace":"x","name":"pvc"},"storageClassName":"fast","volumeMode":"Filesystem",
            "persistentVolumeReclaimPolicy":"Retain"},"status":{"phase":"Bound","reason":"because"}"#,
            r#""n","1Gi","RWO,RWX","Retain","Bound","x/pvc","fast","<unset>","because","<unknown>","Filesystem""#,
        ),
        (
            "persistentvolumes",
            "v1 PersistentVolume",
            r#""metadata":{"name":"n","annotations":{"volume.beta.kubernetes.io/storage-class":"old"}},"spec":{
            "accessModes":["ReadOnlyMany"],"storageClassName":"new"}"#,
            r#""n","0","ROX","","","","old","<unset>","","<unknown>","<unset>""#,
        ),
        (
            "persistentvolumeclaims",
            "v1 PersistentVolumeClaim",
            r#""spec":{"volumeName":"pv","storageClassName":"fast"},"status":{"phase":"Bound","accessModes":[
            "ReadWriteOnce"],"capacity":{"storage":"1Gi"}}"#,
            r#""n","Bound","pv","1Gi","RWO","fast","<unset>","<unknown>","<unset>""#,
        ),
        (
            "persistentvolumeclaims",
            "v1 PersistentVolumeClaim",
            r#""metadata":{"name":"n","deletionTimestamp":"2001-02-03T04:00:00Z"},"spec":{"accessModes":["ReadWriteOnce"],
            "volumeAttributesClassName":"gold"},"status":{"phase":"Pending"}"#,
            r#""n","Terminating","","","","","gold","<unknown>","<unset>""#,
        ),
        (
            "volumeattachments",
            "storage.k8s.io/v1 VolumeAttachment",
            r#""spec":{"attacher":"a","nodeName":"x","source":{"persistentVolumeName":"pv"}},"status":{"attached":true}"#,
            r#""n","a","pv","x",true,"<unknown>""#,
        ),
        (
            "volumeattributesclasses",
            "storage.k8s.io/v1 VolumeAttributesClass",
            r#""driverName":"d""#,
            r#""n","d","<unknown>""#,
        ),
        ("csinodes", "storage.k8s.io/v1 CSINode", r#""spec":{"drivers":[{"name":"d"}]}"#, r#""n",1,"<unknown>""#),
        (
            "csidrivers",
            "storage.k8s.io/v1 CSIDriver",
            r#""spec":{}"#,
            r#""n",true,false,false,"<unset>",false,"<none>","<unknown>""#,
        ),
        (
            "csidrivers",
            "storage.k8s.io/v1 CSIDriver",
            r#""spec":{"attachRequired":false,"podInfoOnMount":true,"storageCapacity":true,"requiresRepublish":true,
            "tokenRequests":[{"audience":"a"},{"audience":"b"}],"volumeLifecycleModes":["Persistent","Ephemeral"]}"#,
            r#""n",false,true,true,"a,b",true,"Persistent,Ephemeral","<unknown>""#,
        ),
        (
            "storageclasses",
            "storage.k8s.io/v1 StorageClass",
            r#""provisioner":"p","reclaimPolicy":"Retain","volumeBindingMode":"WaitForFirstConsumer",
            "allowVolumeExpansion":true"#,
            r#""n","p","Retain","WaitForFirstConsumer",true,"<unknown>""#,
        ),
        (
            "storageclasses",
            "storage.k8s.io/v1 StorageClass",
            r#""provisioner":"p""#,
            r#""n","p","Delete","Immediate",false,"<unknown>""#,
        ),
    ]);
}

#[test]
fn a_list_marks_the_default_storage_class() {
    let class = |(name, mark, created): (&str, &str, &str)| {
        object(&format!(
            r#"{{"apiVersion":"storage.k8s.io/v1","kind":"StorageClass","metadata":{{"name":"{name}","annotations":{{
            "storageclass{mark}.kubernetes.io/is-default-class":"true"}},"creationTimestamp":"2001-02-03T{created}Z"}}}}"#
        ))
    };
    for (classes, expected) in [
        (&[("b", "", "04:00:00"), ("a", ".beta", "04:00:00")][..], &["b", "a (default)"][..]),
        (&[("a", "", "04:00:00"), ("b", "", "04:00:01")], &["a", "b (default)"]),
        (&[("a", ".other", "04:00:00"), ("b", "", "03:00:00")], &["a", "b (default)"]),
        (&[("a", ".other", "04:00:00")], &["a"]),
    ] {
        let classes: Vec<Value> = classes.iter().copied().map(class).collect();
        let rows = Printer::of("storage.k8s.io", "storageclasses").list(&classes.iter().collect::<Vec<_>>(), now());
        let names: Vec<&str> = rows.iter().map(|row| row[0].as_str().unwrap()).collect();
        assert_eq!(names, expected);
        // One by itself carries no mark.
        assert_eq!(cells("storage.k8s.io", "storageclasses", &classes[0], now())[0].as_str().unwrap().len(), 1);
    }
}

#[test]
fn access_and_certificates() {
    check(&[
        (
            "rolebindings",
            "rbac.authorization.k8s.io/v1 RoleBinding",
            r#""roleRef":{"kind":"Role","name":"r"},"subjects":[{"kind":"User","name":"u"},{"kind":"Group","name":"g"},
            {"kind":"User","name":"u2"},{"kind":"ServiceAccount","name":"s","namespace":"x"}]"#,
            r#""n","Role/r","<unknown>","u, u2","g","x/s""#,
        ),
        (
            "clusterrolebindings",
            "rbac.authorization.k8s.io/v1 ClusterRoleBinding",
            r#""roleRef":{"kind":"ClusterRole","name":"r"}"#,
            r#""n","ClusterRole/r","<unknown>","","","""#,
        ),
        (
            "certificatesigningrequests",
            "certificates.k8s.io/v1 CertificateSigningRequest",
            r#""spec":{"username":"admin"}"#,
            r#""n","<unknown>","<none>","admin","<none>","Pending""#,
        ),
        (
            "certificatesigningrequests",
            "certificates.k8s.io/v1 CertificateSigningRequest",
            r#""spec":{"signerName":"example.com/s","username":"admin","expirationSeconds":3700},"status":{"conditions":[
            {"type":"Failed"},{"type":"Approved"}]}"#,
            r#""n","<unknown>","example.com/s","admin","61m","Approved,Failed""#,
        ),
        (
            "certificatesigningrequests",
            "certificates.k8s.io/v1 CertificateSigningRequest",
            r#""spec":{"signerName":"s"},"status":{"conditions":[{"type":"Approved"},{"type":"Denied"}],
            "certificate":"YQ=="}"#,
            r#""n","<unknown>","s","","<none>","Denied,Issued""#,
        ),
        (
            "clustertrustbundles",
            "certificates.k8s.io/v1 ClusterTrustBundle",
            r#""spec":{"signerName":"s"}"#,
            r#""n","s""#,
        ),
        (
            "podcertificaterequests",
            "certificates.k8s.io/v1 PodCertificateRequest",
            r#""spec":{"podName":"p","serviceAccountName":"s","nodeName":"x","signerName":"i",
            "unverifiedUserAnnotations":{"a.example.com/b":"c"}},"status":{"conditions":[{"type":"Issued"}]}"#,
            r#""n","p","s","x","i","Issued","a.example.com/b=c""#,
        ),
    ]);
}

#[test]
fn the_cluster_and_its_extensions() {
    check(&[
        ("leases", "coordination.k8s.io/v1 Lease", r#""spec":{"holderIdentity":"me"}"#, r#""n","me","<unknown>""#),
        ("runtimeclasses", "node.k8s.io/v1 RuntimeClass", r#""handler":"h""#, r#""n","h","<unknown>""#),
        (
            "priorityclasses",
            "scheduling.k8s.io/v1 PriorityClass",
            r#""value":7,"preemptionPolicy":"Never""#,
            r#""n",7,false,"<unknown>","Never""#,
        ),
        (
            "flowschemas",
            "flowcontrol.apiserver.k8s.io/v1 FlowSchema",
            r#""spec":{"priorityLevelConfiguration":{"name":"p"},"matchingPrecedence":100,"distinguisherMethod":{
            "type":"ByUser"}},"status":{"conditions":[{"type":"Dangling","status":"False"}]}"#,
            r#""n","p",100,"ByUser","<unknown>","False""#,
        ),
        (
            "flowschemas",
            "flowcontrol.apiserver.k8s.io/v1 FlowSchema",
            r#""spec":{}"#,
            r#""n","",0,"<none>","<unknown>","?""#,
        ),
        (
            "prioritylevelconfigurations",
            "flowcontrol.apiserver.k8s.io/v1 PriorityLevelConfiguration",
            r#""spec":{"type":"Limited","limited":{"nominalConcurrencyShares":20,"limitResponse":{"type":"Queue",
            "queuing":{"queues":128,"handSize":6,"queueLengthLimit":50}}}}"#,
            r#""n","Limited",20,128,6,50,"<unknown>""#,
        ),
        (
            "prioritylevelconfigurations",
            "flowcontrol.apiserver.k8s.io/v1 PriorityLevelConfiguration",
            r#""spec":{"type":"Limited","limited":{"nominalConcurrencyShares":5,"limitResponse":{"type":"Reject"}}}"#,
            r#""n","Limited",5,"<none>","<none>","<none>","<unknown>""#,
        ),
        (
            "customresourcedefinitions",
            "apiextensions.k8s.io/v1 CustomResourceDefinition",
            r#""spec":{"group":"g","scope":"Namespaced","names":{"plural":"ts","kind":"T","shortNames":["t","tt"]},
            "versions":[{"name":"v2","served":true,"storage":true},{"name":"v1","served":true},{"name":"v3"}]},
            "status":{"conditions":[{"type":"Established","status":"True"}]}"#,
            r#""n","Namespaced","v1,v2(storage)","0001-01-01T00:00:00Z","g","T","t,tt",true"#,
        ),
        (
            "apiservices",
            "apiregistration.k8s.io/v1 APIService",
            r#""spec":{"service":{"namespace":"x","name":"s"}},"status":{"conditions":[{"type":"Available",
            "status":"False","reason":"ServiceNotFound"}]}"#,
            r#""n","x/s","False (ServiceNotFound)","<unknown>""#,
        ),
        ("apiservices", "apiregistration.k8s.io/v1 APIService", r#""spec":{}"#, r#""n","Local","Unknown","<unknown>""#),
        (
            "storageversionmigrations",
            "storagemigration.k8s.io/v1 StorageVersionMigration",
            r#""spec":{"resource":{"group":"apps","resource":"deployments"}},"status":{"conditions":[{"type":"Running",
            "status":"True"},{"type":"Failed","status":"False"}]}"#,
            r#""n","deployments.apps","Running""#,
        ),
    ]);
}

#[test]
fn admission_and_devices() {
    check(&[
        (
            "validatingwebhookconfigurations",
            "admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration",
            r#""webhooks":[{"name":"w"}]"#,
            r#""n",1,"<unknown>""#,
        ),
        (
            "validatingadmissionpolicies",
            "admissionregistration.k8s.io/v1 ValidatingAdmissionPolicy",
            r#""spec":{"paramKind":{"apiVersion":"v1","kind":"ConfigMap"},"validations":[{"expression":"true"}]}"#,
            r#""n",1,"v1/ConfigMap","<unknown>""#,
        ),
        (
            "mutatingadmissionpolicies",
            "admissionregistration.k8s.io/v1 MutatingAdmissionPolicy",
            r#""spec":{"mutations":[{"patchType":"JSONPatch"},{"patchType":"JSONPatch"}]}"#,
            r#""n",2,"<unset>","<unknown>""#,
        ),
        (
            "validatingadmissionpolicybindings",
            "admissionregistration.k8s.io/v1 ValidatingAdmissionPolicyBinding",
            r#""spec":{"policyName":"p","paramRef":{"name":"x"}}"#,
            r#""n","p","*/x","<unknown>""#,
        ),
        (
            "mutatingadmissionpolicybindings",
            "admissionregistration.k8s.io/v1 MutatingAdmissionPolicyBinding",
            r#""spec":{"policyName":"p","paramRef":{"name":"x","namespace":"y"}}"#,
            r#""n","p","y/x","<unknown>""#,
        ),
        (
            "validatingadmissionpolicybindings",
            "admissionregistration.k8s.io/v1 ValidatingAdmissionPolicyBinding",
            r#""spec":{"policyName":"p","paramRef":{"selector":{"matchLabels":{"a":"b"}}}}"#,
            r#""n","p","&LabelSelector{MatchLabels:map[string]string{a: b,},MatchExpressions:[]LabelSelectorRequirement{},}",
            "<unknown>""#,
        ),
        ("deviceclasses", "resource.k8s.io/v1 DeviceClass", r#""spec":{}"#, r#""n","<unknown>""#),
        ("resourceclaims", "resource.k8s.io/v1 ResourceClaim", r#""spec":{}"#, r#""n","pending","<unknown>""#),
        (
            "resourceclaims",
            "resource.k8s.io/v1 ResourceClaim",
            r#""metadata":{"name":"n","deletionTimestamp":"2001-02-03T04:00:00Z"},"status":{"allocation":{},
            "reservedFor":[{"resource":"pods","name":"p","uid":"1"}]}"#,
            r#""n","deleted,allocated,reserved","<unknown>""#,
        ),
        (
            "resourceslices",
            "resource.k8s.io/v1 ResourceSlice",
            r#""spec":{"driver":"d","nodeName":"x","pool":{"name":"p"}}"#,
            r#""n","x","d","p","<unknown>""#,
        ),
        (
            "devicetaintrules",
            "resource.k8s.io/v1 DeviceTaintRule",
            r#""spec":{"taint":{"key":"k","value":"v","effect":"NoExecute","timeAdded":"2001-02-03T04:59:22Z"}}"#,
            r#""n","k","v","NoExecute","38s","<unknown>""#,
        ),
    ]);
}
