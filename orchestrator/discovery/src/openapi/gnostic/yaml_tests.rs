//! Texts that Go made, as the tests beside say.

use super::*;

/// JSON and its YAML.
const TEXTS: &[(&str, &str)] = &[
    ("null", "null\n"),
    ("true", "true\n"),
    ("false", "false\n"),
    ("0", "0\n"),
    ("-12", "-12\n"),
    ("1.5", "1.5\n"),
    ("18446744073709551615", "18446744073709551615\n"),
    (r#""""#, "\"\"\n"),
    (r#""plain text""#, "plain text\n"),
    (r#""a: b""#, "'a: b'\n"),
    (r#""a:b""#, "a:b\n"),
    (r#""a #b""#, "'a #b'\n"),
    (r##""#a""##, "'#a'\n"),
    (r#""-""#, "'-'\n"),
    (r#""- a""#, "'- a'\n"),
    (r#""-a""#, "-a\n"),
    (r#""? a""#, "'? a'\n"),
    (r#""'a'""#, "'''a'''\n"),
    (r#""say \"a\"""#, "say \"a\"\n"),
    (r#"" a""#, "' a'\n"),
    (r#""a ""#, "'a '\n"),
    (r#""a\tb""#, "\"a\\tb\"\n"),
    (r#""null""#, "\"null\"\n"),
    (r#""Null""#, "\"Null\"\n"),
    (r#""~""#, "\"~\"\n"),
    (r#""true""#, "\"true\"\n"),
    (r#""yes""#, "yes\n"),
    (r#""0""#, "\"0\"\n"),
    (r#""012""#, "\"012\"\n"),
    (r#""0x1F""#, "\"0x1F\"\n"),
    (r#""0o7""#, "\"0o7\"\n"),
    (r#""0b+1""#, "\"0b+1\"\n"),
    (r#""1_000""#, "\"1_000\"\n"),
    (r#""1e3""#, "\"1e3\"\n"),
    (r#"".5""#, "\".5\"\n"),
    (r#"".5_0""#, "\".5_0\"\n"),
    (r#"".inf""#, "\".inf\"\n"),
    (r#""1.2.3""#, "1.2.3\n"),
    (r#""12:30:45""#, "12:30:45\n"),
    (r#""2001-1-2""#, "\"2001-1-2\"\n"),
    (r#""2001-02-29""#, "2001-02-29\n"),
    (r#""2001-1-2T3:4:5Z""#, "\"2001-1-2T3:4:5Z\"\n"),
    (r#""2001-1-2  3:4:5""#, "\"2001-1-2  3:4:5\"\n"),
    (r#""---a""#, "'---a'\n"),
    (r#""...""#, "'...'\n"),
    (r#""a\n""#, "|\n    a\n"),
    (r#""a\nb""#, "|-\n    a\n    b\n"),
    (r#""a\n\n""#, "|+\n    a\n\n"),
    (r#""a \nb""#, "\"a \\nb\"\n"),
    (r#"" a\nb""#, "|4-\n     a\n    b\n"),
    (r#""\na""#, "|4-\n\n    a\n"),
    (r#""\n""#, "|4+\n\n"),
    (r#""a\u2028b""#, "'a\u{2028}    b'\n"),
    (r#""\u0085""#, "\"\\N\"\n"),
    (r#""é日本""#, "é日本\n"),
    (r#""😀""#, "\"\\U0001F600\"\n"),
    (r#""\u0007\u001b\u0000""#, "\"\\a\\e\\0\"\n"),
    (r#""\ufeff""#, "\"\\uFEFF\"\n"),
    ("[]", "[]\n"),
    ("{}", "{}\n"),
    (r#"[1,[2,[3,{"a":1}],{}]]"#, "- 1\n- - 2\n  - - 3\n    - a: 1\n  - {}\n"),
    (
        r#"{"a":{"b":[1,{"c":"d","e":[2]}],"":null}}"#,
        "a:\n    b:\n        - 1\n        - c: d\n          e:\n            - 2\n    \"\": null\n",
    ),
    (r#"{"a\nb":1}"#, "? |-\n    a\n    b\n: 1\n"),
    (r#"{"a":{"\n":{"b":1}}}"#, "a:\n    ? |4+\n\n    :   b: 1\n"),
    (r#"[{"x\u2029":["y"]}]"#, "- ? 'x\u{2029}'\n  : - y\n"),
    (
        r#"{"a":"b\nc","d":["e\nf\n",{"g":"h\n\n"}]}"#,
        "a: |-\n    b\n    c\nd:\n    - |\n      e\n      f\n    - g: |+\n        h\n\n",
    ),
];

#[test]
fn texts_of_go() {
    for (json, expected) in TEXTS {
        assert_eq!(print(&serde_json::from_str(json).unwrap()), *expected, "{json}");
    }
}

/// A question mark announces a key that is too long for a simple one.
#[test]
fn long_keys() {
    let of = |length: usize| {
        let key = "k".repeat(length);
        (print(&serde_json::from_str(&format!(r#"{{"{key}":[1,{{"a":2}}]}}"#)).unwrap()), key)
    };
    let (long, key) = of(129);
    assert_eq!(long, format!("? {key}\n:   - 1\n    - a: 2\n"));
    let (short, key) = of(128);
    assert_eq!(short, format!("{key}:\n    - 1\n    - a: 2\n"));
}
