//! Durable creates of 1 KiB in the store and in etcd, beside bare fdatasync on the same disk.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::{BufMut as _, Bytes, BytesMut};
use coracle_store::{Kind, LocalStore, Options, Store as _, Txn, Value, Write};
use http::Method;

use super::bodies::TEXT;
use super::{Bench, Both, Readings};
use crate::client::{Endpoint, Outcome, Until, load};
use crate::error::{Error, Result};
use crate::planes::real_server;
use crate::statistics::{Series, number};

/// Bytes of one record of the log: the text, its key and its frame.
const RECORD: usize = TEXT + 80;
/// The preallocated file is written from its start to its end and again.
const FILE: u64 = 16 << 20;

pub(super) async fn measure(bench: &Bench, readings: &mut Readings) -> Result<()> {
    let real = real_server(&bench.setup).await?;
    let outcome = match Endpoint::etcd(&real.etcd_address) {
        Ok(etcd) => commit(bench, &etcd, readings).await,
        Err(error) => Err(error),
    };
    real.stop().await?;
    outcome
}

async fn commit(bench: &Bench, etcd: &Endpoint, readings: &mut Readings) -> Result<()> {
    let folder = bench.setup.folder("store-")?;
    let store = folder.path().join("db");
    std::fs::create_dir_all(&store).map_err(Error::file("create", &store))?;
    let store = LocalStore::open(&store, Options::default()).map_err(|error| Error::format("the store", error))?;
    let (span, mut syncs) = (bench.pace.span, Vec::new());
    let (mut sync_rates, mut one, mut many) = (Vec::new(), Both::default(), Both::default());
    for round in 0..bench.pace.repetitions {
        let bare = bare_sync(&folder.path().join("bare"), span)?;
        syncs.push(bare.latencies.median());
        sync_rates.push(number(bare.count) / bare.seconds);
        one.push(0, creates(&store, span, round, 1)?.latencies.median());
        one.push(1, puts(etcd, span, round, 1).await?.latencies.median());
        let outcome = creates(&store, span, round, 64)?;
        many.push(0, number(outcome.count) / outcome.seconds);
        let outcome = puts(etcd, span, round, 64).await?;
        many.push(1, number(outcome.count) / outcome.seconds);
    }
    let ([ours_one, _], [ours_many, _]) = (&one.0, &many.0);
    readings.put("commit-1-sync", ours_one.clone(), syncs)?;
    readings.put("commit-64-sync", ours_many.clone(), sync_rates)?;
    one.put(readings, "commit-1")?;
    many.put(readings, "commit-64")
}

/// Writes and syncs records of the log's size one after the other in a file that has all its blocks.
fn bare_sync(path: &Path, span: Duration) -> Result<Outcome> {
    let failed = |source| Error::File { operation: "write", path: path.to_owned(), source };
    let file = File::create(path).map_err(failed)?;
    let zeros = vec![0; 1 << 20];
    for at in (0..FILE).step_by(zeros.len()) {
        file.write_all_at(&zeros, at).map_err(failed)?;
    }
    file.sync_all().map_err(failed)?;
    let record = vec![1; RECORD];
    let slots = FILE / u64::try_from(RECORD).unwrap_or(FILE);
    timed(span, |sent| {
        file.write_all_at(&record, sent % slots * u64::try_from(RECORD).unwrap_or_default()).map_err(failed)?;
        file.sync_data().map_err(failed)
    })
    .and_then(|(latencies, seconds)| outcome(latencies, seconds))
}

/// Creates in the store by threads that wait for each of theirs.
fn creates(store: &LocalStore, span: Duration, round: u32, writers: usize) -> Result<Outcome> {
    let started = Instant::now();
    let mut latencies = Vec::new();
    std::thread::scope(|scope| {
        let run = |writer: usize| {
            timed(span, |sent| {
                let failed = |error: &dyn std::fmt::Display| Error::format("the store", error);
                let key = Kind::new("", "configmaps").map_err(|error| failed(&error))?;
                let key = key.key("default", &format!("{writers}-{round}-{writer}-{sent}"));
                let key = key.map_err(|error| failed(&error))?;
                let value = Value::new(1, &[b'x'; TEXT]).map_err(|error| failed(&error))?;
                store.commit(Txn::new().write(Write::put(key, value))).wait().map_err(|error| failed(&error))?;
                Ok(())
            })
        };
        let threads: Vec<_> = (0..writers).map(|writer| scope.spawn(move || run(writer))).collect();
        for thread in threads {
            latencies.extend(thread.join().map_err(|_| Error::format("a writer", "it panicked"))??.0);
        }
        Ok::<_, Error>(())
    })?;
    outcome(latencies, started.elapsed().as_secs_f64())
}

/// Does `work` again and again. Gives how long each took in microseconds, and all together in seconds.
fn timed(span: Duration, mut work: impl FnMut(u64) -> Result<()>) -> Result<(Vec<f64>, f64)> {
    let (started, mut latencies, mut sent) = (Instant::now(), Vec::new(), 0);
    while started.elapsed() < span {
        let begun = Instant::now();
        work(sent)?;
        latencies.push(begun.elapsed().as_secs_f64() * 1e6);
        sent += 1;
    }
    Ok((latencies, started.elapsed().as_secs_f64()))
}

fn outcome(latencies: Vec<f64>, seconds: f64) -> Result<Outcome> {
    let count = u64::try_from(latencies.len()).unwrap_or(u64::MAX);
    let latencies = Series::new(latencies).ok_or_else(|| Error::format("a load", "nothing was written"))?;
    Ok(Outcome { count, seconds, latencies })
}

/// Puts of the same keys and values into etcd, over its own protocol.
async fn puts(etcd: &Endpoint, span: Duration, round: u32, clients: usize) -> Result<Outcome> {
    let connections = etcd.connections(clients).await?;
    load(connections, Until::Passed(span), move |etcd, client, sent| {
        let key = format!("/registry/configmaps/default/{clients}-{round}-{client}-{sent}");
        etcd.request(Method::POST, "/etcdserverpb.KV/Put", "application/grpc", put_request(&key, &[b'x'; TEXT]))
    })
    .await
}

/// A message of gRPC that holds a PutRequest with the fields key (1) and value (2), both bytes.
fn put_request(key: &str, value: &[u8]) -> Bytes {
    let mut message = BytesMut::new();
    for (tag, bytes) in [(0x0a_u8, key.as_bytes()), (0x12, value)] {
        message.put_u8(tag);
        let mut length = bytes.len();
        while length > 0x7f {
            message.put_u8(u8::try_from(length & 0x7f).unwrap_or_default() | 0x80);
            length >>= 7;
        }
        message.put_u8(u8::try_from(length).unwrap_or_default());
        message.put_slice(bytes);
    }
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or_default());
    framed.unsplit(message);
    framed.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn puts_are_framed_as_grpc_wants_them() {
        assert_eq!(put_request("k", b"vw")[..], *b"\0\0\0\0\x07\x0a\x01k\x12\x02vw");
        let long = put_request("k", &[7; 300]);
        assert_eq!(long[5..11], [0x0a, 1, b'k', 0x12, 0xac, 0x02]);
        assert_eq!(long.len(), 5 + 6 + 300);
    }

    #[test]
    fn syncs_and_creates_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let span = Duration::from_millis(50);
        let bare = bare_sync(&folder.path().join("bare"), span).unwrap();
        assert!(bare.count > 0 && bare.seconds >= 0.05, "{bare:?}");
        std::fs::create_dir(folder.path().join("db")).unwrap();
        let store = LocalStore::open(&folder.path().join("db"), Options::default()).unwrap();
        assert!(creates(&store, span, 0, 3).unwrap().count >= 3);
    }
}
