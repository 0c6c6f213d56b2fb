//! What a cluster makes of the steps of a scenario: recorded from the real control plane with two simulated nodes, and
//! done by ours with two fake ones.

use std::fs;

use oracle::scenarios;

use crate::common::{Server, block_on};

/// Lines of one step that are printed.
const SHOWN: usize = 12;

#[test]
fn scenarios_end_as_recorded_but_for_open_ones() {
    let server = Server::start(&["--fake-node", "node-0", "--fake-node", "node-1"]);
    let mut data = scenarios::load().unwrap();
    if let Ok(names) = std::env::var("CORACLE_SCENARIOS") {
        data.only(&names.split(',').map(str::to_owned).collect::<Vec<_>>());
    }
    let findings = block_on(data.judge(&server.target())).unwrap();
    server.terminate();
    println!("{}", scenarios::report(&findings, SHOWN));

    let open = data.open().unwrap();
    if std::env::var_os("CORACLE_UPDATE_OPEN").is_some() {
        fs::write(scenarios::open_path(), open.updated(&findings)).unwrap();
        return;
    }
    let complaints = open.judge(&findings);
    println!("{} of {} steps are open", open.len(), data.recordings.len());
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
}
