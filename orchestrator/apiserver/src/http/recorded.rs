//! Recorded answers of the real server, for tests.

use coracle_apimachinery::status::Status;

/// Status code and body of a recording, as JSON text with sorted members.
pub(super) fn answer(name: &str) -> (u16, serde_json::Value) {
    let path = format!("{}/../oracle/recordings/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let recording: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let answer = &recording["answer"]["http"];
    let code = u16::try_from(answer["status"].as_u64().unwrap()).unwrap();
    (code, answer["body"]["json"].clone())
}

/// Fails unless the recording's whole body is this one.
pub(super) fn assert_is(status: &Status, name: &str) {
    let text = coracle_apimachinery::json::encode_any(&status.to_value());
    let ours: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert_eq!((status.code, ours), answer(name), "{name}");
}
