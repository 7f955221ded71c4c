//! Percent signs in paths and queries. Pure.

/// Decodes `%41`. `None` where a percent sign is followed by something else, or what comes out is no text.
pub(crate) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first != b'%' {
            bytes.push(*first);
            rest = tail;
            continue;
        }
        let [high, low, tail @ ..] = tail else {
            return None;
        };
        bytes.push(digit(*high)? << 4 | digit(*low)?);
        rest = tail;
    }
    String::from_utf8(bytes).ok()
}

fn digit(byte: u8) -> Option<u8> {
    let digit = char::from(byte).to_digit(16)?;
    u8::try_from(digit).ok()
}

/// Encodes everything that is not plain in a path.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// A query, with what stands for it decoded. What cannot be decoded is left out.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads `a=1&b=2`.
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .filter_map(|pair| {
                    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                    let plain = |text: &str| decode(&text.replace('+', " "));
                    Some((plain(key)?, plain(value)?))
                })
                .collect(),
        )
    }

    /// All values of a key.
    pub(crate) fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        let matching = self.0.iter().filter(move |(known, _)| known == key);
        matching.map(|(_, value)| value.as_str())
    }

    /// All keys with their values.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Whether a flag is set: `true` in any case, nothing else.
    pub(crate) fn flag(&self, key: &str) -> bool {
        self.all(key)
            .next()
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The first value of a key.
    pub(crate) fn first(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == key)
            .map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bool_params_case_insensitive() {
        for (text, expected) in [
            ("a=true", true),
            ("a=True", true),
            ("a=TRUE", true),
            ("a=1", false),
            ("a=yes", false),
            ("a=", false),
            ("a", false),
            ("", false),
            ("b=true", false),
        ] {
            assert_eq!(Query::parse(text).flag("a"), expected, "{text}");
        }
    }

    #[test]
    fn percent_signs_are_decoded_once() {
        assert_eq!(decode("a%2D%3Eb.M").as_deref(), Some("a->b.M"));
        assert_eq!(decode("a%252Fb").as_deref(), Some("a%2Fb"));
        assert_eq!(decode("%C3%A9").as_deref(), Some("é"));
        for broken in ["%", "%4", "%zz", "%ff", "a%2"] {
            assert_eq!(decode(broken), None, "{broken}");
        }
        assert_eq!(encode("a->b c/é"), "a-%3Eb%20c%2F%C3%A9");
        let query = Query::parse("expand%5B%5D=status&expand=info&expand=x");
        assert_eq!(query.all("expand").collect::<Vec<_>>(), ["info", "x"]);
    }
}
