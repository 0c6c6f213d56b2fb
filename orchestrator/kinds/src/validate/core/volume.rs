//! Volumes of pods: each names exactly one source, and each source has its own rule.

use super::pod::Options;
use super::{claim, container, environment, old_volume, projected};
use crate::validate::format::{self, NameRule};
use crate::validate::quantity::Quantity;
use crate::validate::report::{At, Report};
use std::collections::{HashMap, HashSet};

pub(crate) const FILE_MODE: &str = "must be a number between 0 and 0777 (octal), both inclusive";
const MODE_MAX: i64 = 0o777;
const DOWNWARD_FIELDS: [&str; 5] =
    ["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];
const HOST_PATH_TYPES: [&str; 8] =
    ["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];

type Rule = fn(&mut Report, &At<'_>);

/// A source: its member, its place when it is one too many, its place otherwise, its rule. Places are upstream's.
const SOURCES: [(&str, &str, &str, Rule); 29] = [
    ("emptyDir", "emptyDir", "emptyDir", empty_directory),
    ("hostPath", "hostPath", "hostPath", host_path),
    ("gitRepo", "gitRepo", "gitRepo", git_repository),
    ("gcePersistentDisk", "gcePersistentDisk", "persistentDisk", old_volume::gce),
    ("awsElasticBlockStore", "awsElasticBlockStore", "awsElasticBlockStore", old_volume::aws),
    ("secret", "secret", "secret", secret),
    ("nfs", "nfs", "nfs", nfs),
    ("iscsi", "iscsi", "iscsi", old_volume::iscsi),
    ("glusterfs", "glusterfs", "glusterfs", old_volume::glusterfs),
    ("flocker", "flocker", "flocker", old_volume::flocker),
    ("persistentVolumeClaim", "persistentVolumeClaim", "persistentVolumeClaim", persistent_claim),
    ("rbd", "rbd", "rbd", old_volume::rbd),
    ("cinder", "cinder", "cinder", old_volume::cinder),
    ("cephfs", "cephFS", "cephfs", old_volume::cephfs),
    ("quobyte", "quobyte", "quobyte", old_volume::quobyte),
    ("downwardAPI", "downwarAPI", "downwardAPI", downward),
    ("fc", "fc", "fc", old_volume::fibre_channel),
    ("flexVolume", "flexVolume", "flexVolume", old_volume::flex),
    ("configMap", "configMap", "configMap", config_map),
    ("azureFile", "azureFile", "azureFile", old_volume::azure_file),
    ("vsphereVolume", "vsphereVolume", "vsphereVolume", old_volume::vsphere),
    ("photonPersistentDisk", "photonPersistentDisk", "photonPersistentDisk", old_volume::photon),
    ("portworxVolume", "portworxVolume", "portworxVolume", old_volume::portworx),
    ("azureDisk", "azureDisk", "azureDisk", old_volume::azure_disk),
    ("storageos", "storageos", "storageos", old_volume::storageos),
    ("projected", "projected", "projected", projected::check),
    ("scaleIO", "scaleIO", "scaleIO", old_volume::scaleio),
    ("csi", "csi", "csi", csi),
    ("ephemeral", "ephemeral", "ephemeral", claim::ephemeral),
];

/// The volumes of a pod; returns the sound ones by name. `pod` is the name of the pod, unless this is a template.
pub(crate) fn all<'a>(
    report: &mut Report,
    at: &At<'a>,
    pod: Option<&str>,
    options: &Options,
) -> HashMap<&'a str, At<'a>> {
    let pod = pod.filter(|name| !name.is_empty());
    let created: HashSet<String> = pod
        .into_iter()
        .flat_map(|pod| {
            let ephemeral = at.items().filter(|volume| volume.has("ephemeral"));
            ephemeral.map(move |volume| format!("{pod}-{}", volume.text_of("name")))
        })
        .collect();
    let mut sound = HashMap::new();
    for volume in at.items() {
        let mut found = Report::default();
        source(&mut found, &volume, pod, options);
        let name = volume.get("name");
        found.required_format(&name, format::label);
        if sound.contains_key(name.text()) {
            found.duplicate(&name.path, name.text());
        }
        let claim = volume.get("persistentVolumeClaim").get("claimName");
        let clashes = created.contains(claim.text());
        if found.len() == 0 {
            sound.insert(name.text(), volume);
        } else {
            report.append(found);
        }
        if clashes {
            let detail = "must not reference a PVC that gets created for an ephemeral volume";
            report.invalid(&claim.path, claim.text(), detail);
        }
    }
    sound
}

fn source(report: &mut Report, volume: &At<'_>, pod: Option<&str>, options: &Options) {
    let mut found = false;
    for (member, extra, place, rule) in SOURCES {
        if !volume.has(member) {
            continue;
        }
        if found {
            report.forbidden(&volume.path.child(extra), "may not specify more than 1 volume type");
        } else {
            found = true;
            if member == "projected" && options.keeps_wide_token_paths {
                projected::check_keeping_paths(report, &volume.get_as(member, place));
            } else {
                rule(report, &volume.get_as(member, place));
            }
            if member == "ephemeral" {
                claim_name(report, volume, pod);
            }
        }
        if member == "iscsi" {
            old_volume::iscsi_name(report, volume);
        }
    }
    let image = volume.get("image");
    if image.is_set() {
        if found {
            report.forbidden(&image.path, "may not specify more than 1 volume type");
        } else {
            found = true;
            if !options.keeps_empty_image_reference {
                report.required_text(&image.get("reference"));
            }
            container::pull_policy(report, &image.get("pullPolicy"));
        }
    }
    if !found {
        report.required(&volume.path, "must specify a volume type");
    }
}

fn claim_name(report: &mut Report, volume: &At<'_>, pod: Option<&str>) {
    let name = volume.text_of("name");
    if let Some(pod) = pod
        && !name.is_empty()
    {
        let claim = format!("{pod}-{name}");
        for complaint in format::subdomain(&claim) {
            let detail = format!("PVC name {}: {complaint}", coracle_apimachinery::field::quote(&claim));
            report.invalid(&volume.path.child("name"), name, detail);
        }
    }
}

fn empty_directory(report: &mut Report, at: &At<'_>) {
    let limit = at.get("sizeLimit");
    if Quantity::new(limit.text()).is_negative() {
        report.forbidden(&limit.path, "SizeLimit field must be a valid resource quantity");
    }
}

fn host_path(report: &mut Report, at: &At<'_>) {
    let path = at.get("path");
    if path.text().is_empty() {
        report.required(&path.path, "");
        return;
    }
    no_backsteps(report, &path);
    report.optional_one_of(&at.get("type"), &HOST_PATH_TYPES);
}

fn git_repository(report: &mut Report, at: &At<'_>) {
    report.required_text(&at.get("repository"));
    descending_path(report, &at.get("directory"));
}

fn nfs(report: &mut Report, at: &At<'_>) {
    report.required_text(&at.get("server"));
    let path = at.get("path");
    report.required_text(&path);
    if !path.text().starts_with('/') {
        report.invalid(&path.path, path.text(), "must be an absolute path");
    }
}

fn persistent_claim(report: &mut Report, at: &At<'_>) {
    report.required_text(&at.get("claimName"));
}

fn secret(report: &mut Report, at: &At<'_>) {
    report.required_text(&at.get("secretName"));
    mode(report, &at.get("defaultMode"));
    keys(report, &at.get("items"));
}

fn config_map(report: &mut Report, at: &At<'_>) {
    report.required_text(&at.get("name"));
    mode(report, &at.get("defaultMode"));
    keys(report, &at.get("items"));
}

fn downward(report: &mut Report, at: &At<'_>) {
    mode(report, &at.get("defaultMode"));
    for file in at.get("items").items() {
        // Upstream does not number the files.
        downward_file(report, &At { value: file.value, path: at.path.clone() });
    }
}

fn csi(report: &mut Report, at: &At<'_>) {
    driver_name(report, &at.get("driver"));
    let secret = at.get("nodePublishSecretRef");
    if secret.is_set() {
        let name = secret.text_of("name");
        if name.is_empty() {
            report.required(&secret.path.child("name"), "");
        } else {
            report.complaints(&at.path.child("name"), name, NameRule::Subdomain.check(name, false));
        }
    }
}

/// A name of a CSI driver.
pub(crate) fn driver_name(report: &mut Report, at: &At<'_>) {
    if at.text().is_empty() {
        report.required(&at.path, "");
        return;
    }
    if at.text().len() > 63 {
        report.push(coracle_apimachinery::field::Error::too_long(&at.path, 63));
    }
    report.complaints(&at.path, at.text(), format::subdomain(&at.text().to_lowercase()));
}

/// A file mode, if there is one.
pub(crate) fn mode(report: &mut Report, at: &At<'_>) {
    if let Some(mode) = at.some_int().filter(|mode| !(0..=MODE_MAX).contains(mode)) {
        report.invalid_number(&at.path, mode, FILE_MODE);
    }
}

/// Keys that become files.
pub(crate) fn keys(report: &mut Report, at: &At<'_>) {
    for item in at.items() {
        key_to_path(report, &item);
    }
}

/// A key that becomes a file.
pub(crate) fn key_to_path(report: &mut Report, at: &At<'_>) {
    report.required_text(&at.get("key"));
    let path = at.get("path");
    report.required_text(&path);
    plain_path(report, &path);
    mode(report, &at.get("mode"));
}

/// A file with a field or resource of the pod.
pub(crate) fn downward_file(report: &mut Report, at: &At<'_>) {
    let path = at.get("path");
    report.required_text(&path);
    plain_path(report, &path);
    let (field, resource) = (at.get("fieldRef"), at.get("resourceFieldRef"));
    if field.is_set() {
        environment::field_selector(report, &field, &DOWNWARD_FIELDS);
        if resource.is_set() {
            let detail = "fieldRef and resourceFieldRef can not be specified simultaneously";
            report.invalid(&at.path, "resource", detail);
        }
    } else if resource.is_set() {
        environment::resource_selector(report, &resource, true);
    } else {
        report.required(&at.path, "one of fieldRef and resourceFieldRef is required");
    }
    mode(report, &at.get("mode"));
}

/// A path that stays below where it begins.
pub(crate) fn descending_path(report: &mut Report, at: &At<'_>) {
    if at.text().starts_with('/') {
        report.invalid(&at.path, at.text(), "must be a relative path");
    }
    no_backsteps(report, at);
}

/// A path that stays below where it begins and whose first part does not begin with two dots.
pub(crate) fn plain_path(report: &mut Report, at: &At<'_>) {
    descending_path(report, at);
    if at.text().starts_with("..") && !at.text().starts_with("../") {
        report.invalid(&at.path, at.text(), "must not start with '..'");
    }
}

/// A path without `..` as a part.
pub(crate) fn no_backsteps(report: &mut Report, at: &At<'_>) {
    if has_backstep(at.text()) {
        report.invalid(&at.path, at.text(), "must not contain '..'");
    }
}

/// Whether a path has `..` as a part.
pub(crate) fn has_backstep(path: &str) -> bool {
    path.split('/').any(|part| part == "..")
}
