//! The columns of every kind equal those of the real server.

use super::{asked, assert_columns, recording, recording_directory};
use crate::table::{DEFAULT, PRINTERS, Printer, cells, columns};
use coracle_apimachinery::{Object, Value};
use std::collections::BTreeSet;
use std::fs;

#[test]
fn columns_of_every_kind_equal_the_recorded_ones() {
    let mut seen = BTreeSet::new();
    for entry in fs::read_dir(recording_directory()).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let Some(name) = file.strip_suffix(".json").filter(|name| name.starts_with("columns-")) else { continue };
        let recording = recording(name);
        let (group, resource) = asked(&recording);
        let printer = Printer::of(&group, &resource);
        let table = recording.at(&["answer", "http", "body", "json"]).unwrap();
        assert_columns(printer, table, name);
        let rows = table.at(&["rows"]).unwrap();
        assert_eq!(printer.null_without_rows(), *rows == Value::Null, "{name}");
        seen.insert((group, resource));
    }
    // The kinds of two versions share their columns.
    assert_eq!(seen.len(), 64);
    for printer in PRINTERS.iter().flat_map(|printers| printers.iter()) {
        let (group, resource) = (printer.group, printer.resource);
        // A subresource has no list.
        let known = resource == "scale" || seen.contains(&(group.to_owned(), resource.to_owned()));
        assert!(known, "{group} {resource}");
        assert!(std::ptr::eq(printer, Printer::of(group, resource)), "{group} {resource} stands twice");
    }
}

#[test]
fn an_empty_object_has_a_cell_for_each_column() {
    let empty = Value::Object(Object::new());
    for printer in PRINTERS.iter().flat_map(|printers| printers.iter()).chain([&DEFAULT]) {
        let (group, resource) = (printer.group, printer.resource);
        let cells = cells(group, resource, &empty, super::now());
        // The real server fills a cell of an address that no column shows.
        let hidden = usize::from(resource == "ipaddresses");
        assert_eq!(cells.len(), columns(group, resource).len() + hidden, "{group} {resource}");
    }
}
