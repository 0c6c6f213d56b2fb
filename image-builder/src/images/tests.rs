use coracle_image_layout::{Image as Document, Manifest};

use super::*;

const ROWS: &str = r#"
[[layer]]
name = "tools"
packages = ["tools"]
programs = ["usr/bin/tool"]
take = ["usr/share/pages"]
directories = { tmp = 0o1777 }
links = { bin = "usr/bin" }
applets = { program = "usr/bin/tool", names = ["sh", "ls"] }

[[layer]]
name = "page"
files = { "www/index.html" = "hello\n" }

[[image]]
name = "localhost/a:1"
slot = true
title = "a"
description = "b"
licenses = "c"
layers = ["tools", "page"]
entrypoint = ["sh"]
user = "1:1"
ports = ["80/tcp"]
stop-signal = "SIGKILL"
"#;

/// An ELF header without sections, and texts.
fn program(machine: u8) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
    bytes[0x12] = machine;
    bytes.extend(b"\0sh\0ls\0");
    bytes
}

fn package(machine: u8) -> Package {
    let mut files = Tree::default();
    files.file("usr/bin/tool", 0o755, program(machine)).unwrap();
    files.file("usr/share/doc/tools/copyright", 0o644, *b"mine").unwrap();
    files.file("usr/share/pages/one", 0o600, *b"1").unwrap();
    files.file("usr/share/other", 0o644, *b"2").unwrap();
    Package { version: "1-2".to_owned(), files }
}

fn made(rows: &str, machine: Architecture) -> Result<Builder, Error> {
    let table = Table::parse(rows, "rows").unwrap();
    layout(&table, table.images(), machine, |_| Ok(package(62)))
}

#[test]
fn rows_become_an_image() {
    let builder = made(ROWS, Architecture::Amd64).unwrap();
    assert_eq!(builder.files().unwrap(), made(ROWS, Architecture::Amd64).unwrap().files().unwrap());
    let mut manifests = builder.blobs().values().filter_map(|blob| serde_json::from_slice::<Manifest>(blob).ok());
    let manifest = manifests.next_back().unwrap();
    let image: Document = serde_json::from_slice(&builder.blobs()[&manifest.config.digest]).unwrap();
    assert_eq!((image.config.user.as_str(), image.config.stop_signal.as_str()), ("1:1", "SIGKILL"));
    assert_eq!(image.config.labels[PACKAGES], "tools=1-2");
    let mut shown = Vec::new();
    for layer in &manifest.layers {
        let mut archive = tar::Archive::new(builder.blobs()[&layer.digest].as_slice());
        for entry in archive.entries().unwrap() {
            let entry = entry.unwrap();
            let header = entry.header();
            assert_eq!((header.mtime().unwrap(), header.uid().unwrap()), (crate::IMAGE_TIME.into(), 0));
            let path = entry.path().unwrap().display().to_string();
            if !header.entry_type().is_dir() || path.starts_with("tmp") {
                shown.push(format!("{path} {:o}", header.mode().unwrap()));
            }
        }
    }
    let want = [
        "bin 777",
        "tmp/ 1777",
        "usr/bin/ls 777",
        "usr/bin/sh 777",
        "usr/bin/tool 755",
        "usr/share/doc/tools/copyright 644",
        "usr/share/pages/one 600",
        "www/index.html 644",
    ];
    let shown: Vec<&str> = shown.iter().map(|line| line.trim_start_matches("./")).collect();
    assert_eq!(shown, want);
}

#[test]
fn rows_that_do_not_fit_are_refused() {
    for (from, to, want) in [
        (r#""sh", "ls""#, r#""sh", "lsof""#, "the program has no applet \"lsof\""),
        (r#"entrypoint = ["sh"]"#, r#"entrypoint = ["zsh"]"#, "no layer has the program \"zsh\""),
        (r#"entrypoint = ["sh"]"#, "entrypoint = []", "no layer has the program \"\""),
        ("usr/share/pages", "usr/share/none", "layer tools: there is no file \"usr/share/none\""),
        ("\"usr/bin/tool\"]", "\"usr/share/other\"]", "usr/share/other is no executable for amd64"),
        ("www/index.html", "www//index.html", "is not a plain relative path"),
    ] {
        let error = made(&ROWS.replacen(from, to, 1), Architecture::Amd64).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }
    let error = made(ROWS, Architecture::Arm64).unwrap_err().to_string();
    assert_eq!(error, "layer tools: usr/bin/tool is no executable for arm64");
}

#[test]
fn a_table_that_contradicts_itself_is_refused() {
    for (from, to, want) in [
        (r#"name = "page""#, r#"name = "tools""#, "images.toml: tools stands there twice"),
        (r#"["tools", "page"]"#, r#"["tools", "pages"]"#, "localhost/a:1 has the layer \"pages\", which is not there"),
        ("slot = true", "slots = true", "rows is not a table of images"),
    ] {
        let error = Table::parse(&ROWS.replacen(from, to, 1), "rows").unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }
}
