//! Figures of the store on a real disk: `cargo run --release -p coracle-store --example figures -- DIRECTORY`.
//!
//! Prints creates per second with 1 and 64 writers beside what the same disk does with bare `fdatasync`, the bytes that
//! reach the block device for each 1 KiB write, and those of an idle half minute. The device's own counter is read, so
//! it must have no other user: a loop device will do. (`write_bytes` of the process counts whole folios of the page
//! cache, up to 256 KiB for one dirty page.)

#![expect(clippy::unwrap_used, reason = "a tool that stops at the first error and prints")]

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use coracle_store::{Kind, LocalStore, Options, Store, Txn, Value, Write};

/// How long each measurement runs.
const SPAN: Duration = Duration::from_secs(5);
const BODY_BYTES: usize = 1024;

fn main() {
    let directory: PathBuf = std::env::args().nth(1).unwrap_or_else(|| "target/store-figures".to_owned()).into();
    std::fs::create_dir_all(&directory).unwrap();
    println!("bare fdatasync of 4 KiB, preallocated: {:.0} per second", bare_sync(&directory.join("bare")));
    for writers in [1, 64] {
        let store = fresh(&directory.join(format!("create-{writers}")));
        let (before, started) = (device_bytes(&directory), Instant::now());
        let created = create(&store, writers);
        let seconds = started.elapsed().as_secs_f64();
        let bytes = (device_bytes(&directory) - before) / u64::from(created);
        println!(
            "{writers} writers: {:.0} creates of 1 KiB per second, {bytes} bytes each",
            f64::from(created) / seconds
        );
    }
    updates(&fresh(&directory.join("update")), &directory);
    idle(&fresh(&directory.join("idle")), &directory);
}

fn fresh(path: &Path) -> LocalStore {
    if path.exists() {
        std::fs::remove_dir_all(path).unwrap();
    }
    LocalStore::open(path, Options::default()).unwrap()
}

/// Bytes that have reached the block device of a directory, after everything owed to it has been written.
fn device_bytes(directory: &Path) -> u64 {
    const SECTOR_BYTES: u64 = 512;
    rustix::fs::sync();
    let device = directory.metadata().unwrap().dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let stat = std::fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/stat")).unwrap();
    let sectors: u64 = stat.split_whitespace().nth(6).unwrap().parse().unwrap();
    sectors * SECTOR_BYTES
}

fn bare_sync(path: &Path) -> f64 {
    let file = File::create(path).unwrap();
    file.write_all_at(&vec![0; 8 << 20], 0).unwrap();
    file.sync_all().unwrap();
    let (mut count, started) = (0_u32, Instant::now());
    while started.elapsed() < SPAN {
        file.write_all_at(&[1; 4096], u64::from(count % 2048) * 4096).unwrap();
        file.sync_data().unwrap();
        count += 1;
    }
    f64::from(count) / started.elapsed().as_secs_f64()
}

fn put(name: &str, byte: u8) -> Txn {
    let key = Kind::new("", "configmaps").unwrap().key("default", name).unwrap();
    Txn::new().write(Write::put(key, Value::new(1, &[byte; BODY_BYTES]).unwrap()))
}

fn create(store: &LocalStore, writers: usize) -> u32 {
    let started = Instant::now();
    std::thread::scope(|scope| {
        let run = |writer: usize| {
            let mut count = 0_u32;
            while started.elapsed() < SPAN {
                store.commit(put(&format!("{writer}-{count}"), 1)).wait().unwrap();
                count += 1;
            }
            count
        };
        let threads: Vec<_> = (0..writers).map(|writer| scope.spawn(move || run(writer))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}

/// One writer, 500 objects, long enough for several checkpoints.
fn updates(store: &LocalStore, directory: &Path) {
    const UPDATES: u32 = 30_000;
    let written = device_bytes(directory);
    for n in 0..UPDATES {
        let byte = u8::try_from(n % 251).unwrap();
        store.commit(put(&format!("object-{}", n % 500), byte)).wait().unwrap();
    }
    let bytes = device_bytes(directory) - written;
    println!("500 objects, one writer: {} bytes to the disk for each update of 1 KiB", bytes / u64::from(UPDATES));
}

fn idle(store: &LocalStore, directory: &Path) {
    store.commit(put("one", 1)).wait().unwrap();
    let written = device_bytes(directory);
    // Waits for a change that never comes: the measured span is the timeout.
    let (_sender, receiver) = std::sync::mpsc::channel::<()>();
    assert!(receiver.recv_timeout(Duration::from_secs(30)).is_err());
    println!("idle for 30 seconds: {} bytes to the disk", device_bytes(directory) - written);
}
