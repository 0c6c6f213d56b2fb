//! What a request's body is written in.

use super::accept::Media;
use coracle_apimachinery::status::Status;

/// How a patch says what to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchKind {
    /// RFC 6902.
    Json,
    /// RFC 7386.
    Merge,
    /// Merge that knows the lists of the type.
    Strategic,
    /// Server-side apply.
    Apply,
}

/// Which patches a resource takes, in upstream's order.
const KINDS: [(&str, PatchKind); 4] = [
    ("application/json-patch+json", PatchKind::Json),
    ("application/merge-patch+json", PatchKind::Merge),
    ("application/strategic-merge-patch+json", PatchKind::Strategic),
    ("application/apply-patch+yaml", PatchKind::Apply),
];

/// What an object's body is written in. `content_type` is the header's value, empty when there is none.
///
/// # Errors
/// The type is unknown or malformed.
pub fn media_type(content_type: &str) -> Result<Media, Status> {
    if content_type.is_empty() {
        return Ok(Media::Json);
    }
    let media = parsed(content_type).and_then(|text| Media::ALL.into_iter().find(|media| media.as_str() == text));
    media.ok_or_else(|| unsupported(&Media::ALL.map(Media::as_str)))
}

/// How a patch is written. Resources of custom definitions know no strategic merge.
///
/// # Errors
/// The resource does not take such a patch.
pub fn patch_kind(content_type: &str, custom: bool) -> Result<PatchKind, Status> {
    let text = content_type.split(';').next().unwrap_or_default();
    let taken = |kind: PatchKind| !(custom && kind == PatchKind::Strategic);
    // Upstream's router trims, the handlers behind it do not; only the router is asked about built-in resources.
    let text = if custom { text } else { text.trim_matches(' ') };
    let found = KINDS.into_iter().find(|(name, kind)| *name == text && taken(*kind)).map(|(_, kind)| kind);
    found.ok_or_else(|| {
        if custom {
            let names: Vec<&str> = KINDS.iter().filter(|(_, kind)| taken(*kind)).map(|(name, _)| *name).collect();
            unsupported(&names)
        } else {
            patch_not_taken()
        }
    })
}

/// The refusal of a kind of patch that a built-in resource does not take.
#[must_use]
pub fn patch_not_taken() -> Status {
    Status::new(415, "UnsupportedMediaType", "415: Unsupported Media Type").about("", "", "")
}

fn unsupported(accepted: &[&str]) -> Status {
    let accepted = accepted.join(", ");
    let message =
        format!("the body of the request was in an unknown format - accepted media types include: {accepted}");
    Status::new(415, "UnsupportedMediaType", message)
}

/// The type in lower case without its parameters, which must be well-formed (Go's `mime.ParseMediaType`).
fn parsed(text: &str) -> Option<String> {
    let (media, mut rest) = text.find(';').map_or((text, ""), |at| text.split_at(at));
    let mut names = Vec::new();
    while !rest.trim().is_empty() {
        let parameter = rest.trim_start().strip_prefix(';')?;
        if parameter.trim().is_empty() {
            break;
        }
        let (name, after) = token(parameter.trim_start());
        let value = after.trim_start().strip_prefix('=')?.trim_start();
        rest = match value.strip_prefix('"') {
            Some(quoted) => after_quoted(quoted)?,
            None => Some(token(value)).filter(|(value, _)| !value.is_empty())?.1,
        };
        let name = name.to_ascii_lowercase();
        if name.is_empty() || names.contains(&name) {
            return None;
        }
        names.push(name);
    }
    Some(media.trim().to_ascii_lowercase())
}

/// A token at the start, and what follows it.
fn token(text: &str) -> (&str, &str) {
    let ends = |character: char| !character.is_ascii_graphic() || "()<>@,;:\\\"/[]?=".contains(character);
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

/// What follows a quoted text whose first quote is taken away.
fn after_quoted(text: &str) -> Option<&str> {
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return text.get(at + 1..),
            '\r' | '\n' => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::recorded;

    #[test]
    fn bodies_are_named_by_their_type() {
        for (text, expected) in [
            ("", Some(Media::Json)),
            ("application/json", Some(Media::Json)),
            ("Application/JSON", Some(Media::Json)),
            ("application/json; charset=utf-8", Some(Media::Json)),
            ("application/json; charset=\"a;\\\"b\"; x=y", Some(Media::Json)),
            ("application/json;", Some(Media::Json)),
            ("application/yaml", Some(Media::Yaml)),
            ("application/vnd.kubernetes.protobuf", Some(Media::Protobuf)),
            ("application/json;;", None),
            ("application/json; charset", None),
            ("application/json; a=b; a=c", None),
            ("application/json; a=\"b", None),
            ("x", None),
            ("application/x-www-form-urlencoded", None),
        ] {
            assert_eq!(media_type(text).ok(), expected, "{text}");
        }
        recorded::assert_is(&media_type("text/plain").unwrap_err(), "error-media-type");
    }

    #[test]
    fn patches_are_named_by_their_type() {
        for (text, custom, expected) in [
            ("application/json-patch+json", false, Some(PatchKind::Json)),
            ("application/merge-patch+json; charset=utf-8", false, Some(PatchKind::Merge)),
            ("application/merge-patch+json;;", false, Some(PatchKind::Merge)),
            (" application/merge-patch+json", false, Some(PatchKind::Merge)),
            ("application/strategic-merge-patch+json", false, Some(PatchKind::Strategic)),
            ("application/apply-patch+yaml", true, Some(PatchKind::Apply)),
            ("application/merge-patch+json", true, Some(PatchKind::Merge)),
            ("Application/Merge-Patch+JSON", false, None),
            ("application/apply-patch+cbor", false, None),
            ("", false, None),
        ] {
            assert_eq!(patch_kind(text, custom).ok(), expected, "{text}");
        }
        recorded::assert_is(&patch_kind("application/json", false).unwrap_err(), "patch-media-type");
        let status = patch_kind("application/strategic-merge-patch+json", true).unwrap_err();
        recorded::assert_is(&status, "custom-strategic-patch");
    }
}
