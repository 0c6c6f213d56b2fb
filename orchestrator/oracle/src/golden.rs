//! Samples for codec tests: objects as the real server stores them, byte for byte in JSON and in protobuf.

use crate::client::{Client, Raw};
use crate::compare::differences;
use crate::error::{Error, Result};
use crate::normalise::normalise_json;
use crate::process::{Environment, Program};
use crate::script::{ADMIN, HttpRequest};
use crate::target::Target;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Media type of Kubernetes' protobuf.
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// How long kubectl may wait for a condition.
const WAIT: Duration = Duration::from_secs(90);

/// The list `golden.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Samples {
    /// In the order in which they are made.
    pub sample: Vec<Sample>,
}

/// One object to make and read back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// Name of its two files; none for an object that only prepares the ground.
    pub file: Option<String>,
    /// Where it is made.
    pub path: String,
    /// Its name.
    pub name: String,
    /// The object, as JSON.
    pub body: String,
    /// Condition that the server sets by itself and that the sample must show: `RESOURCE/NAME CONDITION=STATUS`.
    pub condition: Option<String>,
}

impl Samples {
    /// Reads the list.
    ///
    /// # Errors
    /// The text is no list of samples.
    pub fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|error| Error::format("golden.toml", error))
    }
}

/// Makes the samples on a real server and writes `FILE.json` and `FILE.pb` where they changed in more than what the
/// normaliser hides.
///
/// # Errors
/// The server refuses an object, or a file cannot be written.
pub async fn record(target: &Target, samples: &Samples, directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).map_err(Error::file("create", directory))?;
    let client = Client::new(target)?;
    for sample in &samples.sample {
        let create = request("POST", &sample.path, "application/json", &sample.body);
        expect(&create, client.ask(ADMIN, &create).await?, 201)?;
        if let Some(condition) = &sample.condition {
            let (object, condition) = condition.split_once(' ').unwrap_or_default();
            until_condition(target, object, condition).await?;
        }
        if let Some(file) = &sample.file {
            let object = format!("{}/{}", sample.path, sample.name);
            let (json, protobuf) = both(&client, &object).await?;
            let path = directory.join(format!("{file}.json"));
            if !same(&path, &json) {
                fs::write(&path, &json).map_err(Error::file("write", &path))?;
                let path = directory.join(format!("{file}.pb"));
                fs::write(&path, &protobuf).map_err(Error::file("write", &path))?;
            }
        }
    }
    Ok(())
}

/// One object in both encodings at one revision.
async fn both(client: &Client, path: &str) -> Result<(Vec<u8>, Vec<u8>)> {
    loop {
        let json = request("GET", path, "application/json", "");
        let before = expect(&json, client.ask(ADMIN, &json).await?, 200)?;
        let protobuf = request("GET", path, PROTOBUF, "");
        let encoded = expect(&protobuf, client.ask(ADMIN, &protobuf).await?, 200)?;
        // The server's own loops may write a status in between; the last such write ends this loop.
        if expect(&json, client.ask(ADMIN, &json).await?, 200)? == before {
            return Ok((before, encoded));
        }
    }
}

/// Waits, by kubectl's own watch, until the server has set a condition.
async fn until_condition(target: &Target, object: &str, condition: &str) -> Result<()> {
    let wait = ["wait", "--timeout=60s", "--kubeconfig"].map(Into::into);
    let mut arguments: Vec<OsString> = wait.to_vec();
    arguments.extend([target.kubeconfig.clone().into(), format!("--for=condition={condition}").into(), object.into()]);
    let environment = Environment::Only(vec![("HOME", std::env::temp_dir().into())]);
    let program = Program { path: &target.kubectl, arguments, directory: Path::new("/"), environment };
    let ended = program.output("", WAIT).await?;
    match ended.exit {
        0 => Ok(()),
        _ => Err(Error::format(object, String::from_utf8_lossy(&ended.stderr))),
    }
}

fn request(method: &str, path: &str, accept: &str, body: &str) -> HttpRequest {
    let mut headers = BTreeMap::from([("accept".to_owned(), accept.to_owned())]);
    if !body.is_empty() {
        headers.insert("content-type".to_owned(), "application/json".to_owned());
    }
    let line = format!("{method} {path}");
    HttpRequest { line, headers, body: body.to_owned(), events: None, without_descriptions: false }
}

fn expect(request: &HttpRequest, answer: Raw, status: u16) -> Result<Vec<u8>> {
    if answer.status == status {
        return Ok(answer.body);
    }
    let problem = format!("status {}: {}", answer.status, String::from_utf8_lossy(&answer.body));
    Err(Error::format(&request.line, problem))
}

/// True when the file holds the same object apart from what the normaliser hides.
fn same(path: &Path, bytes: &[u8]) -> bool {
    let read = |bytes: &[u8]| -> Option<Value> {
        let mut value = serde_json::from_slice(bytes).ok()?;
        normalise_json(&mut value);
        Some(value)
    };
    match (fs::read(path).ok().and_then(|old| read(&old)), read(bytes)) {
        (Some(old), Some(new)) => differences("", &old, &new).is_empty(),
        _ => false,
    }
}
