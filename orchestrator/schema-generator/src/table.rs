//! Writes the table of one group-version. The format is described in `orchestrator/apimachinery/schema/FORMAT.md`.

mod attributes;

use crate::Error;
use crate::defaults::Rows;
use crate::gosource::{self, Declared, Field, Form};
use crate::packages::{Loaded, META, Type, Universe, native};
use std::collections::BTreeSet;

/// Version of the file format.
const FORMAT: u32 = 1;

/// Kinds of meta/v1 that upstream's scheme knows under the core group too: `AddUnversionedTypes` and `AddToGroupVersion`
/// in apimachinery's meta/v1 `register.go`.
const SHARED_KINDS: [&str; 12] = [
    "APIGroup",
    "APIGroupList",
    "APIResourceList",
    "APIVersions",
    "CreateOptions",
    "DeleteOptions",
    "GetOptions",
    "ListOptions",
    "PatchOptions",
    "Status",
    "UpdateOptions",
    "WatchEvent",
];

/// One table under construction.
struct Writer<'a> {
    universe: &'a Universe,
    package: &'a Loaded,
    rows: &'a Rows,
    uses: BTreeSet<(String, String)>,
    body: String,
}

/// The whole text of the table of `package`.
pub fn write(universe: &Universe, package: &Loaded, rows: &Rows) -> Result<String, Error> {
    let mut writer = Writer { universe, package, rows, uses: BTreeSet::new(), body: String::new() };
    writer.kinds();
    writer.shared_kinds();
    if let Some(document) = &package.discovery {
        for line in &document.resources {
            writer.line(line);
        }
    }
    for (name, declared) in &package.package.types {
        writer.declaration(name, declared)?;
    }
    let served = if package.served_by_default() {
        "default"
    } else if package.discovery.is_some() {
        "gated"
    } else {
        "shared"
    };
    let mut text = format!("coracle-schema {FORMAT}\ngroup-version {} {served}\n", package.name());
    for (alias, name) in &writer.uses {
        text.push_str(&format!("use {alias} {name}\n"));
    }
    text.push_str(&writer.body);
    Ok(text)
}

impl Writer<'_> {
    fn line(&mut self, line: &str) {
        self.body.push_str(line);
        self.body.push('\n');
    }

    fn kinds(&mut self) {
        let package = self.package;
        let kinds: BTreeSet<&String> = package.package.registered.iter().collect();
        for kind in kinds {
            let Some(declared) = package.package.types.get(kind) else { continue };
            // Types that only exist inside Go programs have no table entry to be the kind of.
            if native(&package.import_path, kind).is_some() {
                continue;
            }
            let mut line = format!("kind {kind}");
            for key in ["introduced", "deprecated", "removed", "replacement"] {
                let marker = format!("k8s:prerelease-lifecycle-gen:{key}");
                if let Some(value) = gosource::marker(&declared.markers, &marker) {
                    line.push_str(&format!(" {key}={value}"));
                }
            }
            self.line(&line);
        }
    }

    fn shared_kinds(&mut self) {
        let meta = self.universe.package(META).map(Loaded::name).unwrap_or_default();
        if self.package.name() != "core/v1" {
            return;
        }
        for kind in SHARED_KINDS {
            self.line(&format!("kind {kind}"));
            self.line(&format!("alias {kind} metav1.{kind}"));
        }
        self.uses.insert(("metav1".to_owned(), meta));
    }

    fn declaration(&mut self, name: &str, declared: &Declared) -> Result<(), Error> {
        if native(&self.package.import_path, name).is_some() {
            return Ok(());
        }
        match &declared.form {
            Form::Interface => Ok(()),
            Form::Other(expression) => self.named(name, declared, expression),
            Form::Struct(fields) if fields.is_empty() || fields.iter().any(|field| field.tag.has_json) => {
                self.structure(name, declared, fields)
            }
            Form::Struct(_) => Ok(()),
        }
    }

    /// Named strings keep their name for messages and their constants as values; a registered other name is an alias.
    fn named(&mut self, name: &str, declared: &Declared, expression: &str) -> Result<(), Error> {
        let package = self.package;
        if package.package.registered.iter().any(|registered| registered == name) {
            let target = self.universe.resolve(package, declared, expression)?;
            let target = self.render(&target);
            self.line(&format!("alias {name} {target}"));
            return Ok(());
        }
        // Only a plain string is of interest here, and an expression that names something unreadable is not one.
        if expression != "string" {
            return Ok(());
        }
        let empty = Vec::new();
        let values = package.package.constants.get(name).unwrap_or(&empty);
        let closed = declared.markers.iter().any(|marker| marker == "enum" || marker.ends_with("k8s:enum"));
        let word = if closed { "enum" } else { "string" };
        let values: Vec<&str> = values.iter().map(String::as_str).filter(|_| closed).collect();
        let mut line = format!("{word} {name}");
        let mut seen = BTreeSet::new();
        for value in values {
            if seen.insert(value) {
                line.push(' ');
                line.push_str(if value.is_empty() { "\"\"" } else { value });
            }
        }
        self.line(&line);
        Ok(())
    }

    fn structure(&mut self, name: &str, declared: &Declared, fields: &[Field]) -> Result<(), Error> {
        let component = self.universe.components.get(&self.package.model_package, name);
        let mut line = format!("struct {name}");
        line.push_str(&attributes::of_struct(declared, component));
        self.line(&line);
        for marker in attributes::validations(&declared.markers) {
            self.line(&format!(" +{marker}"));
        }
        let mut numbers = BTreeSet::new();
        for field in fields.iter().filter(|field| field.tag.json_name != "-" && field.tag.has_json) {
            self.field(name, declared, field, component)?;
            numbers.extend(field.tag.protobuf.iter().map(|(_, number)| *number));
        }
        let message = self.package.messages.get(name);
        if let Some(missing) = message.and_then(|fields| fields.keys().find(|number| !numbers.contains(number))) {
            let subject = format!("{}.{name}", self.package.name());
            return Err(Error::source(subject, format!("generated.proto has field {missing}, the struct has not")));
        }
        Ok(())
    }

    fn field(
        &mut self,
        owner: &str,
        declared: &Declared,
        field: &Field,
        component: Option<&serde_json::Value>,
    ) -> Result<(), Error> {
        let subject = format!("{}.{owner}.{}", self.package.name(), field.name);
        let resolved = self
            .universe
            .resolve(self.package, declared, &field.go_type)
            .map_err(|error| Error::source(&subject, error.to_string()))?;
        let inline = field.embedded && field.tag.json_name.is_empty();
        let json_name = match (inline, field.tag.json_name.as_str()) {
            (true, _) => "~",
            (false, "") => &field.name,
            (false, name) => name,
        };
        let number = match &field.tag.protobuf {
            None => "-".to_owned(),
            Some((_, number)) => {
                self.check_wire(&subject, owner, &resolved, *number)?;
                number.to_string()
            }
        };
        let mut line = format!(" {json_name} {} {number}", self.render(&resolved));
        if field.tag.option("omitempty") {
            line.push_str(" ?");
        }
        if field.tag.option("omitzero") {
            line.push_str(" omitzero");
        }
        if !inline {
            line.push_str(&attributes::of_field(&resolved, field, component.map(|schema| (schema, json_name))));
            let row = self.rows.get(&self.package.name(), &format!("{owner}.{json_name}")).map(str::to_owned);
            match (row, attributes::default(&resolved, field, component.map(|schema| (schema, json_name)))) {
                (None, None) => {}
                (Some(default), None) | (None, Some(default)) if !default.contains(' ') => {
                    line.push_str(&format!(" default={default}"));
                }
                (Some(row), _) => return Err(Error::source(subject, format!("the row `{row}` is not needed"))),
                (None, Some(default)) => {
                    return Err(Error::source(subject, format!("default `{default}` has a blank")));
                }
            }
        }
        self.line(&line);
        for marker in attributes::validations(&field.markers) {
            self.line(&format!("  +{marker}"));
        }
        Ok(())
    }

    /// `generated.proto`, which the real marshallers were made from, must have the field number, and its wire kind must
    /// be the one that follows from the Go type. (The kind in the struct tag is not read upstream and is wrong once.)
    fn check_wire(&self, subject: &str, owner: &str, resolved: &Type, number: u32) -> Result<(), Error> {
        let Some(message) = self.package.messages.get(owner) else { return Ok(()) };
        let Some(field) = message.get(&number) else {
            return Err(Error::source(subject, format!("generated.proto has no field {number}")));
        };
        let kind = match field.proto_type.as_str() {
            "bool" | "int32" | "int64" => "varint",
            "double" => "fixed64",
            _ => "bytes",
        };
        let repeated = matches!(resolved, Type::List(_));
        if field.repeated != repeated || kind != wire_kind(resolved) {
            return Err(Error::source(subject, format!("generated.proto has {field:?}, Go has {resolved:?}")));
        }
        Ok(())
    }

    fn render(&mut self, resolved: &Type) -> String {
        match resolved {
            Type::Native(word) => (*word).to_owned(),
            Type::Pointer(inner) => format!("*{}", self.render(inner)),
            Type::List(inner) => format!("[]{}", self.render(inner)),
            Type::Map(inner) => format!("map[]{}", self.render(inner)),
            Type::Wrapped(inner) => format!("wrap[]{}", self.render(inner)),
            Type::Struct(path, name) | Type::Named(path, name) => match self.universe.package(path) {
                Some(foreign) if *path != self.package.import_path => {
                    let alias = foreign.alias();
                    self.uses.insert((alias.clone(), foreign.name()));
                    format!("{alias}.{name}")
                }
                _ => name.clone(),
            },
        }
    }
}

/// The protobuf wire kind of a type.
fn wire_kind(resolved: &Type) -> &'static str {
    match resolved {
        Type::Native("bool" | "int32" | "int64") => "varint",
        Type::Native("float64") => "fixed64",
        Type::Pointer(inner) | Type::List(inner) => wire_kind(inner),
        _ => "bytes",
    }
}
