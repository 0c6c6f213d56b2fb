use super::*;

fn store(folder: &Path) -> Content {
    Content::open(folder, None, Faults::default()).unwrap()
}

#[test]
fn content_is_verified_when_it_comes_and_when_it_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let content = store(folder.path());
    let digest = Digest::of(b"hello");
    assert!(matches!(content.read(&digest, 10), Err(Error::Missing(_))));

    let mut wrong = content.writer(digest, 5).unwrap();
    wrong.write(b"hallo").unwrap();
    assert!(matches!(wrong.finish(), Err(Error::Digest { .. })));
    assert!(!content.has(&digest, 5));

    let mut long = content.writer(digest, 5).unwrap();
    long.write(b"hel").unwrap();
    assert!(matches!(long.write(b"lo!"), Err(Error::Size { expected: 5, found: 6 })));
    drop(long);
    let mut continued = content.writer(digest, 5).unwrap();
    assert_eq!(continued.length(), 3);
    continued.write(b"lo").unwrap();
    continued.finish().unwrap();
    assert_eq!(content.read(&digest, 5).unwrap(), b"hello");
    assert!(matches!(content.read(&digest, 4), Err(Error::Size { expected: 4, found: 5 })));
    assert_eq!(content.list().unwrap(), [(digest, 5)]);

    fs::write(folder.path().join("blobs/sha256").join(digest.hex()), b"jello").unwrap();
    assert!(matches!(content.read(&digest, 5), Err(Error::Digest { .. })));
    assert!(!content.has(&digest, 5), "what is damaged is fetched again");
}

#[test]
fn a_short_write_is_no_content() {
    let folder = tempfile::tempdir().unwrap();
    let content = store(folder.path());
    let digest = Digest::of(b"hello");
    let mut writer = content.writer(digest, 5).unwrap();
    writer.write(b"hel").unwrap();
    assert!(matches!(writer.finish(), Err(Error::Size { expected: 5, found: 3 })));
    assert_eq!(store(folder.path()).writer(digest, 5).unwrap().length(), 0, "opening throws away what is not complete");
}

#[test]
fn pre_baked_content_is_found_and_never_written() {
    let (folder, slot) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let digest = Digest::of(b"hello");
    let file = slot.path().join("blobs/sha256").join(digest.hex());
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, b"hello").unwrap();
    let content = Content::open(folder.path(), Some(slot.path()), Faults::default()).unwrap();
    assert_eq!(content.read(&digest, 5).unwrap(), b"hello");
    content.put(digest, b"hello").unwrap();
    assert!(content.list().unwrap().is_empty());
    fs::write(&file, b"jello").unwrap();
    assert!(content.read(&digest, 5).is_err());
    assert!(file.exists());
}
