//! Volumes and limits.

use super::{image, object_of, text, text_default};
use coracle_apimachinery::{Object, Value};

/// A volume without a source is an empty directory; an image is pulled like that of a container.
pub(super) fn volume(volume: &mut Object) {
    if volume.iter().all(|(name, _)| name == "name") {
        volume.insert("emptyDir".into(), object_of([]));
    }
    if let Some(image) = volume.get_mut("image").and_then(Value::as_object_mut)
        && text(image, "pullPolicy").is_empty()
    {
        let policy = image::pull_policy(text(image, "reference"));
        image.insert("pullPolicy".into(), Value::text(policy));
    }
}

/// A volume is kept when its claim goes.
pub(super) fn persistent_volume(volume: &mut Object) {
    let spec = volume.object_mut("spec");
    text_default(spec, "persistentVolumeReclaimPolicy", "Retain");
    spec.insert_default("volumeMode", || Value::text("Filesystem"));
}

/// For containers an unset default limit is the maximum, an unset default request the default limit or the minimum.
pub(super) fn limit_range_item(item: &mut Object) {
    if text(item, "type") != "Container" {
        return;
    }
    for (from, to) in [("max", "default"), ("default", "defaultRequest"), ("min", "defaultRequest")] {
        let Some(source) = item.get(from).and_then(Value::as_object).cloned() else { continue };
        let target = item.object_mut(to);
        for (name, amount) in source.iter() {
            if target.get(name).is_none() {
                target.insert(name.to_owned().into(), amount.clone());
            }
        }
    }
}
