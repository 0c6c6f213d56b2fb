//! `HOME` of a user, from the container's own list of users.

use std::fs::File;
use std::io::Read as _;

use rustix::fs::{FileType, Mode, OFlags, fstat, open};

/// The most bytes that are read of the list.
const MAXIMUM: u64 = 1 << 20;

/// Where a user is at home, `/` if the container does not say.
pub(super) fn of(uid: u32) -> String {
    list().and_then(|text| find(&text, uid)).unwrap_or_else(|| "/".to_owned())
}

/// The list. It belongs to the image: it may be a pipe that nobody writes to, or not text.
fn list() -> Option<String> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let descriptor = open("/etc/passwd", flags, Mode::empty()).ok()?;
    let status = fstat(&descriptor).ok()?;
    if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile {
        return None;
    }
    let mut bytes = Vec::new();
    File::from(descriptor).take(MAXIMUM).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn find(text: &str, uid: u32) -> Option<String> {
    let mut lines = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let fields = lines.find(|fields| fields.get(2).and_then(|id| id.parse().ok()) == Some(uid))?;
    fields.get(5).filter(|home| !home.is_empty()).map(|home| (*home).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_users_are_read() {
        let text = "root:x:0:0:root:/root:/bin/sh\nbroken\nweb:x:33:33::/srv:/bin/sh\nodd:x:34:34";
        for (uid, want) in [(0, Some("/root")), (33, Some("/srv")), (34, None), (35, None)] {
            assert_eq!(find(text, uid).as_deref(), want, "{uid}");
        }
    }
}
