//! What a path asks for.

use super::text::unescape;

/// What a path asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Objects of a resource.
    Resource(Resource),
    /// Something else that the server itself may serve.
    Path {
        /// The path without its escapes, as authorization sees it.
        path: String,
        /// Which page it is.
        page: Page,
    },
    /// Nothing that any server could have.
    NotFound,
}

/// Objects of a resource. Empty texts stand for what the path does not name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resource {
    /// API group; empty for the core group.
    pub group: String,
    /// API version.
    pub version: String,
    /// Namespace; for a Namespace itself its own name, too.
    pub namespace: String,
    /// Resource in plural.
    pub resource: String,
    /// Name of the object.
    pub name: String,
    /// Subresource.
    pub subresource: String,
    /// What follows the subresource. Only connecting subresources know such paths; others do not exist.
    pub rest: String,
    /// The deprecated prefix `watch` stands in the path.
    pub watch: bool,
}

/// A path that names no resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// `/api`: versions of the core group.
    CoreVersions,
    /// `/api/V`: resources of the core group.
    CoreResources {
        /// The version.
        version: String,
    },
    /// `/apis`: all groups.
    Groups,
    /// `/apis/G`: one group.
    Group {
        /// The group.
        group: String,
    },
    /// `/apis/G/V`: resources of a group.
    GroupResources {
        /// The group.
        group: String,
        /// The version.
        version: String,
    },
    /// `/openapi/v2`: the whole schema.
    OpenApiV2,
    /// `/openapi/v3`: which schemas there are.
    OpenApiV3,
    /// `/openapi/v3/…`: one schema.
    OpenApiV3Schema {
        /// What follows `/openapi/v3/`, such as `apis/apps/v1`.
        name: String,
    },
    /// `/version`.
    Version,
    /// Anything else, health checks among it.
    Other,
}

/// What a request wants to do, as authorization names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Read one object.
    Get,
    /// Read many.
    List,
    /// Follow changes.
    Watch,
    /// Make one.
    Create,
    /// Replace one.
    Update,
    /// Change one.
    Patch,
    /// Remove one.
    Delete,
    /// Remove many.
    DeleteCollection,
}

impl Verb {
    /// Whether it is about a collection.
    #[must_use]
    pub fn is_of_many(self) -> bool {
        matches!(self, Self::List | Self::Watch | Self::DeleteCollection)
    }

    /// Whether it changes nothing.
    #[must_use]
    pub fn reads(self) -> bool {
        matches!(self, Self::Get | Self::List | Self::Watch)
    }

    /// The word in rules and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        }
    }
}

/// Subresources of a Namespace; anything else behind its name is a resource within it.
const NAMESPACE_SUBRESOURCES: [&str; 2] = ["status", "finalize"];

/// Takes a path apart. The path is as it stands in the request line, escapes included and the query left out.
#[must_use]
pub fn parse(path: &str) -> Target {
    let Some(path) = unescape(path, false) else { return Target::NotFound };
    let trimmed = path.trim_matches('/');
    let parts: Vec<&str> = if trimmed.is_empty() { Vec::new() } else { trimmed.split('/').collect() };
    // An empty segment names nothing; upstream's router finds no route for it either.
    let resource = match parts.as_slice() {
        ["api", version, rest @ ..] if !rest.is_empty() => resource("", version, rest),
        ["apis", group, version, rest @ ..] if !rest.is_empty() => resource(group, version, rest),
        parts => {
            let page = page(parts);
            return Target::Path { path, page };
        }
    };
    if parts.iter().any(|part| part.is_empty()) {
        return Target::NotFound;
    }
    resource.map_or(Target::NotFound, Target::Resource)
}

fn page(parts: &[&str]) -> Page {
    if parts.iter().any(|part| part.is_empty()) {
        return Page::Other;
    }
    match parts {
        ["api"] => Page::CoreVersions,
        ["api", version] => Page::CoreResources { version: (*version).to_owned() },
        ["apis"] => Page::Groups,
        ["apis", group] => Page::Group { group: (*group).to_owned() },
        ["apis", group, version] => Page::GroupResources { group: (*group).to_owned(), version: (*version).to_owned() },
        ["openapi", "v2"] => Page::OpenApiV2,
        ["openapi", "v3"] => Page::OpenApiV3,
        ["openapi", "v3", name @ ..] => Page::OpenApiV3Schema { name: name.join("/") },
        ["version"] => Page::Version,
        _ => Page::Other,
    }
}

/// `parts` follow the version. None for a prefix without a resource.
fn resource(group: &str, version: &str, parts: &[&str]) -> Option<Resource> {
    let (watch, parts) = match parts {
        ["watch", rest @ ..] => (true, rest),
        parts => (false, parts),
    };
    let (namespace, parts) = match parts {
        ["namespaces", namespace, rest @ ..] => {
            let within = rest.first().is_some_and(|next| !NAMESPACE_SUBRESOURCES.contains(next));
            (*namespace, if within { rest } else { parts })
        }
        parts => ("", parts),
    };
    // The old path knows no subresources: what stands behind a name there is no route.
    let (subresource, rest) = match parts.get(2..).unwrap_or_default() {
        [] => ("", String::new()),
        rest if watch => ("", rest.join("/")),
        [subresource, rest @ ..] => (*subresource, rest.join("/")),
    };
    Some(Resource {
        group: group.to_owned(),
        version: version.to_owned(),
        namespace: namespace.to_owned(),
        resource: (*parts.first()?).to_owned(),
        name: parts.get(1).copied().unwrap_or_default().to_owned(),
        subresource: subresource.to_owned(),
        rest,
        watch,
    })
}

/// What a request to a resource wants; `watch` is the query's parameter. None where no resource offers the method, which
/// is answered with 405.
#[must_use]
pub fn verb(method: &str, resource: &Resource, watch: bool) -> Option<Verb> {
    let named = !resource.name.is_empty();
    match method {
        "GET" if resource.watch => Some(Verb::Watch),
        _ if resource.watch => None,
        "GET" if named => Some(Verb::Get),
        "GET" if watch => Some(Verb::Watch),
        "GET" => Some(Verb::List),
        "POST" => Some(Verb::Create),
        "PUT" => Some(Verb::Update),
        "PATCH" => Some(Verb::Patch),
        "DELETE" if named => Some(Verb::Delete),
        "DELETE" => Some(Verb::DeleteCollection),
        _ => None,
    }
}

/// What a request to another path wants, as rules for paths name it.
#[must_use]
pub fn path_verb(method: &str) -> String {
    method.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `group version namespace resource name subresource rest watch`, with `-` for empty ones.
    fn shown(target: &Target) -> String {
        let Target::Resource(it) = target else { return format!("{target:?}") };
        let texts = [&it.group, &it.version, &it.namespace, &it.resource, &it.name, &it.subresource, &it.rest];
        let texts = texts.map(|text| if text.is_empty() { "-" } else { text.as_str() });
        format!("{}{}", texts.join(" "), if it.watch { " watch" } else { "" })
    }

    #[test]
    fn paths_of_resources() {
        for (path, expected) in [
            ("/api/v1/nodes", "- v1 - nodes - - -"),
            ("/api/v1/nodes/", "- v1 - nodes - - -"),
            ("/api/v1/nodes/n/status", "- v1 - nodes n status -"),
            ("/api/v1/namespaces", "- v1 - namespaces - - -"),
            ("/api/v1/namespaces/x", "- v1 x namespaces x - -"),
            ("/api/v1/namespaces/x/status", "- v1 x namespaces x status -"),
            ("/api/v1/namespaces/x/finalize", "- v1 x namespaces x finalize -"),
            ("/api/v1/namespaces/x/pods", "- v1 x pods - - -"),
            ("/api/v1/namespaces/x/pods/p/log", "- v1 x pods p log -"),
            ("/api/v1/namespaces/x/pods/p/proxy/a/b", "- v1 x pods p proxy a/b"),
            ("/apis/apps/v1/deployments", "apps v1 - deployments - - -"),
            ("/apis/apps/v1/namespaces/x/deployments/d/scale", "apps v1 x deployments d scale -"),
            ("/api/v1/namespaces/x/configmaps/a%20b", "- v1 x configmaps a b - -"),
            ("/api/v1/namespaces/x/configmaps/a+b", "- v1 x configmaps a+b - -"),
            ("/api/v1/namespaces/x/configmaps/a%2Fb", "- v1 x configmaps a b -"),
            ("/api/v1/watch/pods", "- v1 - pods - - - watch"),
            ("/api/v1/watch/namespaces/x/pods/p", "- v1 x pods p - - watch"),
            ("/api/v1/watch/namespaces/x/pods/p/status", "- v1 x pods p - status watch"),
            ("/api/v1/watch/namespaces/x", "- v1 x namespaces x - - watch"),
            ("/apis/apps/v1/watch/namespaces/x/deployments", "apps v1 x deployments - - - watch"),
            ("/api/v1/watch", "NotFound"),
            ("/api//v1", "NotFound"),
            ("/api/v1//namespaces", "NotFound"),
            ("/api/v1/namespaces//pods", "NotFound"),
            ("/api/v1/%zz", "NotFound"),
            ("/api/v1/pods/%ff", "NotFound"),
            ("/api/v1/pods/%", "NotFound"),
        ] {
            assert_eq!(shown(&parse(path)), expected, "{path}");
        }
    }

    #[test]
    fn paths_of_pages() {
        let text = str::to_owned;
        for (path, expected) in [
            ("/", Page::Other),
            ("", Page::Other),
            ("/api", Page::CoreVersions),
            ("/api/", Page::CoreVersions),
            ("/api/v1", Page::CoreResources { version: text("v1") }),
            ("/apis", Page::Groups),
            ("/apis/apps", Page::Group { group: text("apps") }),
            ("/apis/apps/v1/", Page::GroupResources { group: text("apps"), version: text("v1") }),
            ("/openapi/v2", Page::OpenApiV2),
            ("/openapi/v3", Page::OpenApiV3),
            ("/openapi/v3/apis/apps/v1", Page::OpenApiV3Schema { name: text("apis/apps/v1") }),
            ("/version", Page::Version),
            ("/livez/ping", Page::Other),
            ("/none", Page::Other),
        ] {
            let Target::Path { path: kept, page } = parse(path) else { panic!("{path} is no page") };
            assert_eq!((kept.as_str(), page), (path, expected));
        }
    }

    #[test]
    fn methods_and_paths_make_verbs() {
        for (method, path, watch, expected) in [
            ("GET", "/api/v1/pods", false, Some(Verb::List)),
            ("GET", "/api/v1/pods", true, Some(Verb::Watch)),
            ("GET", "/api/v1/namespaces/x/pods/p", true, Some(Verb::Get)),
            ("GET", "/api/v1/watch/namespaces/x/pods/p", false, Some(Verb::Watch)),
            ("DELETE", "/api/v1/watch/pods", false, None),
            ("POST", "/api/v1/namespaces/x/pods", false, Some(Verb::Create)),
            ("PUT", "/api/v1/namespaces/x", false, Some(Verb::Update)),
            ("PATCH", "/api/v1/namespaces/x", false, Some(Verb::Patch)),
            ("DELETE", "/api/v1/namespaces/x", false, Some(Verb::Delete)),
            ("DELETE", "/api/v1/namespaces/x/pods", false, Some(Verb::DeleteCollection)),
            ("HEAD", "/api/v1/pods", false, None),
            ("OPTIONS", "/api/v1/pods", false, None),
        ] {
            let Target::Resource(resource) = parse(path) else { panic!("{path} is no resource") };
            assert_eq!(verb(method, &resource, watch), expected, "{method} {path}");
        }
        assert_eq!(path_verb("GET"), "get");
    }

    #[test]
    fn hostile_paths_are_only_not_found() {
        let deep = "/a".repeat(100_000);
        for path in ["%00", "/api/v1/pods/%00", "//////", "\\..\\", "/api/../../etc/passwd", "é/ü", deep.as_str()] {
            let _ = parse(path);
        }
    }
}
