//! The properties that every decoder holds for any bytes, as plain functions: property tests call them per commit, and a
//! fuzzer can call them for as long as it likes. A violated property panics.

use crate::at_rest::AtRest;
use crate::json::{self, FieldValidation};
use crate::protobuf::{self, envelope};
use crate::schema::Type;
use crate::{Value, yaml};

/// What JSON decodes to prints canonically: printing, reading and printing again gives the same bytes and no findings.
pub fn json_is_canonical(of: Type<'_>, bytes: &[u8]) {
    if let Ok(decoded) = json::decode(of, bytes, FieldValidation::Report) {
        canonical(of, &decoded.value);
    }
}

/// Any JSON prints to what reads back and prints the same. (A whole floating-point number comes back as an integer, as in
/// Go, so the trees may differ while the texts do not.)
pub fn any_json_round_trips(bytes: &[u8]) {
    if let Ok(value) = json::decode_any(bytes) {
        let printed = json::encode_any(&value);
        let again = json::decode_any(&printed).map(|again| json::encode_any(&again));
        assert_eq!(again.as_ref(), Ok(&printed), "{}", String::from_utf8_lossy(&printed));
    }
}

/// What YAML decodes to is what its JSON decodes to, and prints canonically.
pub fn yaml_is_canonical(of: Type<'_>, bytes: &[u8]) {
    let Ok(any) = yaml::decode_any(bytes) else { return };
    let through_json = json::decode(of, &json::encode_any(&any), FieldValidation::Ignore);
    match (yaml::decode(of, bytes, FieldValidation::Ignore), through_json) {
        (Ok(direct), Ok(through_json)) => {
            assert_eq!(direct.value, through_json.value);
            canonical(of, &direct.value);
        }
        (Err(_), Err(_)) => {}
        (direct, through_json) => unreachable_pair(&direct.is_ok(), &through_json.is_ok()),
    }
}

/// What protobuf decodes to encodes canonically, and survives JSON.
pub fn protobuf_is_canonical(of: Type<'_>, bytes: &[u8]) {
    if let Ok(value) = protobuf::decode(of, bytes) {
        let first = protobuf::encode(of, &value);
        let again = protobuf::decode(of, &first);
        assert!(again.is_ok(), "{again:?}");
        if let Ok(again) = again {
            assert_eq!(protobuf::encode(of, &again), first);
        }
        canonical(of, &value);
    }
}

/// An opened envelope names its type in the tree and seals again to a body that opens to the same.
pub fn envelope_round_trips(of: Type<'_>, bytes: &[u8]) {
    let Ok(opened) = envelope::open(bytes) else { return };
    if let Ok(value) = opened.decode(of) {
        let sealed = envelope::seal(of, &value);
        let again = envelope::open(&sealed).and_then(|opened| opened.decode(of));
        assert!(again.is_ok_and(|again| envelope::seal(of, &again) == sealed));
    }
}

fn canonical(of: Type<'_>, value: &Value) {
    let first = json::encode(of, value);
    let shown = String::from_utf8_lossy(&first);
    assert!(json::check(&first).is_ok(), "{shown}");
    let again = json::decode(of, &first, FieldValidation::Report);
    match again {
        Ok(again) => {
            assert!(again.findings.is_empty(), "{:?} in {shown}", again.findings);
            assert_eq!(String::from_utf8_lossy(&json::encode(of, &again.value)), shown);
            if let Ok(stored) = AtRest::encode(of, &again.value) {
                let read = json::decode(of, &stored.at_revision(7), FieldValidation::Report);
                assert!(read.is_ok_and(|read| read.findings.is_empty()), "{shown}");
            }
        }
        // Printing adds members that always print, so a document at the size limit may pass it.
        Err(json::Error::TooLarge(_)) => {}
        Err(error) => assert!(shown.is_empty(), "{error} in {shown}"),
    }
}

fn unreachable_pair(direct: &bool, through_json: &bool) {
    assert_eq!(direct, through_json, "YAML and its JSON must be both readable or both not");
}
