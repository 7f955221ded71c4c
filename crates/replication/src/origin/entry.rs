//! The stored form of a registration.

use serde_json::{Value, json};

/// Version of the format.
const FORMAT: u64 = 1;

/// Key and value of a registration.
pub(super) fn encode(producer: i64, origin: &str, link: &str) -> (String, String) {
    let value = json!({"format": FORMAT, "origin": origin, "link": link});
    (json!({"producer": producer}).to_string(), value.to_string())
}

/// A producer id and the cluster whose records it stands for.
///
/// # Errors
/// When it is a registration that cannot be understood: it might be the one that is asked for.
pub(super) fn decode(key: &[u8], value: &[u8]) -> Result<(i64, String), String> {
    let read = || -> Option<(i64, String)> {
        let key: Value = serde_json::from_slice(key).ok()?;
        let value: Value = serde_json::from_slice(value).ok()?;
        if value.get("format")?.as_u64()? != FORMAT {
            return None;
        }
        let producer = key.get("producer")?.as_i64()?;
        Some((producer, value.get("origin")?.as_str()?.to_owned()))
    };
    read().ok_or_else(|| {
        let key = key.escape_ascii();
        format!("the registration {key} cannot be read; a newer program may have written it")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registration_reads_back_and_nothing_else_does() {
        let (key, value) = encode(4711, "west", "a \"b\"");
        assert_eq!(key, r#"{"producer":4711}"#);
        let read = decode(key.as_bytes(), value.as_bytes());
        assert_eq!(read, Ok((4711, "west".to_owned())));
        for value in [
            "",
            "{}",
            r#"{"format":2,"origin":"west"}"#,
            r#"{"format":1}"#,
        ] {
            decode(key.as_bytes(), value.as_bytes()).expect_err("unreadable");
        }
    }
}
