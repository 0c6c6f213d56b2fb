//! The container images: whole, of the right machine, the same twice.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use coracle_image_layout::{Digest, Image, Index, Manifest, annotation};
use image_builder::build::{self, Archive, Sources};
use image_builder::elf::Elf;
use image_builder::packages::lock::Architecture;
use image_builder::packages::store::Strictness;
use image_builder::process::Program;
use image_builder::progress::Progress;

use crate::built::built;
use crate::host_tools::{printed, tool};

/// A layout with everything that it names, read and checked against its digests.
struct Layout {
    folder: PathBuf,
    index: Index,
}

/// An image of a layout.
struct Unpacked {
    image: Image,
    /// What stands at each path: content, or the target of a link.
    files: BTreeMap<String, Vec<u8>>,
}

fn written(machine: Architecture, into: &Path) -> Layout {
    let sources = Sources::new(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("packages");
    let archive = Archive { cache, offline: false, strictness: Strictness::Development };
    build::write_images(&sources, machine, &archive, into, &Progress::silent()).unwrap();
    Layout::read(into)
}

impl Layout {
    fn read(folder: &Path) -> Self {
        assert_eq!(std::fs::read(folder.join("oci-layout")).unwrap(), br#"{"imageLayoutVersion":"1.0.0"}"#);
        let index = serde_json::from_slice(&std::fs::read(folder.join("index.json")).unwrap()).unwrap();
        Self { folder: folder.to_owned(), index }
    }

    fn blob(&self, digest: &Digest) -> Vec<u8> {
        let bytes = std::fs::read(self.folder.join("blobs/sha256").join(digest.hex())).unwrap();
        assert_eq!(Digest::of(&bytes), *digest);
        bytes
    }

    fn names(&self) -> Vec<&str> {
        self.index.manifests.iter().map(|manifest| manifest.annotations[annotation::IMAGE_NAME].as_str()).collect()
    }

    fn image(&self, name: &str) -> Unpacked {
        let named = |manifest: &&coracle_image_layout::Descriptor| manifest.annotations[annotation::IMAGE_NAME] == name;
        let found = self.index.manifests.iter().find(named).unwrap();
        let bytes = self.blob(&found.digest);
        assert_eq!(bytes.len() as u64, found.size);
        let manifest: Manifest = serde_json::from_slice(&bytes).unwrap();
        let image: Image = serde_json::from_slice(&self.blob(&manifest.config.digest)).unwrap();
        let layers: Vec<Digest> = manifest.layers.iter().map(|layer| layer.digest).collect();
        assert_eq!(image.rootfs.diff_ids, layers, "plain layers");
        let mut files = BTreeMap::new();
        for layer in &layers {
            let tar = self.blob(layer);
            for entry in tar::Archive::new(tar.as_slice()).entries().unwrap() {
                let mut entry = entry.unwrap();
                let path = entry.path().unwrap().display().to_string();
                let mut content = entry.link_name_bytes().unwrap_or_default().into_owned();
                entry.read_to_end(&mut content).unwrap();
                files.insert(path, content);
            }
        }
        Unpacked { image, files }
    }
}

#[test]
fn images_are_whole_and_of_their_machine() {
    for (machine, number) in [(Architecture::Amd64, 62), (Architecture::Arm64, 183)] {
        let folder = tempfile::tempdir().unwrap();
        let layout = written(machine, folder.path());
        assert_eq!(layout.names(), ["localhost/hello:1", "registry.test/nginx:1", "registry.test/nginx:2"]);
        for (name, program) in [("localhost/hello:1", "usr/bin/busybox"), ("registry.test/nginx:2", "usr/sbin/nginx")] {
            let Unpacked { image, files } = layout.image(name);
            assert_eq!((image.architecture.as_str(), image.os.as_str()), (machine.name(), "linux"));
            assert_eq!(Elf::parse(&files[program]).unwrap().machine(), Ok(number), "{name}");
            for tool in ["sh", "ls", "cat", "wget", "nslookup", "id", "ps", "sleep", "stty", "httpd"] {
                assert_eq!(files[&format!("usr/bin/{tool}")], b"busybox", "{name}: {tool}");
            }
            assert!(files["usr/share/common-licenses/GPL-2"].starts_with(b"                    GNU GENERAL"));
            assert!(files.contains_key("usr/share/doc/busybox-static/copyright"));
            assert!(image.config.labels["coracle.packages"].contains("busybox-static=1:1."));
        }
        let hello = layout.image("localhost/hello:1");
        assert_eq!(hello.image.config.user, "65534:65534");
        assert_eq!(hello.image.config.entrypoint.join(" "), "httpd -f -p 8080 -h /www");
        assert!(String::from_utf8_lossy(&hello.files["www/index.html"]).contains("Hello from a container"));
    }
}

#[test]
fn images_are_the_same_twice() {
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str| std::fs::read(folder.path().join(name).join("index.json")).unwrap();
    written(Architecture::Amd64, &folder.path().join("first"));
    let again = Program::new(Path::new(env!("CARGO_BIN_EXE_image-builder")))
        .variable("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .variable("TZ", "Pacific/Kiritimati")
        .arguments(["images", "--architecture=amd64", "--out"])
        .argument(folder.path().join("second"))
        .argument("--cache")
        .argument(Path::new(env!("CARGO_TARGET_TMPDIR")).join("packages"));
    printed(&again);
    assert_eq!(read("first"), read("second"));
}

/// On this machine the program itself says what it can do, and does it.
#[test]
fn the_programs_of_the_images_run() {
    let folder = tempfile::tempdir().unwrap();
    let layout = written(Architecture::host(), &folder.path().join("layout"));
    let Unpacked { files, .. } = layout.image("localhost/hello:1");
    let busybox = folder.path().join("busybox");
    std::fs::write(&busybox, &files["usr/bin/busybox"]).unwrap();
    std::fs::set_permissions(&busybox, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let can = printed(&Program::new(&busybox).argument("--list"));
    let can: Vec<&str> = can.lines().collect();
    let links = files.iter().filter(|(_, target)| target.as_slice() == b"busybox");
    let links: Vec<&str> = links.filter_map(|(path, _)| path.strip_prefix("usr/bin/")).collect();
    assert!(links.len() > 100);
    assert_eq!(links.iter().find(|link| !can.contains(link)), None);
    assert_eq!(printed(&Program::new(&busybox).arguments(["sh", "-c", "echo $((6 * 7))"])), "42\n");
}

#[test]
fn the_slot_holds_hello() {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("root");
    let unsquashfs = tool("unsquashfs", "squashfs-tools").arguments(["-no-progress", "-dest"]).argument(&root);
    printed(&unsquashfs.argument(built().first.join("slot.img")).argument("usr/share/coracle/images"));
    let layout = Layout::read(&root.join("usr/share/coracle/images"));
    assert_eq!(layout.names(), ["localhost/hello:1"]);
    assert!(layout.image("localhost/hello:1").files.contains_key("usr/bin/httpd"));
}
