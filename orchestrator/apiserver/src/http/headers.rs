//! Headers of answers, and the compression of long ones.

use ::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, VARY, WARNING, X_CONTENT_TYPE_OPTIONS,
};
use ::http::{HeaderMap, HeaderName, HeaderValue};
use coracle_apimachinery::status::Status;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;

/// Longest body that is never compressed.
const UNCOMPRESSED: usize = 128 * 1024;

/// Characters of warnings that one answer carries before they are cut.
const WARNING_TOTAL: usize = 4 * 1024;

/// Characters that each warning keeps when they are cut.
const WARNING_ITEM: usize = 256;

/// The answer's text type where it is no document, such as `404 page not found`.
pub const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

/// The header that names a request in the audit log.
pub const AUDIT_ID: HeaderName = HeaderName::from_static("audit-id");

const FLOW_SCHEMA: HeaderName = HeaderName::from_static("x-kubernetes-pf-flowschema-uid");
const PRIORITY_LEVEL: HeaderName = HeaderName::from_static("x-kubernetes-pf-prioritylevel-uid");

/// Where priority and fairness put a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// uid of the FlowSchema.
    pub schema_uid: String,
    /// uid of the PriorityLevelConfiguration.
    pub level_uid: String,
}

/// Warnings of one answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Warnings(Vec<String>);

/// The Audit-ID of a request: the client's own, otherwise a fresh UUID.
#[must_use]
pub fn audit_id(request: &HeaderMap) -> HeaderValue {
    let own = request.get(AUDIT_ID).filter(|value| !value.is_empty());
    own.cloned().unwrap_or_else(|| {
        HeaderValue::from_str(&uuid())
            .unwrap_or_else(|_| HeaderValue::from_static("00000000-0000-4000-8000-000000000000"))
    })
}

/// A random UUID (version 4).
fn uuid() -> String {
    let mut bytes = [0_u8; 16];
    // The kernel fills so few bytes at once whenever its generator has started, which is long before this program.
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    let number = u128::from_be_bytes(bytes) & !(0xf << 76) | 0x4 << 76;
    let number = number & !(0x3 << 62) | 0x2 << 62;
    let hex = format!("{number:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| hex.get(range).unwrap_or_default());
    parts.join("-")
}

/// Sets what every answer carries. An answer that comes before priority and fairness (401) has no flow.
pub fn set_common(headers: &mut HeaderMap, audit_id: HeaderValue, flow: Option<&Flow>) {
    headers.insert(AUDIT_ID, audit_id);
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache, private"));
    if let Some(flow) = flow {
        for (name, uid) in [(FLOW_SCHEMA, &flow.schema_uid), (PRIORITY_LEVEL, &flow.level_uid)] {
            if let Ok(value) = HeaderValue::from_str(uid) {
                headers.insert(name, value);
            }
        }
    }
}

/// Sets what the body is.
pub fn set_content_type(headers: &mut HeaderMap, content_type: &str) {
    if let Ok(value) = HeaderValue::from_str(content_type) {
        headers.insert(CONTENT_TYPE, value);
    }
}

/// Tells clients not to guess the type. Upstream sets it where a refusal repeats the client's words: on refusals of
/// authorization and on plain texts.
pub fn set_no_sniff(headers: &mut HeaderMap) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// Repeats a failure's time after which to try again.
pub fn set_retry_after(headers: &mut HeaderMap, status: &Status) {
    let seconds = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
    if seconds > 0 {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
}

impl Warnings {
    /// Adds a warning; one that is there already, or empty, is not said again.
    pub fn add(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !text.is_empty() && !self.0.contains(&text) {
            self.0.push(text);
        }
    }

    /// Sets the headers. When the warnings are too long together, each is cut, and those past the limit are left out.
    pub fn set(&self, headers: &mut HeaderMap) {
        let sayable = || self.0.iter().filter(|text| !text.chars().any(char::is_control));
        let total: usize = sayable().map(|text| text.chars().count()).sum();
        let cut = total > WARNING_TOTAL;
        let mut written = 0;
        for text in sayable() {
            if cut && written >= WARNING_TOTAL {
                break;
            }
            let kept: String = if cut { text.chars().take(WARNING_ITEM).collect() } else { text.clone() };
            written += kept.chars().count();
            let quoted = kept.replace('\\', "\\\\").replace('"', "\\\"");
            if let Ok(value) = HeaderValue::from_bytes(format!("299 - \"{quoted}\"").as_bytes()) {
                headers.append(WARNING, value);
            }
        }
    }
}

/// Compresses a long body for a client that accepts it, and says so in the answer's headers.
#[must_use]
pub fn compressed(request: &HeaderMap, headers: &mut HeaderMap, body: Vec<u8>) -> Vec<u8> {
    let accepted = request.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if body.len() <= UNCOMPRESSED || !accepted.split(',').any(|coding| coding.trim() == "gzip") {
        return body;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory cannot fail; if it did, the body itself is still a right answer.
    let Some(short) = encoder.write_all(&body).ok().and_then(|()| encoder.finish().ok()) else { return body };
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    fn values(headers: &HeaderMap, name: &str) -> Vec<String> {
        headers.get_all(name).iter().map(|value| String::from_utf8(value.as_bytes().to_vec()).unwrap()).collect()
    }

    #[test]
    fn common_headers() {
        let mut request = HeaderMap::new();
        let fresh = audit_id(&request).to_str().unwrap().to_owned();
        let pattern: String = fresh.chars().map(|digit| if digit.is_ascii_hexdigit() { 'x' } else { digit }).collect();
        assert_eq!(pattern, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx");
        assert_eq!(&fresh[14..15], "4");
        assert!("89ab".contains(&fresh[19..20]), "{fresh}");
        assert_ne!(audit_id(&request).to_str().unwrap(), fresh);
        request.insert(AUDIT_ID, HeaderValue::from_static("mine"));
        assert_eq!(audit_id(&request), "mine");

        let mut headers = HeaderMap::new();
        let flow = Flow { schema_uid: "s".into(), level_uid: "l".into() };
        set_common(&mut headers, audit_id(&request), Some(&flow));
        for (name, expected) in [
            ("audit-id", "mine"),
            ("cache-control", "no-cache, private"),
            ("x-kubernetes-pf-flowschema-uid", "s"),
            ("x-kubernetes-pf-prioritylevel-uid", "l"),
        ] {
            assert_eq!(values(&headers, name), [expected]);
        }
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("public"));
        set_common(&mut headers, audit_id(&request), None);
        assert_eq!(values(&headers, "cache-control"), ["public"]);
        assert_eq!(headers.len(), 2);
    }

    #[test]
    fn headers_by_circumstance() {
        let mut headers = HeaderMap::new();
        set_no_sniff(&mut headers);
        set_content_type(&mut headers, PLAIN_TEXT);
        set_retry_after(&mut headers, &Status::new(504, "Timeout", "late"));
        assert_eq!(values(&headers, "retry-after"), [""; 0]);
        set_retry_after(&mut headers, &Status::new(504, "Timeout", "late").retry_after(1));
        assert_eq!(values(&headers, "retry-after"), ["1"]);
        assert_eq!(values(&headers, "x-content-type-options"), ["nosniff"]);
        assert_eq!(values(&headers, "content-type"), ["text/plain; charset=utf-8"]);
    }

    #[test]
    fn warnings_are_quoted_and_said_once() {
        let mut warnings = Warnings::default();
        for text in ["unknown field \"colour\"", "", "a\\b é", "line\nbreak", "unknown field \"colour\""] {
            warnings.add(text);
        }
        let mut headers = HeaderMap::new();
        warnings.set(&mut headers);
        assert_eq!(values(&headers, "warning"), [r#"299 - "unknown field \"colour\"""#, r#"299 - "a\\b é""#]);
    }

    #[test]
    fn many_warnings_are_cut() {
        let mut warnings = Warnings::default();
        for number in 0..20 {
            warnings.add(format!("{number:02}{}", "x".repeat(498)));
        }
        let mut headers = HeaderMap::new();
        warnings.set(&mut headers);
        let values = values(&headers, "warning");
        assert_eq!(values.len(), WARNING_TOTAL / WARNING_ITEM);
        assert!(values.iter().all(|value| value.len() == "299 - \"\"".len() + WARNING_ITEM));
    }

    #[test]
    fn long_bodies_are_compressed_for_those_who_accept_it() {
        let body = b"0123456789abcdef".repeat(UNCOMPRESSED / 16 + 1);
        for (accept, length, compresses) in [
            ("gzip", body.len(), true),
            ("deflate, gzip", body.len(), true),
            ("gzip", UNCOMPRESSED, false),
            ("gzip;q=1", body.len(), false),
            ("", body.len(), false),
        ] {
            let mut request = HeaderMap::new();
            request.insert(ACCEPT_ENCODING, HeaderValue::from_static(accept));
            let mut headers = HeaderMap::new();
            let sent = compressed(&request, &mut headers, body[..length].to_vec());
            assert_eq!(headers.get(CONTENT_ENCODING).is_some(), compresses, "{accept}");
            if compresses {
                let mut text = Vec::new();
                flate2::read::GzDecoder::new(sent.as_slice()).read_to_end(&mut text).unwrap();
                assert!(text == body);
                assert_eq!(values(&headers, "vary"), ["Accept-Encoding"]);
            } else {
                assert!(sent == body[..length]);
            }
        }
    }
}
