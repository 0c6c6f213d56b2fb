//! The API packages of all modules, which of them get a table, and what a Go type expression means across them.

use crate::Error;
use crate::discovery::{self, GroupVersion};
use crate::gosource::{self, Declared, Form, Package};
use crate::modules::Modules;
use crate::openapi::Components;
use crate::proto::{self, Messages};
use std::collections::{BTreeMap, BTreeSet};

/// Single packages outside k8s.io/api: module, directory.
const SINGLE_PACKAGES: [(&str, &str); 3] = [
    ("k8s.io/apimachinery", "pkg/apis/meta/v1"),
    ("k8s.io/apiextensions-apiserver", "pkg/apis/apiextensions/v1"),
    ("k8s.io/kube-aggregator", "pkg/apis/apiregistration/v1"),
];
/// Import path of the types that all groups share.
pub const META: &str = "k8s.io/apimachinery/pkg/apis/meta/v1";
const APIEXTENSIONS: &str = "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1";
/// Where the golden samples of k8s.io/api lie.
pub const SAMPLES: &str = "testdata/HEAD/";

/// Types with hand-written marshalling upstream: import path, name, word in the table.
const NATIVE: [(&str, &str, &str); 10] = [
    (META, "Time", "time"),
    (META, "MicroTime", "micro-time"),
    (META, "Duration", "duration"),
    (META, "FieldsV1", "fields-v1"),
    ("k8s.io/apimachinery/pkg/api/resource", "Quantity", "quantity"),
    ("k8s.io/apimachinery/pkg/util/intstr", "IntOrString", "int-or-string"),
    ("k8s.io/apimachinery/pkg/runtime", "RawExtension", "raw-extension"),
    (APIEXTENSIONS, "JSON", "json"),
    (META, "Timestamp", "timestamp"),
    (META, "InternalEvent", "internal"),
];
/// The unions of apiextensions that print as one of two JSON forms: name, word in the table.
const SCHEMA_UNIONS: [(&str, &str); 3] = [
    ("JSONSchemaPropsOrArray", "schema-or-array"),
    ("JSONSchemaPropsOrBool", "schema-or-bool"),
    ("JSONSchemaPropsOrStringArray", "schema-or-strings"),
];

/// One API package.
#[derive(Debug)]
pub struct Loaded {
    /// Go import path.
    pub import_path: String,
    /// API group; empty for core.
    pub group: String,
    /// Version.
    pub version: String,
    /// Prefix of its OpenAPI component names.
    pub model_package: String,
    /// Its Go declarations.
    pub package: Package,
    /// Its protobuf messages.
    pub messages: Messages,
    /// Its discovery document, if the real server publishes one.
    pub discovery: Option<GroupVersion>,
}

impl Loaded {
    /// `group/version`, with `core` for the empty group.
    pub fn name(&self) -> String {
        format!("{}/{}", self.display_group(), self.version)
    }

    /// Name of the table file.
    pub fn file_name(&self) -> String {
        format!("{}_{}.txt", self.display_group(), self.version)
    }

    /// Short name for references from other tables, in the manner of Go imports.
    pub fn alias(&self) -> String {
        let group = self.display_group();
        format!("{}{}", group.split('.').next().unwrap_or(group), self.version)
    }

    /// Whether the real server serves it without any flag: the generally available ones.
    pub fn served_by_default(&self) -> bool {
        self.discovery.is_some() && !self.version.contains("alpha") && !self.version.contains("beta")
    }

    fn display_group(&self) -> &str {
        if self.group.is_empty() { "core" } else { &self.group }
    }
}

/// A resolved Go type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// A word of the table format: a scalar or a type with hand-written marshalling.
    Native(&'static str),
    /// A pointer.
    Pointer(Box<Type>),
    /// A slice.
    List(Box<Type>),
    /// A map with string keys.
    Map(Box<Type>),
    /// A named slice that is a message with one repeated field on the protobuf wire.
    Wrapped(Box<Type>),
    /// A struct: import path, name.
    Struct(String, String),
    /// A named string: import path, name.
    Named(String, String),
}

/// Everything that was read.
#[derive(Debug)]
pub struct Universe {
    packages: BTreeMap<String, Loaded>,
    /// The published schemas.
    pub components: Components,
    sampled: BTreeSet<(String, String)>,
}

impl Universe {
    /// Reads all packages, schemas and discovery documents.
    pub fn load(modules: &Modules) -> Result<Self, Error> {
        let mut directories: Vec<(&str, String)> =
            SINGLE_PACKAGES.iter().map(|(module, directory)| (*module, (*directory).to_owned())).collect();
        for path in modules.list("k8s.io/api", "")? {
            if let Some(directory) = path.strip_suffix("/doc.go") {
                directories.push(("k8s.io/api", directory.to_owned()));
            }
        }
        let mut discovered: BTreeMap<_, _> = discovery::load(modules)?
            .into_iter()
            .map(|document| ((document.group.clone(), document.version.clone()), document))
            .collect();
        let mut packages = BTreeMap::new();
        for (module, directory) in directories {
            let mut loaded = load_package(modules, module, &directory)?;
            if loaded.package.registered.is_empty() && loaded.import_path != META {
                continue;
            }
            loaded.discovery = discovered.remove(&(loaded.group.clone(), loaded.version.clone()));
            packages.insert(loaded.import_path.clone(), loaded);
        }
        if let Some((group, version)) = discovered.keys().next() {
            return Err(Error::source(
                format!("discovery of {group}/{version}"),
                "no Go package has this group-version",
            ));
        }
        let sampled =
            modules.list("k8s.io/api", SAMPLES)?.iter().filter_map(|path| sample_group_version(path)).collect();
        Ok(Self { packages, components: Components::load(modules)?, sampled })
    }

    /// The packages that get a table: those served by default, those with discovery and golden samples, and meta/v1.
    pub fn selected(&self) -> impl Iterator<Item = &Loaded> {
        self.packages.values().filter(|loaded| {
            let sample_key = (loaded.display_group().to_owned(), loaded.version.clone());
            let discovered = loaded.discovery.is_some();
            loaded.import_path == META
                || loaded.served_by_default()
                || (discovered && self.sampled.contains(&sample_key))
        })
    }

    /// The package with this import path.
    pub fn package(&self, import_path: &str) -> Option<&Loaded> {
        self.packages.get(import_path)
    }

    /// Resolves a Go type expression as written in a declaration of `package`.
    pub fn resolve(&self, package: &Loaded, declared: &Declared, expression: &str) -> Result<Type, Error> {
        let again = |rest: &str| self.resolve(package, declared, rest).map(Box::new);
        if let Some(rest) = expression.strip_prefix('*') {
            return Ok(Type::Pointer(again(rest)?));
        }
        if let Some(rest) = expression.strip_prefix("[]") {
            return Ok(if rest == "byte" { Type::Native("bytes") } else { Type::List(again(rest)?) });
        }
        if let Some(rest) = expression.strip_prefix("map[") {
            let (key, value) = rest.split_once(']').ok_or_else(|| Error::source(expression, "map without `]`"))?;
            return match self.resolve(package, declared, key)? {
                Type::Native("string") | Type::Named(..) => Ok(Type::Map(again(value)?)),
                other => Err(Error::source(expression, format!("map key {other:?} is not a string"))),
            };
        }
        match expression {
            "string" => return Ok(Type::Native("string")),
            "bool" => return Ok(Type::Native("bool")),
            "int32" => return Ok(Type::Native("int32")),
            "int64" | "int" => return Ok(Type::Native("int64")),
            "float64" => return Ok(Type::Native("float64")),
            "interface{}" | "any" => return Ok(Type::Native("any")),
            _ => {}
        }
        let (import_path, name) = match expression.split_once('.') {
            None => (package.import_path.as_str(), expression),
            Some((alias, name)) => {
                let path = declared.imports.get(alias).map(String::as_str);
                (path.ok_or_else(|| Error::source(expression, "unknown import"))?, name)
            }
        };
        self.resolve_named(import_path, name)
    }

    fn resolve_named(&self, import_path: &str, name: &str) -> Result<Type, Error> {
        let full = || format!("{import_path}.{name}");
        if let Some(word) = native(import_path, name) {
            return Ok(Type::Native(word));
        }
        if import_path == "k8s.io/apimachinery/pkg/types" {
            return Ok(Type::Native("string"));
        }
        let package = self.package(import_path).ok_or_else(|| Error::source(full(), "package is not read"))?;
        let declared = package.package.types.get(name).ok_or_else(|| Error::source(full(), "type is not declared"))?;
        match &declared.form {
            Form::Struct(_) => Ok(Type::Struct(import_path.to_owned(), name.to_owned())),
            Form::Interface => Err(Error::source(full(), "an interface cannot be in a table")),
            Form::Other(expression) => match self.resolve(package, declared, expression)? {
                Type::Native("string") => Ok(Type::Named(import_path.to_owned(), name.to_owned())),
                Type::List(item) if package.messages.contains_key(name) => Ok(Type::Wrapped(item)),
                other => Ok(other),
            },
        }
    }
}

/// The table word of a type with hand-written marshalling.
pub fn native(import_path: &str, name: &str) -> Option<&'static str> {
    let fixed = NATIVE.iter().find(|(path, native, _)| *path == import_path && *native == name);
    let union = SCHEMA_UNIONS.iter().find(|(union, _)| import_path == APIEXTENSIONS && *union == name);
    fixed.map(|(_, _, word)| *word).or_else(|| union.map(|(_, word)| *word))
}

fn load_package(modules: &Modules, module: &str, directory: &str) -> Result<Loaded, Error> {
    let mut package = Package::default();
    let mut messages = Messages::new();
    for path in modules.list(module, &format!("{directory}/"))? {
        let file = &path[directory.len() + 1..];
        if file == "generated.proto" {
            messages = proto::parse(&path, &modules.text(module, &path)?)?;
        }
        let generated = file.contains("generated") || file.ends_with("_test.go") || file.contains('/');
        if !generated && file.ends_with(".go") {
            gosource::parse_file(&mut package, &path, &modules.text(module, &path)?)?;
        }
    }
    let marker = |name: &str| gosource::marker(&package.markers, name).map(str::to_owned);
    Ok(Loaded {
        import_path: format!("{module}/{directory}"),
        group: package.group.clone(),
        version: directory.rsplit('/').next().unwrap_or_default().to_owned(),
        model_package: marker("k8s:openapi-model-package").unwrap_or_default(),
        package,
        messages,
        discovery: None,
    })
}

/// `testdata/HEAD/apps.v1.Deployment.pb` → (`apps`, `v1`).
fn sample_group_version(path: &str) -> Option<(String, String)> {
    let name = path.strip_prefix(SAMPLES)?.strip_suffix(".pb")?;
    let mut parts = name.rsplitn(3, '.');
    let (_kind, version, group) = (parts.next()?, parts.next()?, parts.next()?);
    Some((group.to_owned(), version.to_owned()))
}
