//! What the annotations of a pod tell the fake runtime to do.

use std::time::Duration;

use coracle_apimachinery::Value;
use coracle_apimachinery::duration;
use coracle_client::object;

use crate::runtime::Failure;

/// The start of every annotation's name.
pub const PREFIX: &str = "fake-runtime.coracle/";
const KEYS: [&str; 9] = [
    "image-delay",
    "image-failure",
    "start-delay",
    "ready-after",
    "exit-code",
    "exit-after",
    "oom",
    "stop-delay",
    "stop-code",
];
/// Reasons that an image failure can begin with.
const IMAGE_REASONS: [&str; 5] =
    ["ErrImagePull", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable", "SignatureValidationFailed"];

/// What one container does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Script {
    /// How long its image takes; present at once if absent.
    pub image_delay: Option<Duration>,
    /// How its image fails.
    pub image_failure: Option<Failure>,
    /// How long it takes from creation to running.
    pub start_delay: Duration,
    /// How long after its start it is ready; nothing for never.
    pub ready_after: Option<Duration>,
    /// How it ends by itself, if it does.
    pub exit: Option<Exit>,
    /// How long it takes to obey when it is asked to end.
    pub stop_delay: Duration,
    /// Its exit code when it obeys.
    pub stop_code: i32,
}

/// How a container ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// How long after its start.
    pub after: Duration,
    /// Its exit code.
    pub code: i32,
    /// Whether the kernel killed it for its memory.
    pub oom: bool,
}

impl Script {
    /// The script of a container.
    ///
    /// # Errors
    /// A value that cannot be understood, in words.
    pub fn of(pod: &Value, container: &str) -> Result<Self, String> {
        check_names(pod)?;
        let notes = Notes { pod, container, role: Role::of(pod, container) };
        let exit_after = notes.duration("exit-after")?;
        let exit_code = notes.number("exit-code")?;
        let oom = match notes.text("oom") {
            None | Some((_, "false")) => false,
            Some((_, "true")) => true,
            Some((name, text)) => return Err(format!("{name}: {text:?} is neither true nor false")),
        };
        let ends = oom || exit_after.is_some() || exit_code.is_some() || notes.role == Role::Init;
        let code = if oom { 137 } else { exit_code.unwrap_or_default() };
        let ready_after = match notes.text("ready-after") {
            Some((_, "never")) => None,
            _ => Some(notes.duration("ready-after")?.unwrap_or_default()),
        };
        Ok(Self {
            image_delay: notes.duration("image-delay")?,
            image_failure: notes.text("image-failure").map(|(_, text)| image_failure(text)),
            start_delay: notes.duration("start-delay")?.unwrap_or_default(),
            ready_after,
            exit: ends.then(|| Exit { after: exit_after.unwrap_or_default(), code, oom }),
            stop_delay: notes.duration("stop-delay")?.unwrap_or_default(),
            stop_code: notes.number("stop-code")?.unwrap_or_default(),
        })
    }
}

/// What a container is in its pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Main,
    /// An init container that others wait for; it ends at once unless told otherwise.
    Init,
    Sidecar,
}

impl Role {
    fn of(pod: &Value, container: &str) -> Self {
        match object::named(object::items(pod, &["spec", "initContainers"]), "name", container) {
            None => Self::Main,
            Some(init) if init.text_at(&["restartPolicy"]) == "Always" => Self::Sidecar,
            Some(_) => Self::Init,
        }
    }
}

struct Notes<'a> {
    pod: &'a Value,
    container: &'a str,
    role: Role,
}

impl<'a> Notes<'a> {
    /// The annotation for this container, or that for all. What ends a container or holds it back must name an init
    /// container to concern it, otherwise a pod that is told to fail would never come to its main containers.
    fn text(&self, key: &str) -> Option<(String, &'a str)> {
        let note = |name: String| {
            let text = self.pod.at(&["metadata", "annotations", &name]).and_then(Value::as_str)?;
            Some((name, text))
        };
        let for_all = self.role == Role::Main || key.starts_with("image-");
        note(format!("{PREFIX}{key}.{}", self.container))
            .or_else(|| if for_all { note(format!("{PREFIX}{key}")) } else { None })
    }

    fn duration(&self, key: &str) -> Result<Option<Duration>, String> {
        let Some((name, text)) = self.text(key) else { return Ok(None) };
        let nanoseconds = duration::parse(text).ok().and_then(|nanoseconds| u64::try_from(nanoseconds).ok());
        let nanoseconds = nanoseconds.ok_or_else(|| format!("{name}: {text:?} is no duration"))?;
        Ok(Some(Duration::from_nanos(nanoseconds)))
    }

    fn number(&self, key: &str) -> Result<Option<i32>, String> {
        let Some((name, text)) = self.text(key) else { return Ok(None) };
        let number = text.parse::<u8>().map_err(|_| format!("{name}: {text:?} is no exit code"))?;
        Ok(Some(i32::from(number)))
    }
}

fn check_names(pod: &Value) -> Result<(), String> {
    let Some(notes) = pod.at(&["metadata", "annotations"]).and_then(Value::as_object) else { return Ok(()) };
    for (name, _) in notes.iter() {
        let Some(key) = name.strip_prefix(PREFIX) else { continue };
        let (key, container) = key.split_once('.').map_or((key, None), |(key, container)| (key, Some(container)));
        let there = |list| object::named(object::items(pod, &["spec", list]), "name", container.unwrap_or_default());
        if !KEYS.contains(&key) {
            return Err(format!("{name}: there is no {key:?}"));
        }
        if container.is_some()
            && !["containers", "initContainers", "ephemeralContainers"].iter().any(|list| there(list).is_some())
        {
            return Err(format!("{name}: there is no such container"));
        }
    }
    Ok(())
}

fn image_failure(text: &str) -> Failure {
    let (reason, message) = match text.split_once(' ') {
        Some((reason, message)) if IMAGE_REASONS.contains(&reason) => (reason, message),
        None if IMAGE_REASONS.contains(&text) => (text, "the image cannot be pulled"),
        _ => ("ErrImagePull", text),
    };
    Failure { reason: reason.to_owned(), message: message.to_owned() }
}

#[cfg(test)]
mod tests;
