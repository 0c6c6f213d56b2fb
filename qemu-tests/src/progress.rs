//! A boot as a person wants to read it: one line for each step that says something.

use coracle_contract::marker::Marker;

/// What a marker of a boot means to whoever waits for it; nothing for steps between.
#[must_use]
pub fn line(marker: &Marker) -> Option<String> {
    let field = |key| marker.get(key).unwrap_or("?");
    let text = match (marker.name(), field("name"), field("event")) {
        ("slot", ..) => {
            let (slot, version, role) = (field("slot"), field("version"), field("key-role"));
            format!("slot {slot}, version {version}, signed by a {role} key")
        }
        ("stage", "root", _) => "root file system mounted, every read of it is verified".to_owned(),
        ("state" | "data", ..) => format!("{} {}", marker.name().to_uppercase(), field("status")),
        ("seed", ..) if marker.get("status") == Some("copied") => format!("configuration found: {}", field("source")),
        ("hold", ..) => format!("the device holds: {}", field("reason")),
        ("fatal", ..) => format!("fatal in {}: {}", field("stage"), field("error")),
        ("orchestrator", _, "started") => "orchestrator started".to_owned(),
        ("orchestrator", _, "exited") => format!("orchestrator ended: {}", field("status")),
        ("serving", ..) => format!("API listens on {}", field("address")),
        ("uplink", ..) if marker.get("primary") == Some("true") => {
            format!("{} has {}", field("nic"), field("addresses"))
        }
        ("gate", ..) => format!("health gate {}", field("result")),
        ("node", ..) => format!("node {} {}", field("name"), field("event")),
        ("power", ..) => format!("{} ({})", field("action"), field("reason")),
        _ => return None,
    };
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_that_matter_have_a_line() {
        for (text, expected) in [
            ("state status=made", Some("STATE made")),
            ("stage name=root at-ms=7 part=initrd", Some("root file system mounted, every read of it is verified")),
            ("stage name=verity at-ms=7 part=initrd", None),
            ("uplink nic=eth0 addresses=10.0.2.15/24 primary=true", Some("eth0 has 10.0.2.15/24")),
            ("uplink nic=eth1 addresses=10.0.3.15/24 primary=false", None),
            ("orchestrator event=started pid=7", Some("orchestrator started")),
            ("gate result=passed boot-state=healthy", Some("health gate passed")),
            ("fatal stage=verity error=\"no hash\"", Some("fatal in verity: no hash")),
            ("seed source=nocloud status=copied bytes=7", Some("configuration found: nocloud")),
            ("seed source=esp status=absent", None),
        ] {
            let marker = Marker::find(&format!("CORACLE-MARK {text}")).unwrap();
            assert_eq!(line(&marker).as_deref(), expected, "{text}");
        }
    }
}
