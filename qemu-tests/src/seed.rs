//! A NoCloud volume with a machine configuration, as clouds and virtual machine managers hand it in.

use crate::error::{Error, Result};
use crate::{private, process};
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Letters of both parts of a bootstrap token: a byte below 252 picks each of the 36 equally often.
const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// A fresh bootstrap token, `ID.SECRET`.
///
/// # Errors
/// The kernel gives no random bytes.
pub fn token() -> Result<String> {
    let path = Path::new("/dev/urandom");
    let mut random = fs::File::open(path).map_err(Error::file("open", path))?;
    let mut letters = String::new();
    let mut bytes = [0; 64];
    while letters.len() < 23 {
        random.read_exact(&mut bytes).map_err(Error::file("read", path))?;
        for byte in bytes.iter().filter(|byte| **byte < 252) {
            match letters.len() {
                6 => letters.push('.'),
                23 => break,
                _ => {}
            }
            letters.extend(LETTERS.get(usize::from(*byte) % LETTERS.len()).map(|letter| char::from(*letter)));
        }
    }
    Ok(letters)
}

/// Machine configuration of a device with this host name and bootstrap token; further lines are added as they are. The
/// token stands in quotes, because one of digits alone would be a number.
#[must_use]
pub fn user_data(hostname: &str, token: &str, more: &str) -> String {
    format!("#coracle-config\nhostname: {hostname}\nbootstrap-token: \"{token}\"\n{more}")
}

/// Writes the volume.
///
/// # Errors
/// mtools are missing or fail.
pub fn volume(path: &Path, user_data: &str) -> Result<PathBuf> {
    let image = path.display().to_string();
    // It holds a token.
    private::replace(path, "")?;
    mtool("mformat", &["-C", "-i", &image, "-v", "CIDATA", "-f", "2880", "::"])?;
    let meta_data = "instance-id: coracle\n";
    for (name, text) in [("user-data", user_data), ("meta-data", meta_data)] {
        let file = tempfile::NamedTempFile::new().map_err(Error::file("make a file for", path))?;
        fs::write(file.path(), text).map_err(Error::file("write", file.path()))?;
        mtool("mcopy", &["-i", &image, &file.path().display().to_string(), &format!("::{name}")])?;
    }
    Ok(path.to_owned())
}

fn mtool(program: &str, arguments: &[&str]) -> Result<()> {
    let arguments: Vec<String> = arguments.iter().map(|&word| word.to_owned()).collect();
    process::output(program, &arguments).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_the_form_of_bootstrap_tokens() {
        let (one, other) = (token().unwrap(), token().unwrap());
        assert_ne!(one, other);
        let (id, secret) = one.split_once('.').unwrap();
        assert_eq!((id.len(), secret.len()), (6, 16), "{one}");
        assert!(one.bytes().all(|byte| byte == b'.' || LETTERS.contains(&byte)), "{one}");
    }

    #[test]
    fn the_volume_has_the_label_and_files_of_nocloud() {
        let directory = tempfile::tempdir().unwrap();
        let path = volume(&directory.path().join("seed.img"), &user_data("edge", "abcdef.0", "disable: []\n")).unwrap();
        let image = path.display().to_string();
        let show = |program: &str, words: &[&str]| {
            let words: Vec<String> = words.iter().map(|&word| word.replace("IMAGE", &image)).collect();
            String::from_utf8(process::output(program, &words).unwrap()).unwrap()
        };
        assert!(show("mlabel", &["-s", "-i", "IMAGE", "::"]).contains("CIDATA"));
        let text = show("mtype", &["-i", "IMAGE", "::user-data"]);
        assert_eq!(text, "#coracle-config\nhostname: edge\nbootstrap-token: \"abcdef.0\"\ndisable: []\n");
        assert_eq!(show("mtype", &["-i", "IMAGE", "::meta-data"]), "instance-id: coracle\n");
    }
}
