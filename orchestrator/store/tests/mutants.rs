//! The committed mutations fit the source: each `before` stands exactly once in its file, and no sync point is without
//! one. Whether the tests notice them is measured by `make mutants`.

use std::collections::HashSet;
use std::path::Path;

use coracle_store::disk::SyncPoint;

#[test]
fn every_mutation_fits_the_source() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(home.join("mutants.toml")).unwrap();
    let table: toml::Table = text.parse().unwrap();
    let rows = table["mutant"].as_array().unwrap();
    let mut names = HashSet::new();
    for row in rows {
        let field = |name: &str| row[name].as_str().unwrap();
        assert!(names.insert(field("name").to_owned()), "{} stands twice", field("name"));
        let source = std::fs::read_to_string(home.join("../..").join(field("file"))).unwrap();
        assert_eq!(source.matches(field("before")).count(), 1, "{}: {}", field("name"), field("before"));
        assert_ne!(field("before"), field("after"));
        assert!(field("test").starts_with("-p coracle-store "), "{}", field("test"));
    }
    for point in SyncPoint::ALL {
        assert!(names.contains(&format!("sync point {point:?}")), "{point:?} has no mutation");
    }
}
