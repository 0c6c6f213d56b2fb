use coracle_apimachinery::json::decode_any;
use coracle_client::memory::Objects;
use coracle_client::resources::{CONFIG_MAPS, SECRETS, SERVICES};

use super::*;

fn view() -> View {
    Objects::new()
        .with_json(&CONFIG_MAPS, r#"{"metadata":{"namespace":"a","name":"c"},"data":{"k":"v","l":"w"}}"#)
        .with_json(&SECRETS, r#"{"metadata":{"namespace":"a","name":"s"},"data":{"p":"aGk="}}"#)
        .with_json(
            &SERVICES,
            r#"{"metadata":{"namespace":"default","name":"kubernetes"},"spec":{"clusterIP":"10.96.0.1","ports":[{"name":"https","port":443,"protocol":"TCP"}]}}"#,
        )
        .with_json(
            &SERVICES,
            r#"{"metadata":{"namespace":"a","name":"my-web"},"spec":{"clusterIP":"fd00::5","ports":[{"port":53,"protocol":"UDP"}]}}"#,
        )
        .with_json(&SERVICES, r#"{"metadata":{"namespace":"a","name":"none"},"spec":{"clusterIP":"None"}}"#)
        .view()
}

fn environment(container: &str, links: bool) -> Result<String, String> {
    let pod = format!(
        r#"{{"metadata":{{"namespace":"a","name":"p","uid":"u","labels":{{"x":"1","y":"\"2\""}}}},"spec":{{"enableServiceLinks":{links},"nodeName":"n"}}}}"#
    );
    let pod = decode_any(pod.as_bytes()).unwrap();
    let machine = Machine { cpus: 2, memory: 1 << 30, ..Machine::default() };
    let (ips, host_ips) = (["10.1.0.2".to_owned(), "fd01::2".to_owned()], ["10.0.0.1".to_owned()]);
    let place = Place { pod: &pod, ips: &ips, host_ips: &host_ips, machine: &machine };
    let variables = resolve(&view(), &place, &decode_any(container.as_bytes()).unwrap())?;
    let lines = variables.into_iter().filter(|(name, _)| !name.starts_with("KUBERNETES_PORT_"));
    Ok(lines.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" "))
}

const API: &str = "KUBERNETES_PORT=tcp://10.96.0.1:443 KUBERNETES_SERVICE_HOST=10.96.0.1 KUBERNETES_SERVICE_PORT=443 KUBERNETES_SERVICE_PORT_HTTPS=443";

#[test]
fn sources_are_resolved() {
    let cases = [
        (r#"{}"#, ""),
        (r#"{"env":[{"name":"A","value":"1"},{"name":"B","value":"$(A)$(KUBERNETES_SERVICE_PORT)"}]}"#, "A=1 B=1443"),
        (r#"{"env":[{"name":"A"}]}"#, "A="),
        (r#"{"envFrom":[{"prefix":"P_","configMapRef":{"name":"c"}},{"secretRef":{"name":"s"}}]}"#, "P_k=v P_l=w p=hi"),
        (r#"{"envFrom":[{"configMapRef":{"name":"c"}}],"env":[{"name":"k","value":"$(k)2"}]}"#, "k=v2 l=w"),
        (r#"{"env":[{"name":"A","valueFrom":{"configMapKeyRef":{"name":"c","key":"k"}}}]}"#, "A=v"),
        (r#"{"env":[{"name":"A","valueFrom":{"secretKeyRef":{"name":"s","key":"p"}}}]}"#, "A=hi"),
        (r#"{"env":[{"name":"A","valueFrom":{"secretKeyRef":{"name":"s","key":"q","optional":true}}}]}"#, ""),
        (r#"{"env":[{"name":"A","valueFrom":{"secretKeyRef":{"name":"t","key":"q","optional":true}}}]}"#, ""),
        (r#"{"env":[{"name":"A","valueFrom":{"fieldRef":{"fieldPath":"status.podIPs"}}}]}"#, "A=10.1.0.2,fd01::2"),
        (r#"{"env":[{"name":"A","valueFrom":{"fieldRef":{"fieldPath":"status.hostIP"}}}]}"#, "A=10.0.0.1"),
        (r#"{"env":[{"name":"A","valueFrom":{"fieldRef":{"fieldPath":"metadata.labels['x']"}}}]}"#, "A=1"),
        (
            r#"{"env":[{"name":"A","valueFrom":{"fieldRef":{"fieldPath":"metadata.labels"}}}]}"#,
            "A=x=\"1\"\ny=\"\\\"2\\\"\"",
        ),
        (
            r#"{"resources":{"limits":{"cpu":"1500m"}},"env":[{"name":"A","valueFrom":{"resourceFieldRef":{"resource":"limits.cpu"}}}]}"#,
            "A=2",
        ),
        (
            r#"{"env":[{"name":"A","valueFrom":{"resourceFieldRef":{"resource":"limits.memory","divisor":"1Mi"}}}]}"#,
            "A=1024",
        ),
        (
            r#"{"resources":{"requests":{"cpu":"250m"}},"env":[{"name":"A","valueFrom":{"resourceFieldRef":{"resource":"requests.cpu","divisor":"1m"}}}]}"#,
            "A=250",
        ),
    ];
    for (container, expected) in cases {
        let mut words: Vec<&str> = expected.split(' ').chain(API.split(' ')).filter(|word| !word.is_empty()).collect();
        words.sort_by_key(|word| word.split_once('=').unwrap().0);
        assert_eq!(environment(container, false), Ok(words.join(" ")), "{container}");
    }
}

#[test]
fn what_is_missing_is_named() {
    let cases = [
        (r#"{"configMapKeyRef":{"name":"d","key":"k"}}"#, r#"configmap "d" not found"#),
        (r#"{"secretKeyRef":{"name":"t","key":"k"}}"#, r#"secret "t" not found"#),
        (r#"{"configMapKeyRef":{"name":"c","key":"x"}}"#, "couldn't find key x in ConfigMap a/c"),
        (r#"{"secretKeyRef":{"name":"s","key":"x"}}"#, "couldn't find key x in Secret a/s"),
        (r#"{"fieldRef":{"fieldPath":"spec.x"}}"#, "unsupported fieldPath: spec.x"),
        (r#"{"resourceFieldRef":{"resource":"limits.x"}}"#, "unsupported container resource : limits.x"),
        (r#"{"resourceFieldRef":{"resource":"limits.cpu","containerName":"z"}}"#, "container z not found"),
    ];
    for (source, expected) in cases {
        let container = format!(r#"{{"env":[{{"name":"A","valueFrom":{source}}}]}}"#);
        assert_eq!(environment(&container, true), Err(expected.to_owned()), "{source}");
    }
}

#[test]
fn services_of_the_namespace_are_linked() {
    let links = environment("{}", true).unwrap();
    for expected in [
        "MY_WEB_SERVICE_HOST=fd00::5",
        "MY_WEB_SERVICE_PORT=53",
        "MY_WEB_PORT=udp://[fd00::5]:53",
        "MY_WEB_PORT_53_UDP=udp://[fd00::5]:53",
        "MY_WEB_PORT_53_UDP_PROTO=udp",
        "MY_WEB_PORT_53_UDP_PORT=53",
        "MY_WEB_PORT_53_UDP_ADDR=fd00::5",
    ] {
        assert!(links.split(' ').any(|word| word == expected), "{expected} in {links}");
    }
    assert!(!links.contains("NONE"));
}
