//! Which representation an answer has, by the header `Accept`.
//!
//! Upstream asks twice: its router knows whole media types only and refuses with a text of its own, then the handlers read
//! parameters. Resources of custom definitions have no router in front.

mod clauses;

use clauses::{Clause, clauses};
use coracle_apimachinery::status::Status;

/// How an answer or a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// Kubernetes protobuf.
    Protobuf,
}

/// Version of the group that Tables and metadata belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetaVersion {
    /// `meta.k8s.io/v1`.
    V1,
    /// `meta.k8s.io/v1beta1`.
    V1beta1,
}

/// What the client wants instead of the objects themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transform {
    /// Nothing else.
    None,
    /// Rows for people.
    Table(MetaVersion),
    /// The metadata of one object.
    Metadata(MetaVersion),
    /// The metadata of a list's objects.
    MetadataList(MetaVersion),
    /// All groups with all resources in one answer.
    Discovery,
}

/// The representation of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Output {
    /// How it is written.
    pub media: Media,
    /// What it shows.
    pub transform: Transform,
    /// JSON is indented.
    pub pretty: bool,
}

/// How a document of OpenAPI v2 is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenApi {
    /// JSON.
    Json,
    /// gnostic's protobuf.
    Protobuf,
}

/// What an endpoint can answer with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offers {
    /// What the router lets through; empty where there is none.
    route: &'static [&'static str],
    /// Media types of untransformed objects.
    plain: &'static [Media],
    /// Which transformations there are.
    transforms: Transforms,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transforms {
    None,
    /// Tables and metadata.
    Objects,
    /// The aggregated list, and nothing but it.
    Discovery,
    /// Parameters mean nothing.
    Ignored,
}

const ONE: [&str; 3] = ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];
const MANY: [&str; 5] = [
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
    "application/json;stream=watch",
    "application/vnd.kubernetes.protobuf;stream=watch",
];
const STREAMS: [&str; 2] = ["application/json;stream=watch", "application/vnd.kubernetes.protobuf;stream=watch"];

impl Media {
    /// All of them, in the order of upstream's messages; the first one answers those who do not say.
    pub const ALL: [Self; 3] = [Self::Json, Self::Yaml, Self::Protobuf];

    /// The media type.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Yaml => "application/yaml",
            Self::Protobuf => "application/vnd.kubernetes.protobuf",
        }
    }

    /// The media type of a stream of watch events.
    #[must_use]
    pub fn stream(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Yaml => "application/yaml;stream=watch",
            Self::Protobuf => "application/vnd.kubernetes.protobuf;stream=watch",
        }
    }
}

impl OpenApi {
    /// What clients ask with, the first one for those who do not say; the second is the old name of the third.
    const ACCEPTED: [(&'static str, Self); 3] = [
        ("application/json", Self::Json),
        ("application/com.github.proto-openapi.spec.v2@v1.0+protobuf", Self::Protobuf),
        ("application/com.github.proto-openapi.spec.v2.v1.0+protobuf", Self::Protobuf),
    ];

    /// The media type of the answer.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Protobuf => "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
        }
    }

    /// Chooses by the header `Accept`, which is empty when there is none; parameters mean nothing.
    #[must_use]
    pub fn negotiate(accept: &str) -> Option<Self> {
        let accept = if accept.is_empty() { "*/*" } else { accept };
        clauses(accept).iter().find_map(|clause| {
            Self::ACCEPTED.into_iter().find(|(media, _)| clause.fits_by_halves(media)).map(|(_, form)| form)
        })
    }
}

impl MetaVersion {
    /// The `apiVersion` of the answer.
    #[must_use]
    pub fn api_version(self) -> &'static str {
        match self {
            Self::V1 => "meta.k8s.io/v1",
            Self::V1beta1 => "meta.k8s.io/v1beta1",
        }
    }
}

impl Output {
    /// Value of the header `Content-Type`.
    #[must_use]
    pub fn content_type(self) -> String {
        match self.transform {
            Transform::Discovery => {
                format!("{};g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", self.media.as_str())
            }
            _ => self.media.as_str().to_owned(),
        }
    }
}

impl Offers {
    /// Verbs on one object of a built-in resource, and creating and removing.
    pub const OBJECT: Self = Self { route: &ONE, plain: &Media::ALL, transforms: Transforms::Objects };
    /// Lists and watches of a built-in resource.
    pub const LIST: Self = Self { route: &MANY, plain: &Media::ALL, transforms: Transforms::Objects };
    /// All verbs of a resource that a custom definition makes.
    pub const CUSTOM: Self = Self { route: &[], plain: &[Media::Json, Media::Yaml], transforms: Transforms::Objects };
    /// `/api`, `/api/V` and `/apis/G/V`.
    pub const DISCOVERY: Self = Self { route: &ONE, plain: &Media::ALL, transforms: Transforms::None };
    /// `/apis` and `/apis/G`, and answers without an endpoint.
    pub const GROUPS: Self = Self { route: &[], plain: &Media::ALL, transforms: Transforms::None };
    /// The aggregated form of `/api` and `/apis`: asked first, and what it refuses the other offers answer.
    pub const AGGREGATED: Self = Self { route: &[], plain: &[], transforms: Transforms::Discovery };
    /// `/version`.
    pub const VERSION: Self =
        Self { route: &["application/json"], plain: &[Media::Json], transforms: Transforms::Ignored };

    fn transform(&self, clause: &Clause<'_>, media: Media) -> Option<Transform> {
        let (group, version, kind) = (clause.parameter("g"), clause.parameter("v"), clause.parameter("as"));
        if self.transforms == Transforms::Ignored || (group, version, kind) == (None, None, None) {
            return (self.plain.contains(&media)).then_some(Transform::None);
        }
        let (group, version, kind) = (group.unwrap_or_default(), version.unwrap_or_default(), kind.unwrap_or_default());
        match self.transforms {
            Transforms::None | Transforms::Ignored => None,
            Transforms::Discovery => ((group, version, kind) == ("apidiscovery.k8s.io", "v2", "APIGroupDiscoveryList"))
                .then_some(Transform::Discovery),
            Transforms::Objects => {
                let version = match (group, version) {
                    ("meta.k8s.io", "v1") => MetaVersion::V1,
                    ("meta.k8s.io", "v1beta1") => MetaVersion::V1beta1,
                    _ => return None,
                };
                match kind {
                    "Table" => (media != Media::Protobuf).then_some(Transform::Table(version)),
                    "PartialObjectMetadata" => Some(Transform::Metadata(version)),
                    "PartialObjectMetadataList" => Some(Transform::MetadataList(version)),
                    _ => None,
                }
            }
        }
    }

    /// Whether the parameters that are no transformation can be met.
    fn takes(&self, clause: &Clause<'_>, media: Media) -> bool {
        let stream = clause.parameter("stream").unwrap_or_default();
        let server_version = clause.parameter("sv").unwrap_or_default();
        let ignored = self.transforms == Transforms::Ignored;
        let streams = stream.is_empty() || (stream == "watch" && media != Media::Yaml);
        let serves = server_version.is_empty() || (server_version == "v1" && self.transforms == Transforms::Objects);
        ignored || (streams && serves)
    }

    fn choose(&self, accept: &str, pretty: bool) -> Option<Output> {
        if accept.is_empty() {
            let media = *self.plain.first()?;
            return Some(Output { media, transform: Transform::None, pretty });
        }
        for clause in clauses(accept) {
            for media in Media::ALL.into_iter().filter(|media| clause.fits(media.as_str())) {
                if !self.takes(&clause, media) {
                    continue;
                }
                if let Some(transform) = self.transform(&clause, media) {
                    let pretty = pretty || clause.parameter("pretty") == Some("1");
                    return Some(Output { media, transform, pretty });
                }
            }
        }
        None
    }

    fn routes(&self, accept: &str) -> Result<(), Status> {
        let taken = accept.is_empty()
            || self.route.is_empty()
            || accept
                .split(',')
                .map(|part| part.split(';').next().unwrap_or_default().trim_matches(' '))
                .any(|media| media == "*/*" || self.route.contains(&media));
        if taken {
            return Ok(());
        }
        let message = format!("406: Not Acceptable\n\nAvailable representations: {}", self.route.join(", "));
        Err(Status::new(406, "NotAcceptable", message).about("", "", ""))
    }
}

/// Chooses the representation of an answer. `accept` is the first such header's value, empty when there is none; `pretty`
/// is what the query and the client ask for.
///
/// # Errors
/// The endpoint has nothing that the client accepts.
pub fn negotiate(accept: &str, offers: &Offers, pretty: bool) -> Result<Output, Status> {
    offers.routes(accept)?;
    offers.choose(accept, pretty).ok_or_else(|| not_acceptable(&ONE))
}

/// Chooses the representation of a stream of watch events.
///
/// # Errors
/// The endpoint has nothing that the client accepts, or it has but cannot stream it.
pub fn negotiate_stream(accept: &str, offers: &Offers) -> Result<Output, Status> {
    let output = negotiate(accept, offers, false)?;
    if output.media == Media::Yaml { Err(not_acceptable(&STREAMS)) } else { Ok(output) }
}

/// Chooses the representation of a failure, which is never transformed. A client that accepts none gets indented JSON.
#[must_use]
pub fn negotiate_error(accept: &str, pretty: bool) -> Output {
    let json = Output { media: Media::Json, transform: Transform::None, pretty: true };
    Offers::GROUPS.choose(accept, pretty).unwrap_or(json)
}

/// The refusal to show a list as the metadata of one object, or the reverse; `go_type` as in `*core.PodList`.
#[must_use]
pub fn not_a_list(transform: Transform, go_type: &str) -> Status {
    let message = match transform {
        Transform::MetadataList(_) => {
            format!("you requested PartialObjectMetadataList, but the requested object is not a list ({go_type})")
        }
        _ => format!("you requested PartialObjectMetadata, but the requested object is a list ({go_type})"),
    };
    Status::new(406, "NotAcceptable", message)
}

fn not_acceptable(accepted: &[&str]) -> Status {
    let message = format!("only the following media types are accepted: {}", accepted.join(", "));
    Status::new(406, "NotAcceptable", message)
}

#[cfg(test)]
mod tests;
