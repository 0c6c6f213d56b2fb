//! Go struct tags, as far as the API types use them.

/// The parts of a struct tag that describe the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tag {
    /// JSON name; empty when the tag gives none.
    pub json_name: String,
    /// JSON options behind the name.
    pub json_options: Vec<String>,
    /// Whether there is a `json` key at all.
    pub has_json: bool,
    /// Protobuf wire kind (`bytes`, `varint`, `fixed64`), field number.
    pub protobuf: Option<(String, u32)>,
    /// `patchStrategy`, if any.
    pub patch_strategy: Option<String>,
    /// `patchMergeKey`, if any.
    pub patch_merge_key: Option<String>,
}

impl Tag {
    /// Parses the text between the backquotes; the error says what is malformed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let json = value(text, "json");
        let mut parts = json.unwrap_or_default().split(',').map(str::to_owned);
        let json_name = parts.next().unwrap_or_default();
        let protobuf = match value(text, "protobuf") {
            None | Some("-") => None,
            Some(tag) => {
                let mut parts = tag.split(',');
                let kind = parts.next().unwrap_or_default().to_owned();
                let number = parts.next().and_then(|number| number.parse().ok());
                Some((kind, number.ok_or_else(|| format!("protobuf tag `{tag}` has no number"))?))
            }
        };
        Ok(Self {
            json_name,
            json_options: parts.collect(),
            has_json: json.is_some(),
            protobuf,
            patch_strategy: value(text, "patchStrategy").map(str::to_owned),
            patch_merge_key: value(text, "patchMergeKey").map(str::to_owned),
        })
    }

    /// Whether the JSON key carries this option.
    pub fn option(&self, name: &str) -> bool {
        self.json_options.iter().any(|option| option == name)
    }
}

fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let start = text.find(&format!("{key}:\""))? + key.len() + 2;
    let rest = &text[start..];
    rest.find('"').map(|end| &rest[..end])
}

#[cfg(test)]
mod tests {
    use super::Tag;

    #[test]
    fn every_key_is_read() {
        let text = r#"json:"name,omitempty" patchStrategy:"merge" patchMergeKey:"name" protobuf:"bytes,7,rep,name=x""#;
        let tag = Tag::parse(text).unwrap();
        assert_eq!((tag.json_name.as_str(), tag.option("omitempty")), ("name", true));
        assert_eq!(tag.protobuf, Some(("bytes".to_owned(), 7)));
        assert_eq!((tag.patch_strategy.as_deref(), tag.patch_merge_key.as_deref()), (Some("merge"), Some("name")));
        assert!(Tag::parse(r#"protobuf:"bytes,x""#).is_err());
    }
}
