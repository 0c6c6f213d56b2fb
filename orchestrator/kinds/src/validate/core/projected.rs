//! Volumes that put several sources into one directory.

use super::volume;
use crate::validate::format;
use crate::validate::labels;
use crate::validate::report::{At, Report};
use coracle_apimachinery::field::{Error, Path, quote};
use std::collections::HashSet;

const CONFLICT: &str = "conflicting duplicate paths";
const KEY_TYPES: [&str; 6] = ["RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519"];
const DAY: i64 = 24 * 60 * 60;
const SUBDOMAIN_MAX: usize = 253;
const LABEL_MAX: usize = 63;

/// The volume.
pub(crate) fn check(report: &mut Report, at: &At<'_>) {
    all(report, at, false);
}

/// The volume of an object that already has a token path which new objects may not have.
pub(crate) fn check_keeping_paths(report: &mut Report, at: &At<'_>) {
    all(report, at, true);
}

fn all(report: &mut Report, at: &At<'_>, keeps_paths: bool) {
    volume::mode(report, &at.get("defaultMode"));
    let mut paths = HashSet::new();
    for source in at.get("sources").items() {
        let mut count = 0;
        for (member, files) in [("secret", "items"), ("configMap", "items")] {
            let part = source.get(member);
            if part.is_set() {
                count += 1;
                report.required_text(&part.get("name"));
                for item in part.get(files).items() {
                    volume::key_to_path(report, &item);
                    let path = item.text_of("path");
                    if !path.is_empty() && !paths.insert(path) {
                        report.invalid(&at.path, part.text_of("name"), CONFLICT);
                    }
                }
            }
        }
        let downward = source.get("downwardAPI");
        if downward.is_set() {
            count += 1;
            for file in downward.get("items").items() {
                volume::downward_file(report, &At { value: file.value, path: downward.path.clone() });
                let path = file.text_of("path");
                if !path.is_empty() {
                    unique(report, &at.path, path, &mut paths);
                }
            }
        }
        let token = source.get("serviceAccountToken");
        if token.is_set() {
            count += 1;
            self::token(report, at, &token, keeps_paths);
        }
        let bundle = source.get("clusterTrustBundle");
        if bundle.is_set() {
            count += 1;
            self::bundle(report, &bundle);
            unique(report, &at.path, bundle.text_of("path"), &mut paths);
        }
        let certificate = source.get("podCertificate");
        if certificate.is_set() {
            count += 1;
            self::certificate(report, at, &certificate, &mut paths);
        }
        if count > 1 {
            report.forbidden(&source.path, "may not specify more than 1 volume type per source");
        }
    }
}

fn unique<'a>(report: &mut Report, place: &Path, path: &'a str, paths: &mut HashSet<&'a str>) {
    if !paths.insert(path) {
        report.invalid(place, path, CONFLICT);
    }
}

fn token(report: &mut Report, volume: &At<'_>, at: &At<'_>, keeps_paths: bool) {
    let expiration = at.get("expirationSeconds");
    match expiration.some_int() {
        None => report.required(&expiration.path, ""),
        Some(seconds) if seconds < 600 => {
            let detail = "may not specify a duration less than 10 minutes";
            report.invalid_number(&expiration.path, seconds, detail);
        }
        Some(seconds) if seconds > 1 << 32 => {
            let detail = "may not specify a duration larger than 2^32 seconds";
            report.invalid_number(&expiration.path, seconds, detail);
        }
        Some(_) => {}
    }
    // Upstream names the path after the volume.
    let path = At { value: at.member("path"), path: volume.path.child("path") };
    report.required_text(&path);
    if !keeps_paths {
        super::volume::plain_path(report, &path);
    }
}

fn bundle(report: &mut Report, at: &At<'_>) {
    let (name, signer, selector) = (at.get("name"), at.get("signerName"), at.get("labelSelector"));
    match (name.is_set(), signer.is_set()) {
        (true, true) => {
            let shown = || super::internal::show("ClusterTrustBundleProjection", at.value);
            report.invalid_shown(&at.path, shown, "only one of name and signerName may be used");
        }
        (true, false) => {
            if name.text().is_empty() {
                report.required(&name.path, "must be a valid object name");
            }
            for complaint in bundle_name(name.text()) {
                let detail = format!("not a valid clustertrustbundlename: {complaint}");
                report.invalid(&name.path, name.text(), detail);
            }
            if selector.is_set() {
                let detail = "labelSelector must be unset if name is specified";
                report.invalid_json(&selector.path, selector.value, detail);
            }
        }
        (false, true) => {
            if signer.text().is_empty() {
                report.required(&signer.path, "must be a valid signer name");
            }
            signer_name(report, &signer);
            labels::selector(report, &selector, false);
        }
        (false, false) => report.required(&at.path, "either name or signerName must be specified"),
    }
    let path = at.get("path");
    report.required_text(&path);
    volume::plain_path(report, &path);
}

fn bundle_name(name: &str) -> Vec<String> {
    match name.rsplit_once(':') {
        Some(("", _)) => vec!["ClusterTrustBundle without signer name must not have \":\" in its name".to_owned()],
        Some((_, rest)) => format::subdomain(rest),
        None => format::subdomain(name),
    }
}

fn certificate<'a>(report: &mut Report, volume: &At<'_>, at: &At<'a>, paths: &mut HashSet<&'a str>) {
    let signer = at.get("signerName");
    signer_name(report, &signer);
    let annotations = at.get("userAnnotations");
    for (key, _) in annotations.entries() {
        let key = key.to_lowercase();
        if key.is_empty() {
            report.required(&annotations.path, "");
            continue;
        }
        let complaints = format::label_key(&key);
        if complaints.is_empty() && !format::is_prefixed(&key) {
            report.invalid(&annotations.path, &key, "must be a domain-prefixed key (such as \"acme.io/foo\")");
        }
        report.complaints(&annotations.path, &key, complaints);
    }
    labels::annotations_size(report, &annotations);
    report.one_of(&at.get("keyType"), &KEY_TYPES);
    let expiration = at.get("maxExpirationSeconds");
    if let Some(seconds) = expiration.some_int() {
        if seconds < 3600 {
            let detail = "if provided, maxExpirationSeconds must be >= 3600";
            report.invalid_number(&expiration.path, seconds, detail);
        }
        let host = signer.text().split('/').next().unwrap_or_default();
        let own = host == "kubernetes.io" || host.ends_with(".kubernetes.io");
        let limit = if own { DAY } else { 91 * DAY };
        if seconds > limit {
            let detail = format!("if provided, maxExpirationSeconds must be <= {limit}");
            report.invalid_number(&expiration.path, seconds, detail);
        }
    }
    let mut count = 0;
    for member in ["credentialBundlePath", "keyPath", "certificateChainPath"] {
        let path = at.get(member);
        if !path.text().is_empty() {
            count += 1;
            super::volume::plain_path(report, &path);
            unique(report, &volume.path, path.text(), paths);
        }
    }
    if count == 0 {
        let detail = "specify at least one of credentialBundlePath, keyPath, and certificateChainPath";
        report.required(&at.path, detail);
    }
}

/// A name of a signer: a domain and a path.
pub(crate) fn signer_name(report: &mut Report, at: &At<'_>) {
    let name = at.text();
    if name.is_empty() {
        report.required(&at.path, "");
        return;
    }
    let mut parts = name.split('/');
    let (Some(domain), Some(path), None) = (parts.next(), parts.next(), parts.next()) else {
        let detail = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
        report.invalid(&at.path, name, detail);
        return;
    };
    if domain.len() > SUBDOMAIN_MAX {
        report.push(Error::too_long(&at.path, SUBDOMAIN_MAX));
    }
    first_bad_part(report, &at.path, domain, format::label);
    if !domain.contains('.') {
        let detail = "should be a domain with at least two segments separated by dots";
        report.invalid(&at.path, domain, detail);
    }
    first_bad_part(report, &at.path, path, format::subdomain);
    let limit = SUBDOMAIN_MAX + SUBDOMAIN_MAX + LABEL_MAX + 2;
    if name.len() > limit {
        report.push(Error::too_long(&at.path, limit));
    }
}

fn first_bad_part(report: &mut Report, path: &Path, text: &str, rule: fn(&str) -> Vec<String>) {
    for part in text.split('.') {
        let complaints = rule(part);
        if !complaints.is_empty() {
            let words = complaints.iter().map(|complaint| format!("validating label {}: {complaint}", quote(part)));
            report.complaints(path, text, words.collect());
            return;
        }
    }
}
