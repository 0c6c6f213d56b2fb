//! Checks of paths of the host, with the kubelet's words.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// Checks that a path is what a volume says it is, and makes what is to be made.
///
/// # Errors
/// It is something else.
pub(super) fn check(path: &Path, kind: &str) -> Result<(), String> {
    match kind {
        "" => return Ok(()),
        "DirectoryOrCreate" if !path.exists() => {
            return make_folders(path).map_err(|error| error.to_string());
        }
        "FileOrCreate" if !path.exists() => {
            let made = fs::OpenOptions::new().create(true).append(true).mode(0o644).open(path);
            return made.map(drop).map_err(|error| format!("open {}: {}", path.display(), words(&error)));
        }
        _ => {}
    }
    let (wanted, name) = match kind {
        "DirectoryOrCreate" | "Directory" => ("Directory", "directory"),
        "FileOrCreate" | "File" => ("File", "file"),
        "Socket" => ("Socket", "socket file"),
        "CharDevice" => ("CharDevice", "character device"),
        "BlockDevice" => ("BlockDevice", "block device"),
        _ => return Err(format!("{kind} is an invalid volume type")),
    };
    let place = path.display();
    match kind_of(path) {
        Ok(found) if found == wanted => Ok(()),
        Ok(found) => Err(format!("hostPath type check failed: {place} is not a {name}, it's a {found}")),
        Err(why) => {
            Err(format!("hostPath type check failed, {place} is not a {name}, unable to determine its type: {why}"))
        }
    }
}

/// Makes a folder and those above it.
pub(super) fn make_folders(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o755).create(path)
}

fn kind_of(path: &Path) -> Result<&'static str, String> {
    let place = path.display();
    let kind = match fs::metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(format!("path \"{place}\" does not exist"));
        }
        Err(error) => return Err(format!("stat {place}: {}", words(&error))),
    };
    match () {
        () if kind.is_dir() => Ok("Directory"),
        () if kind.is_file() => Ok("File"),
        () if kind.is_socket() => Ok("Socket"),
        () if kind.is_char_device() => Ok("CharDevice"),
        () if kind.is_block_device() => Ok("BlockDevice"),
        () => Err("only recognise file, directory, socket, block device and character device".to_owned()),
    }
}

/// A failure without the number behind it.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        let scratch = tempfile::tempdir().unwrap();
        let at = |name: &str| scratch.path().join(name);
        fs::write(at("file"), "").unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        let said = |path: &Path, kind: &str| {
            check(path, kind)
                .map_err(|error| error.replace(scratch.path().to_str().unwrap(), ""))
                .err()
                .unwrap_or_default()
        };
        let cases = [
            ("file", "", ""),
            ("none", "", ""),
            ("file", "File", ""),
            ("file", "FileOrCreate", ""),
            ("file", "Directory", "hostPath type check failed: /file is not a directory, it's a File"),
            ("file", "DirectoryOrCreate", "hostPath type check failed: /file is not a directory, it's a File"),
            ("socket", "Socket", ""),
            ("socket", "BlockDevice", "hostPath type check failed: /socket is not a block device, it's a Socket"),
            (
                "none",
                "Directory",
                "hostPath type check failed, /none is not a directory, unable to determine its type: path \"/none\" does not exist",
            ),
            ("none", "Odd", "Odd is an invalid volume type"),
            ("a/b", "DirectoryOrCreate", ""),
            ("a/c", "FileOrCreate", ""),
            ("no/file", "FileOrCreate", "open /no/file: no such file or directory"),
        ];
        for (path, kind, want) in cases {
            assert_eq!(said(&at(path), kind), want, "{path} {kind}");
        }
        assert!(at("a/b").is_dir() && at("a/c").is_file());
        assert_eq!(said(Path::new("/dev/null"), "CharDevice"), "");
    }
}
