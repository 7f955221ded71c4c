//! JSON values as YAML, in block style; texts that could be read as something else are quoted. Pure.

use serde_json::Value;

/// One document.
pub(super) fn text(value: &Value) -> String {
    let mut out = String::new();
    block(value, 0, &mut out);
    out
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Object(members) if members.is_empty() => Some("{}".to_owned()),
        Value::Array(items) if items.is_empty() => Some("[]".to_owned()),
        Value::Object(_) | Value::Array(_) => None,
        Value::String(text) => Some(quoted(text)),
        other => Some(other.to_string()),
    }
}

/// A text that only looks like a text stands as it is; JSON's form is YAML's double quotes.
fn quoted(text: &str) -> String {
    let plain = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text
            .chars()
            .all(|one| one.is_ascii_alphanumeric() || "_-./".contains(one))
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
            .contains(&text.to_ascii_lowercase().as_str());
    if plain {
        text.to_owned()
    } else {
        Value::from(text).to_string()
    }
}

fn block(value: &Value, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, member) in members {
                out.push_str(&indent);
                out.push_str(&quoted(name));
                nested(member, depth + 1, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                match scalar(item) {
                    Some(text) => out.push_str(&format!("{indent}- {text}\n")),
                    None => {
                        let mut inner = String::new();
                        block(item, depth + 1, &mut inner);
                        // The first line stands behind the dash.
                        out.push_str(&format!("{indent}- {}", inner.trim_start()));
                    }
                }
            }
        }
        other => out.push_str(&format!("{indent}{}\n", scalar(other).unwrap_or_default())),
    }
}

fn nested(member: &Value, depth: usize, out: &mut String) {
    match scalar(member) {
        Some(text) => out.push_str(&format!(": {text}\n")),
        None => {
            out.push_str(":\n");
            block(member, depth, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_is_written_in_blocks() {
        let value =
            json!({"a": [1, {"b": null, "c": ["x y", "no"]}], "d": {}, "e": "plain", "f": 1.5});
        let expected = "a:\n  - 1\n  - b: null\n    c:\n      - \"x y\"\n      - \"no\"\nd: {}\ne: plain\nf: 1.5\n";
        assert_eq!(text(&value), expected);
    }
}
