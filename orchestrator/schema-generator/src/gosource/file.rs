//! One Go file, line by line. gofmt guarantees the line structure this relies on.

use super::{Declared, Field, Form, Package, Tag};
use crate::Error;
use std::collections::BTreeMap;

/// Comment markers seen so far: those of the current block and, behind a blank line, of the block before it.
#[derive(Default)]
struct Markers {
    previous: Vec<String>,
    current: Vec<String>,
}

impl Markers {
    fn comment(&mut self, text: &str) {
        if let Some(marker) = text.trim_start_matches('/').trim().strip_prefix('+') {
            self.current.push(marker.to_owned());
        }
    }

    fn blank_line(&mut self) {
        if !self.current.is_empty() {
            self.previous = std::mem::take(&mut self.current);
        }
    }

    /// Markers of a declaration: its own block and the one before it.
    fn take(&mut self) -> Vec<String> {
        let mut all = std::mem::take(&mut self.previous);
        all.append(&mut self.current);
        all
    }
}

/// Adds the declarations of one file to `package`.
pub fn parse_file(package: &mut Package, path: &str, text: &str) -> Result<(), Error> {
    let text = &without_block_comments(text);
    let imports = imports(text);
    let mut markers = Markers::default();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim_start().starts_with("//") {
            markers.comment(line.trim_start());
        } else if line.trim().is_empty() {
            markers.blank_line();
        } else if let Some(rest) = line.strip_prefix("type ") {
            let type_markers = markers.take();
            let (name, expression) = rest.split_once(' ').ok_or_else(|| Error::source(path, line))?;
            let expression = expression.strip_prefix("= ").unwrap_or(expression);
            let expression = expression.split("//").next().unwrap_or_default().trim();
            let form = match expression {
                "struct {" => Form::Struct(fields(path, name, &mut lines)?),
                "struct{}" => Form::Struct(Vec::new()),
                _ if expression.starts_with("interface") => Form::Interface,
                _ => Form::Other(expression.to_owned()),
            };
            // Generic and unexported types are no API types.
            if name.contains('[') || !name.starts_with(char::is_uppercase) {
                continue;
            }
            let declared = Declared { form, markers: type_markers, imports: imports.clone() };
            package.types.insert(name.to_owned(), declared);
        } else {
            if let Some((go_type, value)) = string_constant(line) {
                package.constants.entry(go_type).or_default().push(value);
            }
            if path.ends_with("register.go") {
                if let Some(group) = line.strip_prefix("const GroupName = \"") {
                    package.group = group.trim_end_matches('"').to_owned();
                }
                registered(package, line);
            }
            markers = Markers::default();
        }
    }
    if path.ends_with("doc.go") {
        package.markers = text.lines().filter_map(|line| line.strip_prefix("// +")).map(str::to_owned).collect();
    }
    Ok(())
}

/// Drops block comments that begin a line; gofmt leaves no other in the packages read here.
fn without_block_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for line in text.lines() {
        inside |= line.trim_start().starts_with("/*");
        if !inside {
            out.push_str(line);
            out.push('\n');
        }
        inside &= !line.contains("*/");
    }
    out
}

fn imports(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let block = text.split("\nimport (\n").nth(1).and_then(|rest| rest.split("\n)").next()).unwrap_or_default();
    let single = text.lines().filter_map(|line| line.strip_prefix("import "));
    for line in block.lines().chain(single) {
        let mut parts = line.split('"');
        let (Some(alias), Some(path)) = (parts.next(), parts.next()) else { continue };
        let last = path.rsplit('/').next().unwrap_or(path);
        let alias = if alias.trim().is_empty() { last } else { alias.trim() };
        found.insert(alias.to_owned(), path.to_owned());
    }
    found
}

fn fields<'a>(path: &str, name: &str, lines: &mut impl Iterator<Item = &'a str>) -> Result<Vec<Field>, Error> {
    let mut fields = Vec::new();
    let mut markers = Markers::default();
    for line in lines {
        let trimmed = line.trim();
        if line == "}" {
            return Ok(fields);
        }
        if trimmed.starts_with("//") {
            markers.comment(trimmed);
            continue;
        }
        if trimmed.is_empty() {
            markers.blank_line();
            continue;
        }
        let subject = || format!("{path}: {name}: `{trimmed}`");
        let mut parts = trimmed.split('`');
        let declaration = parts.next().unwrap_or_default();
        let tag = Tag::parse(parts.next().unwrap_or_default()).map_err(|detail| Error::source(subject(), detail))?;
        let declaration = declaration.split("//").next().unwrap_or_default();
        let words: Vec<&str> = declaration.split_whitespace().collect();
        let field = match words[..] {
            [embedded] => Field {
                name: embedded.rsplit(['.', '*']).next().unwrap_or_default().to_owned(),
                go_type: embedded.to_owned(),
                embedded: true,
                tag,
                markers: markers.take(),
            },
            [name, go_type] => Field {
                name: name.to_owned(),
                go_type: go_type.to_owned(),
                embedded: false,
                tag,
                markers: markers.take(),
            },
            _ => return Err(Error::source(subject(), "not a field of the form `Name Type`")),
        };
        fields.push(field);
    }
    Err(Error::source(format!("{path}: {name}"), "struct does not end"))
}

/// `Name Type = "value"`, with or without `const`.
fn string_constant(line: &str) -> Option<(String, String)> {
    let line = line.trim().trim_start_matches("const ");
    let (left, right) = line.split_once('=')?;
    let words: Vec<&str> = left.split_whitespace().collect();
    let [name, go_type] = words[..] else { return None };
    if !name.starts_with(char::is_uppercase) || !go_type.starts_with(char::is_uppercase) {
        return None;
    }
    let value = right.trim().strip_prefix('"')?;
    let end = value.find('"')?;
    Some((go_type.to_owned(), value[..end].to_owned()))
}

fn registered(package: &mut Package, line: &str) {
    let name = line.trim().strip_prefix('&').and_then(|rest| rest.strip_suffix("{},"));
    if let Some(name) = name.filter(|name| !name.contains('.')) {
        package.registered.push(name.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::{Form, Package, parse_file};

    const SAMPLE: &str = "package v1\n\nimport (\n\tmetav1 \"k8s.io/x/meta/v1\"\n\t\"k8s.io/x/resource\"\n)\n\n\
        // Words.\n// +enum\ntype Colour string\n\nconst (\n\tRed Colour = \"red\" // warm\n)\n\n\
        // +union\ntype Wall struct {\n\tmetav1.TypeMeta `json:\"\"`\n\t// +optional\n\t// +default=\"red\"\n\
        \tPaint *Colour `json:\"paint,omitempty\" protobuf:\"bytes,3,opt,name=paint\"` // trailing\n}\n";

    #[test]
    fn declarations_are_found() {
        let mut package = Package::default();
        parse_file(&mut package, "types.go", SAMPLE).unwrap();
        assert_eq!(package.constants["Colour"], ["red"]);
        assert_eq!(package.types["Colour"].markers, ["enum"]);
        let Form::Struct(fields) = &package.types["Wall"].form else { panic!("not a struct") };
        assert!(fields[0].embedded);
        assert_eq!(fields[1].markers, ["optional", "default=\"red\""]);
        assert_eq!(fields[1].tag.protobuf, Some(("bytes".to_owned(), 3)));
        assert_eq!(package.types["Wall"].imports["resource"], "k8s.io/x/resource");
    }

    #[test]
    fn an_unknown_field_form_is_refused() {
        let mut package = Package::default();
        let error = parse_file(&mut package, "types.go", "type A struct {\n\tX, Y int `json:\"x\"`\n}\n").unwrap_err();
        assert!(error.to_string().contains("Name Type"), "{error}");
    }
}
