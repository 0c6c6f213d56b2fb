//! The mounts of a container's volumes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use coracle_apimachinery::Value;
use coracle_client::object;
use oci_spec::runtime::Mount;

use super::mounter::Mounter;
use super::{Volume, host_path, sub_path};
use crate::places::is_component;
use crate::spec::mounts::bind;

/// Where parts of a container's volumes are mounted: `volume-subpaths/VOLUME/CONTAINER/INDEX` in the pod's folder.
const PARTS: &str = "volume-subpaths";

/// What mounts are made from.
pub(super) struct Inputs<'a> {
    pub(super) pod: &'a Value,
    pub(super) container: &'a Value,
    pub(super) env: &'a [(String, String)],
    /// The folder of the pod's volumes and files.
    pub(super) folder: &'a Path,
    pub(super) mounter: &'a dyn Mounter,
}

/// The mounts of a container, those higher in its tree first.
///
/// # Errors
/// A volume is missing, or a part of it cannot be had.
pub(super) fn mounts(inputs: &Inputs<'_>) -> Result<Vec<Mount>, String> {
    let mut mounts = Vec::new();
    for (index, mount) in object::items(inputs.container, &["volumeMounts"]).iter().enumerate() {
        mounts.push(one(inputs, index, mount)?);
    }
    mounts.sort_by_key(|mount| mount.destination().components().count());
    Ok(mounts)
}

fn one(inputs: &Inputs<'_>, index: usize, mount: &Value) -> Result<Mount, String> {
    let name = mount.text_at(&["name"]);
    let volume = object::named(object::items(inputs.pod, &["spec", "volumes"]), "name", name);
    let missing =
        || format!("cannot find volume {name:?} to mount into container {:?}", inputs.container.text_at(&["name"]));
    let volume = volume.filter(|_| is_component(name)).ok_or_else(missing)?;
    let volume = Volume::of(volume);
    let whole = volume.place(inputs.folder, name);
    let source = match sub_path::wanted(mount, inputs.env)? {
        Some(part) => prepare(inputs, index, name, &whole, &part).map_err(|error| {
            tracing::warn!(%error, volume = name, part, "a part of a volume cannot be mounted");
            let container = inputs.container.text_at(&["name"]);
            format!("failed to prepare subPath for volumeMount {name:?} of container {container:?}")
        })?,
        None => {
            if volume.is_of_host() && !whole.exists() {
                let made = host_path::make_folders(&whole);
                made.map_err(|error| format!("failed to mkdir {:?}: {error}", whole.display().to_string()))?;
            }
            whole
        }
    };
    let read_only = object::flag(mount, &["readOnly"]) || volume.is_read_only();
    let access = match (read_only, mount.text_at(&["recursiveReadOnly"])) {
        (true, "Enabled" | "IfPossible") => "rro",
        (true, _) => "ro",
        (false, _) => "rw",
    };
    let propagation = match mount.text_at(&["mountPropagation"]) {
        "" | "None" => "rprivate",
        "HostToContainer" => "rslave",
        "Bidirectional" => "rshared",
        other => return Err(format!("invalid MountPropagation mode: {other:?}")),
    };
    let place = mount.text_at(&["mountPath"]);
    let place = if place.starts_with('/') { place.to_owned() } else { format!("/{place}") };
    Ok(bind(&source, &place, &["rbind", propagation, access]))
}

/// Mounts a part of a volume at a place of its own, which nobody but the node can change.
fn prepare(inputs: &Inputs<'_>, index: usize, volume: &str, whole: &Path, part: &str) -> io::Result<PathBuf> {
    let open = sub_path::open(whole, part)?;
    let container = inputs.container.text_at(&["name"]);
    let folder = inputs.folder.join(PARTS).join(volume).join(container);
    let at = folder.join(index.to_string());
    // What an instance before has left shows another part perhaps.
    inputs.mounter.unmount_below(&at)?;
    super::remove_tree(&at)?;
    fs::create_dir_all(&folder)?;
    let is_folder = rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&open)?.st_mode).is_dir();
    if is_folder {
        fs::create_dir(&at)?;
    } else {
        fs::File::create_new(&at)?;
    }
    inputs.mounter.bind(&open, &at)?;
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tests::tree;
    use crate::volumes::mounter::double::Double;

    fn said(volumes: &str, mounts_of: &str, folder: &Path, mounter: &Double) -> Result<Vec<String>, String> {
        let pod = tree(&format!(r#"{{"spec":{{"volumes":{volumes}}}}}"#));
        let container = tree(&format!(r#"{{"name":"c","volumeMounts":{mounts_of}}}"#));
        let env = [("A".to_owned(), "x".to_owned())];
        let inputs = Inputs { pod: &pod, container: &container, env: &env, folder, mounter };
        let print = |mount: &Mount| {
            let source = mount.source().as_deref().unwrap().to_string_lossy().replace(folder.to_str().unwrap(), "K");
            format!("{source} {} {}", mount.destination().display(), mount.options().as_ref().unwrap().join(","))
        };
        mounts(&inputs).map(|mounts| mounts.iter().map(print).collect())
    }

    #[test]
    fn tables() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path();
        std::fs::create_dir_all(folder.join("volumes/kubernetes.io~empty-dir/e")).unwrap();
        let volumes = format!(
            r#"[{{"name":"e","emptyDir":{{}}}},{{"name":"d"}},{{"name":"m","configMap":{{}}}},{{"name":"h","hostPath":{{"path":"{}/made"}}}}]"#,
            folder.display()
        );
        let cases: [(&str, Result<&[&str], &str>); 6] = [
            (
                r#"[{"name":"e","mountPath":"/a/b/c"},{"name":"m","mountPath":"/a"},{"name":"d","mountPath":"rel"}]"#,
                Ok(&[
                    "K/volumes/kubernetes.io~configmap/m /a rbind,rprivate,ro",
                    "K/volumes/kubernetes.io~empty-dir/d /rel rbind,rprivate,rw",
                    "K/volumes/kubernetes.io~empty-dir/e /a/b/c rbind,rprivate,rw",
                ]),
            ),
            (
                r#"[{"name":"h","mountPath":"/h","mountPropagation":"Bidirectional"},{"name":"h","mountPath":"/i","mountPropagation":"HostToContainer","readOnly":true,"recursiveReadOnly":"IfPossible"}]"#,
                Ok(&["K/made /h rbind,rshared,rw", "K/made /i rbind,rslave,rro"]),
            ),
            (
                r#"[{"name":"e","mountPath":"/e","subPathExpr":"$(A)"}]"#,
                Ok(&["K/volume-subpaths/e/c/0 /e rbind,rprivate,rw"]),
            ),
            (r#"[{"name":"none","mountPath":"/e"}]"#, Err("cannot find volume \"none\" to mount into container \"c\"")),
            (
                r#"[{"name":"d","mountPath":"/e","subPath":"x"}]"#,
                Err("failed to prepare subPath for volumeMount \"d\" of container \"c\""),
            ),
            (r#"[{"name":"e","mountPath":"/e","mountPropagation":"X"}]"#, Err("invalid MountPropagation mode: \"X\"")),
        ];
        let mounter = Double::default();
        for (mounts, want) in cases {
            let got = said(&volumes, mounts, folder, &mounter);
            let got = got.as_ref().map(|mounts| mounts.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(got.map_err(String::as_str), want.map(<[&str]>::to_vec), "{mounts}");
        }
        assert_eq!(mounter.told(), ["bind x 0"]);
        assert!(folder.join("made").is_dir(), "a folder of the host that is missing is made");
    }
}
