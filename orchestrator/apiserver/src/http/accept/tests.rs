use super::*;
use crate::http::recorded;

/// kubectl's header for tables and for discovery.
const TABLES: &str =
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
const GROUPS: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

fn choice(accept: &str, offers: &Offers) -> Result<(Media, Transform), String> {
    negotiate(accept, offers, false).map(|output| (output.media, output.transform)).map_err(|status| status.message)
}

#[test]
fn objects_are_written_as_the_client_accepts() {
    for (accept, expected) in [
        ("", (Media::Json, Transform::None)),
        ("*/*", (Media::Json, Transform::None)),
        ("application/yaml", (Media::Yaml, Transform::None)),
        ("application/vnd.kubernetes.protobuf,application/json", (Media::Protobuf, Transform::None)),
        ("application/xml, */*;q=0.1", (Media::Json, Transform::None)),
        ("application/json;q=0.1,application/yaml", (Media::Yaml, Transform::None)),
        ("application/json; q=0", (Media::Json, Transform::None)),
        ("application/json;q=x", (Media::Json, Transform::None)),
        ("application/json;stream=watch", (Media::Json, Transform::None)),
        ("application/json;sv=v1", (Media::Json, Transform::None)),
        ("*/*,application/yaml;q=0.5", (Media::Yaml, Transform::None)),
        (TABLES, (Media::Json, Transform::Table(MetaVersion::V1))),
        ("application/yaml;as=Table;g=meta.k8s.io;v=v1", (Media::Yaml, Transform::Table(MetaVersion::V1))),
        ("application/json;as=Table;g=meta.k8s.io;v=v1beta1", (Media::Json, Transform::Table(MetaVersion::V1beta1))),
        (
            "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
            (Media::Protobuf, Transform::Metadata(MetaVersion::V1)),
        ),
        (
            "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
            (Media::Json, Transform::MetadataList(MetaVersion::V1)),
        ),
        (
            "application/vnd.kubernetes.protobuf;as=Table;g=meta.k8s.io;v=v1,application/json",
            (Media::Json, Transform::None),
        ),
    ] {
        assert_eq!(choice(accept, &Offers::OBJECT), Ok(expected), "{accept}");
        assert_eq!(choice(accept, &Offers::LIST), Ok(expected), "{accept}");
    }
}

#[test]
fn what_nobody_has_is_refused_by_the_router_or_behind_it() {
    let routed = "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, application/vnd.kubernetes.protobuf, application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch";
    for accept in ["application/xml", "application/*", "text/*", "foo", ",", "APPLICATION/JSON", "application/cbor"] {
        assert_eq!(choice(accept, &Offers::LIST), Err(routed.to_owned()), "{accept}");
    }
    let behind = "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf";
    for accept in [
        "application/json;as=Foo;g=meta.k8s.io;v=v1",
        "application/json;as=Table;g=meta.k8s.io;v=v2",
        "application/json;as=Table",
        "application/vnd.kubernetes.protobuf;as=Table;g=meta.k8s.io;v=v1",
        "application/json;stream=foo",
        "application/yaml;stream=watch",
        "application/json;sv=v2",
    ] {
        assert_eq!(choice(accept, &Offers::LIST), Err(behind.to_owned()), "{accept}");
    }
    recorded::assert_is(&negotiate("application/xml", &Offers::OBJECT, false).unwrap_err(), "error-not-acceptable");
    let stream = negotiate_stream("application/yaml", &Offers::LIST).unwrap_err().message;
    let expected = "only the following media types are accepted: application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch";
    assert_eq!(stream, expected);
}

#[test]
fn custom_resources_have_protobuf_only_for_metadata() {
    let protobuf = "application/vnd.kubernetes.protobuf";
    let message = "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf";
    assert_eq!(choice(protobuf, &Offers::CUSTOM), Err(message.to_owned()));
    let json = format!("{protobuf},application/json");
    assert_eq!(choice(&json, &Offers::CUSTOM), Ok((Media::Json, Transform::None)));
    let metadata = format!("{protobuf};as=PartialObjectMetadata;g=meta.k8s.io;v=v1");
    assert_eq!(choice(&metadata, &Offers::CUSTOM), Ok((Media::Protobuf, Transform::Metadata(MetaVersion::V1))));
    assert_eq!(choice("application/*", &Offers::CUSTOM), Ok((Media::Json, Transform::None)));
}

#[test]
fn discovery_has_its_own_forms() {
    let aggregated = negotiate(GROUPS, &Offers::AGGREGATED, false).unwrap();
    assert_eq!(aggregated.content_type(), "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
    let older = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
    for accept in ["", "application/json", "*/*", older] {
        assert!(negotiate(accept, &Offers::AGGREGATED, false).is_err(), "{accept}");
    }
    for offers in [Offers::DISCOVERY, Offers::GROUPS] {
        assert_eq!(choice(GROUPS, &offers), Ok((Media::Json, Transform::None)));
        assert!(choice(older, &offers).is_err());
        assert_eq!(choice("application/yaml", &offers), Ok((Media::Yaml, Transform::None)));
    }
    assert!(choice("application/xml", &Offers::DISCOVERY).unwrap_err().starts_with("406: Not Acceptable"));
    assert!(choice("application/xml", &Offers::GROUPS).unwrap_err().starts_with("only the following"));
}

#[test]
fn the_version_is_json_whatever_the_parameters() {
    for accept in ["", TABLES, GROUPS, "application/json;as=Table;g=meta.k8s.io;v=v1"] {
        assert_eq!(choice(accept, &Offers::VERSION), Ok((Media::Json, Transform::None)), "{accept}");
    }
    let message = "406: Not Acceptable\n\nAvailable representations: application/json";
    assert_eq!(choice("application/yaml", &Offers::VERSION), Err(message.to_owned()));
}

#[test]
fn failures_are_written_as_the_client_accepts() {
    let only_table = "application/json;as=Table;g=meta.k8s.io;v=v1";
    for (accept, media, pretty) in [
        ("", Media::Json, false),
        (TABLES, Media::Json, false),
        ("application/yaml", Media::Yaml, false),
        ("application/vnd.kubernetes.protobuf", Media::Protobuf, false),
        (only_table, Media::Json, true),
        ("application/xml", Media::Json, true),
        ("application/json;pretty=1", Media::Json, true),
    ] {
        assert_eq!(negotiate_error(accept, false), Output { media, transform: Transform::None, pretty }, "{accept}");
    }
}

#[test]
fn types_are_written_as_upstream_writes_them() {
    let types = Media::ALL.map(|media| (media.as_str(), media.stream()));
    assert_eq!(types[0], ("application/json", "application/json"));
    assert_eq!(types[2], ("application/vnd.kubernetes.protobuf", "application/vnd.kubernetes.protobuf;stream=watch"));
    let message = "you requested PartialObjectMetadata, but the requested object is a list (*core.ConfigMapList)";
    assert_eq!(not_a_list(Transform::Metadata(MetaVersion::V1), "*core.ConfigMapList").message, message);
}

#[test]
fn hostile_headers_are_only_refused() {
    let long = "a/b;q=0.1,".repeat(10_000);
    for accept in [long.as_str(), ";;;", "/", "a/", "=", "a/b;=;==;q==", "*/*;q=NaN", "é/ü"] {
        let _ = negotiate(accept, &Offers::GROUPS, false);
    }
}

/// kubectl asks with the old name alone.
#[test]
fn openapi_v2_is_json_or_protobuf() {
    let (json, protobuf) = (Some(OpenApi::Json), Some(OpenApi::Protobuf));
    for (accept, expected) in [
        ("", json),
        ("*/*", json),
        ("*", json),
        ("application/*", json),
        ("*/json", json),
        ("application/json", json),
        ("application/json;q=0.5;charset=x", json),
        ("application/com.github.proto-openapi.spec.v2@v1.0+protobuf", protobuf),
        ("application/com.github.proto-openapi.spec.v2.v1.0+protobuf", protobuf),
        ("application/json;q=0.5,application/com.github.proto-openapi.spec.v2@v1.0+protobuf", protobuf),
        ("application/com.github.proto-openapi.spec.v2@v1.0+protobuf;q=0.5,application/json", json),
        ("*/*,application/com.github.proto-openapi.spec.v2.v1.0+protobuf", protobuf),
        ("text/html,application/json", json),
        ("application/yaml", None),
        ("application/vnd.kubernetes.protobuf", None),
        ("application/com.github.proto-openapi.spec.v3.v1.0+protobuf", None),
        ("text/*", None),
        (",", None),
    ] {
        assert_eq!(OpenApi::negotiate(accept), expected, "{accept}");
    }
}
