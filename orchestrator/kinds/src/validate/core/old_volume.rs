//! Sources of volumes that are bound to one storage system, most of which only exist in old objects.

use crate::validate::format::{self, range};
use crate::validate::report::{At, Report};

const ISCSI_LONG: &str = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.";
const HOST_PORTS: &str = "must be a host:port pair or multiple pairs separated by commas";

fn required(report: &mut Report, at: &At<'_>, names: &[&str]) {
    for name in names {
        report.required_text(&at.get(name));
    }
}

fn required_list(report: &mut Report, at: &At<'_>, name: &str) {
    if at.get(name).len() == 0 {
        report.required(&at.path.child(name), "");
    }
}

fn secret_name(report: &mut Report, at: &At<'_>) {
    let secret = at.get("secretRef");
    if secret.is_set() {
        report.required_text(&secret.get("name"));
    }
}

fn partition(report: &mut Report, at: &At<'_>) {
    let number = at.get("partition");
    if !(0..=255).contains(&number.int()) {
        report.invalid_number(&number.path, number.int(), range(1, 255));
    }
}

pub(crate) fn gce(report: &mut Report, at: &At<'_>) {
    required(report, at, &["pdName"]);
    partition(report, at);
}

pub(crate) fn aws(report: &mut Report, at: &At<'_>) {
    required(report, at, &["volumeID"]);
    partition(report, at);
}

pub(crate) fn glusterfs(report: &mut Report, at: &At<'_>) {
    required(report, at, &["endpoints", "path"]);
}

pub(crate) fn vsphere(report: &mut Report, at: &At<'_>) {
    required(report, at, &["volumePath"]);
}

pub(crate) fn photon(report: &mut Report, at: &At<'_>) {
    required(report, at, &["pdID"]);
}

pub(crate) fn portworx(report: &mut Report, at: &At<'_>) {
    required(report, at, &["volumeID"]);
}

pub(crate) fn scaleio(report: &mut Report, at: &At<'_>) {
    required(report, at, &["gateway", "system", "volumeName"]);
}

pub(crate) fn azure_file(report: &mut Report, at: &At<'_>) {
    required(report, at, &["secretName", "shareName"]);
}

pub(crate) fn rbd(report: &mut Report, at: &At<'_>) {
    required_list(report, at, "monitors");
    required(report, at, &["image"]);
}

pub(crate) fn cephfs(report: &mut Report, at: &At<'_>) {
    required_list(report, at, "monitors");
}

pub(crate) fn cinder(report: &mut Report, at: &At<'_>) {
    required(report, at, &["volumeID"]);
    secret_name(report, at);
}

pub(crate) fn storageos(report: &mut Report, at: &At<'_>) {
    report.required_format(&at.get("volumeName"), format::label);
    report.optional_format(&at.get("volumeNamespace"), format::label);
    secret_name(report, at);
}

pub(crate) fn flocker(report: &mut Report, at: &At<'_>) {
    let (name, id) = (at.get("datasetName"), at.text_of("datasetUUID"));
    if name.text().is_empty() && id.is_empty() {
        report.required(&at.path, "one of datasetName and datasetUUID is required");
    }
    if !name.text().is_empty() && !id.is_empty() {
        report.invalid(&at.path, "resource", "datasetName and datasetUUID can not be specified simultaneously");
    }
    if name.text().contains('/') {
        report.invalid(&name.path, name.text(), "must not contain '/'");
    }
}

pub(crate) fn quobyte(report: &mut Report, at: &At<'_>) {
    let registry = at.get("registry");
    if registry.text().is_empty() {
        report.required(&registry.path, HOST_PORTS);
    } else if at.text_of("tenant").len() >= 65 {
        report.required(&at.path.child("tenant"), "must be a UUID and may not exceed a length of 64 characters");
    } else {
        for pair in registry.text().split(',') {
            if !is_host_port(pair) && !report.is_full() {
                report.invalid(&registry.path, registry.text(), HOST_PORTS);
            }
        }
    }
    required(report, at, &["volume"]);
}

/// Whether Go's `net.SplitHostPort` takes a text.
fn is_host_port(text: &str) -> bool {
    match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']').is_some_and(|(host, port)| {
            !host.contains('[') && port.strip_prefix(':').is_some_and(|port| !port.contains([':', '[', ']']))
        }),
        None => text.matches(':').count() == 1 && !text.contains(['[', ']']),
    }
}

pub(crate) fn fibre_channel(report: &mut Report, at: &At<'_>) {
    let (targets, ids, lun) = (at.get("targetWWNs"), at.get("wwids"), at.get("lun"));
    if targets.len() == 0 && ids.len() == 0 {
        report.required(&targets.path, "must specify either targetWWNs or wwids, but not both");
    }
    if targets.len() != 0 && ids.len() != 0 {
        let detail = "targetWWNs and wwids can not be specified simultaneously";
        report.invalid_json(&targets.path, targets.value, detail);
    }
    if targets.len() != 0 {
        match lun.some_int() {
            None => report.required(&lun.path, "lun is required if targetWWNs is specified"),
            Some(number) if !(0..=255).contains(&number) => report.invalid_number(&lun.path, number, range(0, 255)),
            Some(_) => {}
        }
    }
}

pub(crate) fn flex(report: &mut Report, at: &At<'_>) {
    required(report, at, &["driver"]);
    let options = at.get("options");
    for (key, _) in options.entries() {
        let namespace = format!(".{}", key.split('/').next().unwrap_or_default().to_lowercase());
        if namespace.ends_with(".kubernetes.io") || namespace.ends_with(".k8s.io") {
            let detail = "kubernetes.io and k8s.io namespaces are reserved";
            report.invalid(&options.path.key(key), key, detail);
        }
    }
}

pub(crate) fn azure_disk(report: &mut Report, at: &At<'_>) {
    required(report, at, &["diskName", "diskURI"]);
    report.optional_one_of(&at.get("cachingMode"), &["None", "ReadOnly", "ReadWrite"]);
    report.optional_one_of(&at.get("kind"), &["Dedicated", "Managed", "Shared"]);
    let (kind, uri) = (at.get("kind"), at.get("diskURI"));
    if kind.is_set() && kind.text() == "Managed" && !uri.text().starts_with("/subscriptions/") {
        let form = "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}";
        report.not_supported(&uri.path, uri.text(), &[form]);
    }
    if kind.is_set() && kind.text() != "Managed" && !uri.text().starts_with("https://") {
        let form = "https://{account-name}.blob.windows.net/{container-name}/{disk-name}.vhd";
        report.not_supported(&uri.path, uri.text(), &[form]);
    }
}

/// The volume's own name counts towards a limit of iSCSI.
pub(crate) fn iscsi_name(report: &mut Report, volume: &At<'_>) {
    let iscsi = volume.get("iscsi");
    let name = volume.text_of("name");
    if iscsi.has("initiatorName") && name.len() + 1 + iscsi.text_of("targetPortal").len() > 64 {
        report.invalid(&volume.path.child("name"), name, ISCSI_LONG);
    }
}

pub(crate) fn iscsi(report: &mut Report, at: &At<'_>) {
    required(report, at, &["targetPortal"]);
    let iqn = at.get("iqn");
    if iqn.text().is_empty() {
        report.required(&iqn.path, "");
    } else {
        iscsi_identifier(report, &iqn);
    }
    let lun = at.get("lun");
    if !(0..=255).contains(&lun.int()) {
        report.invalid_number(&lun.path, lun.int(), range(0, 255));
    }
    if (at.flag_of("chapAuthDiscovery") || at.flag_of("chapAuthSession")) && !at.has("secretRef") {
        report.required(&at.path.child("secretRef"), "");
    }
    let initiator = at.get_as("initiatorName", "initiatorname");
    if initiator.is_set() {
        iscsi_identifier(report, &initiator);
    }
}

fn iscsi_identifier(report: &mut Report, at: &At<'_>) {
    let text = at.text();
    let good = match text.get(..3) {
        Some("iqn") => is_iqn(text),
        Some("eui") => is_fixed(text, 16),
        Some("naa") => is_fixed(text, 32),
        _ => {
            report.invalid(&at.path, text, "must be valid format starting with iqn, eui, or naa");
            return;
        }
    };
    if !good {
        report.invalid(&at.path, text, "must be valid format");
    }
}

/// Three letters, any character and a number of letters and digits.
fn is_fixed(text: &str, digits: usize) -> bool {
    let mut rest = text.chars().skip(3);
    rest.next().is_some_and(|separator| separator != '\n')
        && rest.clone().count() == digits
        && rest.all(|character| character.is_ascii_alphanumeric())
}

/// `iqn.YYYY-MM.` and a domain, then `:` and anything but a few characters to the end, found anywhere in the text.
fn is_iqn(text: &str) -> bool {
    let starts = text.match_indices("iqn.").take(64);
    starts.map(|(at, _)| &text.as_bytes()[at + 4..]).any(|rest| {
        let date =
            |at: usize, count: usize| rest.get(at..at + count).is_some_and(|part| part.iter().all(u8::is_ascii_digit));
        if !(date(0, 4) && rest.get(4) == Some(&b'-') && date(5, 2) && rest.get(7) == Some(&b'.')) {
            return false;
        }
        let tail = &rest[8..];
        let domain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
        let end = tail.iter().position(|byte| !domain(byte)).unwrap_or(tail.len());
        end > 0
            && tail.get(end) == Some(&b':')
            && tail.len() > end + 1
            && !tail[end + 1..].iter().any(|byte| b",;*&$|\t\n\x0c\r ".contains(byte))
    })
}
