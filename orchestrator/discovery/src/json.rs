//! Writes JSON as it is made, so that no tree of a whole document ever stands in memory.

/// JSON text under construction.
#[derive(Debug, Default)]
pub(crate) struct Json {
    out: Vec<u8>,
    /// Whether the next value needs a comma before it.
    comma: bool,
}

impl Json {
    /// The document whose outermost value is an object.
    pub(crate) fn document(members: impl FnOnce(&mut Self)) -> Vec<u8> {
        let mut json = Self::default();
        json.object(members);
        json.out
    }

    fn separate(&mut self) {
        if self.comma {
            self.out.push(b',');
        }
        self.comma = true;
    }

    /// An object; `members` writes keys and values in turn.
    pub(crate) fn object(&mut self, members: impl FnOnce(&mut Self)) {
        self.nest(b'{', members, b'}');
    }

    /// An array.
    pub(crate) fn array(&mut self, items: impl FnOnce(&mut Self)) {
        self.nest(b'[', items, b']');
    }

    fn nest(&mut self, open: u8, inside: impl FnOnce(&mut Self), close: u8) {
        self.separate();
        self.out.push(open);
        self.comma = false;
        inside(self);
        self.out.push(close);
        self.comma = true;
    }

    /// The key of the member whose value is written next.
    pub(crate) fn key(&mut self, key: &str) -> &mut Self {
        self.text(key);
        self.out.push(b':');
        self.comma = false;
        self
    }

    /// A string.
    pub(crate) fn text(&mut self, text: &str) {
        self.separate();
        self.out.push(b'"');
        for byte in text.bytes() {
            match byte {
                b'"' | b'\\' => self.out.extend([b'\\', byte]),
                0..=0x1f => self.out.extend(format!("\\u{byte:04x}").bytes()),
                _ => self.out.push(byte),
            }
        }
        self.out.push(b'"');
    }

    /// An array of strings.
    pub(crate) fn texts<'t>(&mut self, texts: impl IntoIterator<Item = &'t str>) {
        self.array(|json| texts.into_iter().for_each(|text| json.text(text)));
    }

    /// A value that is JSON text already.
    pub(crate) fn raw(&mut self, text: &str) {
        self.separate();
        self.out.extend(text.bytes());
    }

    /// A member with a string.
    pub(crate) fn member(&mut self, key: &str, text: &str) {
        self.key(key).text(text);
    }
}

#[cfg(test)]
mod tests {
    use super::Json;

    #[test]
    fn commas_and_escapes() {
        let text = Json::document(|json| {
            json.member("a", "\"\\\n");
            json.key("b").array(|json| {
                json.raw("1");
                json.object(|_| {});
                json.texts(["x", "é"]);
            });
            json.key("c").raw("true");
        });
        assert_eq!(String::from_utf8(text).unwrap(), r#"{"a":"\"\\\u000a","b":[1,{},["x","é"]],"c":true}"#);
    }
}
