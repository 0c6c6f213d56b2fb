//! A kill at any step that writes leaves a store that opens, lies about nothing, and pulls to the end.

use super::*;

#[tokio::test]
async fn a_kill_anywhere_leaves_a_usable_store() {
    let server = Server::start(None).await;
    let id = server.add("hello", "1", &layers("one"));
    let name = format!("{}/hello:1", server.host);
    let mut steps = 0;
    loop {
        let folder = scratch();
        let roots = Roots { writable: folder.path().to_owned(), prebaked: None };
        let faults = Faults::after(steps);
        let killed = Store::open_with(roots, plain(&server), platform(), faults).await.unwrap();
        let mut outcome = killed.pull(&name, Policy::Always, &Keychain::default()).await.map(drop);
        if outcome.is_ok() {
            outcome = killed.prepare("c", id).await.map(drop);
        }
        drop(killed);

        let store = open(folder.path(), &server).await;
        for (digest, _) in store.0.content.list().unwrap() {
            store.0.content.read(&digest, u64::MAX).unwrap_or_else(|error| panic!("step {steps}: {error}"));
        }
        if let Some(found) = store.find(&name).await.unwrap() {
            assert_eq!(found.id, id, "step {steps}");
            store.prepare("c", id).await.unwrap_or_else(|error| panic!("step {steps}: {error}"));
        }
        let left = |path: &str| std::fs::read_dir(folder.path().join(path)).unwrap().count();
        assert_eq!(left("content/ingest"), 0, "step {steps}");
        store.pull(&name, Policy::Always, &Keychain::default()).await.unwrap();
        let prepared = store.prepare("c", id).await.unwrap();
        assert_eq!(std::fs::read(prepared.lowers[0].join("etc/top")).unwrap(), b"one");
        assert_eq!(left("layers"), 2, "step {steps}: no unfinished layer is left");
        if outcome.is_ok() {
            break;
        }
        steps += 1;
    }
    assert!(steps > 30, "only {steps} steps were seen");
}
