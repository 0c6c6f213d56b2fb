//! Whether a container's image is at hand: pull policies, pulls, their failures and waits.

use super::memory::{RETRY, Waiting};
use super::plan::Context;
use super::start::Step;
use super::view::Spec;
use super::{Action, Event};

/// What keeps a container from its start, or the identity of its image.
pub(crate) fn ensure(context: &mut Context<'_>, spec: Spec<'_>, attempt: u32) -> Result<String, Step> {
    let (name, image) = (spec.name(), spec.image());
    if let Err(problem) = check_name(image) {
        let problem = format!("couldn't parse image name {image:?}: {problem}");
        let message = format!("Failed to apply default image tag {image:?}: {problem}");
        return Err(refuse(context, spec, attempt, "InvalidImageName", "InspectFailed", message));
    }
    if let Some(pulled) = context.memory.pulled.get(name) {
        return Ok(pulled.id.clone());
    }
    let observed = context.observed;
    let present = observed.images.iter().find(|present| present.name == image);
    match (policy(spec), present) {
        ("Never" | "IfNotPresent", Some(present)) => {
            let message =
                format!("Container image {image:?} already present on machine and can be accessed by the pod");
            context.events.push(Event::normal("Pulled", message, spec.field_path()));
            Ok(present.id.clone())
        }
        ("Never", None) => {
            let message = format!("Container image {image:?} is not present with pull policy of Never");
            Err(refuse(context, spec, attempt, "ErrImageNeverPull", "ErrImageNeverPull", message))
        }
        _ => Err(pull(context, spec, attempt)),
    }
}

/// The pull policy, which the API always sets; the defaults are its.
fn policy(spec: Spec<'_>) -> &str {
    match spec.tree.text_at(&["imagePullPolicy"]) {
        "" if tag(spec.image()).is_none_or(|tag| tag == "latest") => "Always",
        "" => "IfNotPresent",
        policy => policy,
    }
}

/// Tag or digest of an image's name.
fn tag(image: &str) -> Option<&str> {
    let last = image.rsplit('/').next().unwrap_or(image);
    last.split_once('@').or_else(|| last.split_once(':')).map(|(_, tag)| tag)
}

/// Says once why the image cannot be had, and looks again later.
fn refuse(
    context: &mut Context<'_>,
    spec: Spec<'_>,
    attempt: u32,
    reason: &str,
    event: &'static str,
    message: String,
) -> Step {
    let until = context.now.ms + RETRY;
    if context.wait(
        spec,
        Waiting { reason: reason.to_owned(), message: message.clone(), attempt, until, start_failed: false },
    ) {
        let path = spec.field_path();
        context.events.push(Event::warning(event, message, path.clone()));
        context.events.push(Event::warning("Failed", format!("Error: {reason}"), path));
    }
    context.again_at(until);
    Step::Skipped
}

fn pull(context: &mut Context<'_>, spec: Spec<'_>, attempt: u32) -> Step {
    let image = spec.image();
    let (now, ms) = (context.now.ms, context.now.steady_ms());
    let failure = context.memory.pulls.get(image).cloned();
    if let Some(failure) = failure {
        let since = i64::try_from(failure.at).unwrap_or(i64::MAX);
        if let Some(left) = failure.backoff.left(since, ms) {
            let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
            let delay = u64::try_from(failure.backoff.delay().as_millis()).unwrap_or(u64::MAX);
            // The error itself is shown before the wait is, so that whoever looks sees both.
            let shown_until = failure.at + delay / 2;
            let until = now + left;
            if now < shown_until {
                let (reason, message) = (failure.reason, failure.message);
                context.wait(spec, Waiting { reason, message, attempt, until, start_failed: false });
                context.again_at(shown_until);
                return Step::Skipped;
            }
            let wait = format!("Back-off pulling image {image:?}");
            let message = format!("{wait}: {}: {}", failure.reason, failure.message);
            let reason = "ImagePullBackOff".to_owned();
            if context.wait(spec, Waiting { reason, message, attempt, until, start_failed: false }) {
                let path = spec.field_path();
                context.events.push(Event::normal("BackOff", wait, path.clone()));
                context.events.push(Event::warning("Failed", "Error: ImagePullBackOff", path));
            }
            context.again_at(until);
            return Step::Skipped;
        }
    }
    context.act(Action::Pull { container: spec.name().to_owned(), image: image.to_owned() });
    Step::Blocked
}

/// Whether a text names an image: an optional host, path components, an optional tag and an optional digest.
fn check_name(image: &str) -> Result<(), &'static str> {
    const INVALID: &str = "invalid reference format";
    let (rest, digest) = image.split_once('@').map_or((image, None), |(rest, digest)| (rest, Some(digest)));
    let last = rest.rfind('/').map_or(0, |at| at + 1);
    let (path, tag) = match rest.get(last..).and_then(|end| end.find(':')) {
        Some(colon) => (rest.get(..last + colon).unwrap_or(rest), rest.get(last + colon + 1..)),
        None => (rest, None),
    };
    let tag_fits = |tag: &str| {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        !tag.is_empty()
            && tag.len() <= 128
            && tag.starts_with(word)
            && tag.chars().all(|c| word(c) || c == '.' || c == '-')
    };
    let digest_fits = |digest: &str| {
        digest.split_once(':').is_some_and(|(algorithm, hex)| {
            let length = match algorithm {
                "sha256" => 64,
                "sha384" => 96,
                "sha512" => 128,
                _ => return false,
            };
            hex.len() == length && hex.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
        })
    };
    if !tag.is_none_or(tag_fits) || !digest.is_none_or(digest_fits) {
        return Err(INVALID);
    }
    let mut components: Vec<&str> = path.split('/').collect();
    if let [first, _, ..] = components.as_slice() {
        let is_host =
            first.contains(['.', ':']) || *first == "localhost" || first.chars().any(|c| c.is_ascii_uppercase());
        if is_host {
            if !first.chars().all(|c| c.is_ascii_alphanumeric() || ".:-[]".contains(c)) || first.is_empty() {
                return Err(INVALID);
            }
            components.remove(0);
        }
    }
    if components.iter().any(|component| component.chars().any(|c| c.is_ascii_uppercase())) {
        return Err("invalid reference format: repository name must be lowercase");
    }
    if components.iter().all(|component| is_component(component)) { Ok(()) } else { Err(INVALID) }
}

/// Lower case letters and digits, separated by `.`, `_`, `__` or dashes.
fn is_component(text: &str) -> bool {
    let word = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let separators = text.split(|c: char| word(Some(c))).filter(|separator| !separator.is_empty());
    word(text.chars().next())
        && word(text.chars().last())
        && separators
            .into_iter()
            .all(|separator| matches!(separator, "." | "_" | "__") || separator.chars().all(|c| c == '-'))
}

#[cfg(test)]
mod tests {
    use super::{check_name, tag};

    #[test]
    fn names() {
        let digest = "a".repeat(64);
        let good = [
            "nginx",
            "nginx:1.2",
            "a/b/c:latest",
            "registry.k8s.io/e2e-test-images/agnhost:2.59",
            "localhost:5000/x",
            &format!("x@sha256:{digest}"),
            &format!("h.io/x:v1@sha256:{digest}"),
            "a__b/c-d--e.f",
        ];
        for name in good {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        let bad =
            ["", " ", "nginx:", "nginx:a b", "-x", "x/", "a//b", "x@sha256:12", "INVALID/IMAGE!", "a..b", "x:y:z"];
        for name in bad {
            assert!(check_name(name).is_err(), "{name}");
        }
        assert_eq!(check_name("Nginx"), Err("invalid reference format: repository name must be lowercase"));
    }

    #[test]
    fn tags() {
        let cases = [("a", None), ("a:1", Some("1")), ("h:5/a", None), ("h:5/a:b", Some("b")), ("a@d:e", Some("d:e"))];
        for (image, expected) in cases {
            assert_eq!(tag(image), expected, "{image}");
        }
    }
}
