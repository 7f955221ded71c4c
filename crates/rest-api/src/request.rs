//! What bodies hold: read within limits, understood leniently where clients differ, strictly where a slip would be lost.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use worker_group::host::Resume;
use worker_group::state::TargetState;
use worker_group::view::SourceOffset;
use worker_group::{GivenConfig, Refusal};

/// The largest body, in bytes.
pub(crate) const LARGEST: usize = 4 * 1024 * 1024;
/// How long a body may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(30);
/// Bodies that are read at the same time.
pub(crate) const AT_ONCE: usize = 16;

/// Keys of a configuration. For each unknown one the known ones are looked through, for what was meant.
const MOST_KEYS: usize = 5_000;

/// Why a body is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BadBody(pub(crate) StatusCode);

/// Reads a body. One that is not empty has to be JSON by its type, or have none.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    room: &Semaphore,
) -> Result<Bytes, BadBody> {
    let length = headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length == Some(0) {
        return Ok(Bytes::new());
    }
    if length.is_some_and(|length| length > LARGEST as u64) {
        return Err(BadBody(StatusCode::PAYLOAD_TOO_LARGE));
    }
    let chunked = headers.contains_key(header::TRANSFER_ENCODING);
    if length.is_none() && !chunked {
        return Ok(Bytes::new());
    }
    let reading = async {
        let _permit = room.acquire().await;
        Limited::new(body, LARGEST).collect().await
    };
    let collected = match timeout(ARRIVAL, reading).await {
        Err(_) => return Err(BadBody(StatusCode::REQUEST_TIMEOUT)),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            return Err(BadBody(StatusCode::PAYLOAD_TOO_LARGE));
        }
        Ok(Err(_)) => return Err(BadBody(StatusCode::BAD_REQUEST)),
        Ok(Ok(collected)) => collected.to_bytes(),
    };
    if collected.is_empty() || is_json(headers) {
        Ok(collected)
    } else {
        Err(BadBody(StatusCode::UNSUPPORTED_MEDIA_TYPE))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return true;
    };
    let kind = value.to_str().unwrap_or("").split(';').next().unwrap_or("");
    kind.trim().eq_ignore_ascii_case("application/json")
}

/// Whether an answer in JSON is welcome.
pub(crate) fn takes_json(headers: &HeaderMap) -> bool {
    let mut any = false;
    for value in headers.get_all(header::ACCEPT) {
        for range in value.to_str().unwrap_or("").split(',') {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or("").to_ascii_lowercase();
            if kind.is_empty() {
                continue;
            }
            any = true;
            let refused =
                parts.any(|parameter| matches!(parameter, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
            if !refused && matches!(kind.as_str(), "*/*" | "application/*" | "application/json") {
                return true;
            }
        }
    }
    !any
}

type Members = BTreeMap<String, Box<RawValue>>;

fn members(bytes: &[u8], what: &str) -> Result<Members, Refusal> {
    if bytes.is_empty() {
        return Err(Refusal::bad(format!(
            "the body is empty; it has to be {what}"
        )));
    }
    serde_json::from_slice(bytes)
        .map_err(|error| Refusal::bad(format!("the body is not {what}: {error}")))
}

const MAP: &str = "a JSON object of keys and values";

/// A flat map of keys and values.
pub(crate) fn config(bytes: &[u8]) -> Result<GivenConfig, Refusal> {
    values(members(bytes, MAP)?)
}

/// Numbers and booleans become texts as they are written.
fn values(members: Members) -> Result<GivenConfig, Refusal> {
    if members.len() > MOST_KEYS {
        return Err(Refusal::bad(format!(
            "the configuration has {} keys, and may have {MOST_KEYS}",
            members.len()
        )));
    }
    members
        .into_iter()
        .map(|(key, value)| {
            let value = scalar(&key, &value)?;
            Ok((key, value))
        })
        .collect()
}

fn scalar(key: &str, value: &RawValue) -> Result<Option<String>, Refusal> {
    match value.get().as_bytes().first() {
        Some(b'"') => serde_json::from_str(value.get())
            .map(Some)
            .map_err(|error| Refusal::bad(format!("the value of {key} cannot be read: {error}"))),
        Some(b'[' | b'{') => Err(Refusal::bad(format!(
            "the value of {key} is a list or an object; a value is a text, a number or a boolean, and a list is one \
             text with commas"
        ))),
        Some(b'n') => Ok(None),
        _ => Ok(Some(value.get().to_owned())),
    }
}

/// A connector to be created.
#[derive(Debug)]
pub(crate) struct NewConnector {
    pub(crate) name: String,
    pub(crate) config: GivenConfig,
    pub(crate) initial: Option<TargetState>,
}

/// `{"name":…,"config":{…},"initial_state":…}`.
pub(crate) fn new_connector(bytes: &[u8]) -> Result<NewConnector, Refusal> {
    let what = "an object with name and config";
    let mut members = members(bytes, what)?;
    let mut take = |key: &str| members.remove(key);
    let name = match take("name") {
        Some(value) => scalar("name", &value)?.unwrap_or_default(),
        None => String::new(),
    };
    let config = take("config").filter(|value| value.get() != "null");
    let config = config.ok_or_else(|| Refusal::bad("the body has no config"))?;
    let config: Members = serde_json::from_str(config.get())
        .map_err(|error| Refusal::bad(format!("config is not {MAP}: {error}")))?;
    let initial = match take("initial_state") {
        Some(value) => match scalar("initial_state", &value)? {
            Some(state) => Some(TargetState::parse_initial(&state).ok_or_else(|| {
                Refusal::bad(format!(
                    "initial_state {state} is none of RUNNING, PAUSED and STOPPED"
                ))
            })?),
            None => None,
        },
        None => None,
    };
    if let Some(unknown) = members.keys().next() {
        let text =
            format!("the body has a field {unknown}; known are name, config and initial_state");
        return Err(Refusal::bad(text));
    }
    Ok(NewConnector {
        name: name.trim().to_owned(),
        config: values(config)?,
        initial,
    })
}

/// `{"offsets":[{"partition":{…},"offset":{…}}]}`.
pub(crate) fn offsets(bytes: &[u8]) -> Result<Vec<SourceOffset>, Refusal> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let body: Map<String, Value> = serde_json::from_slice(bytes).map_err(|error| {
        Refusal::bad(format!("the body is not an object with offsets: {error}"))
    })?;
    let list = match body.get("offsets") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(Refusal::bad("offsets is not a list")),
    };
    list.iter().map(source_offset).collect()
}

fn source_offset(value: &Value) -> Result<SourceOffset, Refusal> {
    let partition = match value.get("partition") {
        Some(Value::Object(partition)) => partition.clone(),
        None | Some(Value::Null) => {
            return Err(Refusal::bad("Source partitions may not be null"));
        }
        Some(_) => return Err(Refusal::bad("a partition is not an object")),
    };
    let offset = match value.get("offset") {
        None | Some(Value::Null) => None,
        Some(Value::Object(offset)) => Some(offset.clone()),
        Some(_) => return Err(Refusal::bad("an offset is neither an object nor null")),
    };
    Ok(SourceOffset { partition, offset })
}

/// `{"action":…,"expected_offset":…}`; no body stands for trying again.
pub(crate) fn resume(bytes: &[u8], topic: String, partition: u32) -> Result<Resume, Refusal> {
    let mut given = match bytes.is_empty() {
        true => GivenConfig::new(),
        false => config(bytes)?,
    };
    let action = given.remove("action").flatten();
    let expected_offset =
        match given.remove("expected_offset").flatten() {
            None => None,
            Some(text) => Some(text.parse().map_err(|_| {
                Refusal::bad(format!("expected_offset {text} is not a whole number"))
            })?),
        };
    if let Some(unknown) = given.keys().next() {
        let text = format!("the body has a field {unknown}; known are action and expected_offset");
        return Err(Refusal::bad(text));
    }
    Ok(Resume {
        topic,
        partition: i32::try_from(partition)
            .map_err(|_| Refusal::bad("there is no partition of this number"))?,
        action: action.unwrap_or_else(|| "resume".to_owned()),
        expected_offset,
    })
}

/// `{"level":…}`.
pub(crate) fn level(bytes: &[u8]) -> Result<String, Refusal> {
    let missing = || Refusal::bad("Desired 'level' parameter was not specified in request.");
    if bytes.is_empty() {
        return Err(missing());
    }
    let level = config(bytes)?.remove("level").flatten();
    level.ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalar_coercion_int_bool_float() {
        let given =
            config(br#"{"a":1,"b":true,"c":1.50,"d":"x","e":null,"f":-1e3}"#).expect("a map");
        let text = |key: &str| given[key].as_deref();
        assert_eq!(
            ["a", "b", "c", "d", "e", "f"].map(text),
            [
                Some("1"),
                Some("true"),
                Some("1.50"),
                Some("x"),
                None,
                Some("-1e3")
            ]
        );
    }

    #[test]
    fn bad_body_400() {
        for body in [
            "",
            "{",
            "[]",
            "\"{}\"",
            "1",
            "{\"a\":[]}",
            "{\"a\":{}}",
            "{\"a\":1}x",
        ] {
            config(body.as_bytes()).expect_err(body);
        }
        for body in [
            "",
            "[]",
            r#"{"name":"c"}"#,
            r#"{"name":"c","config":null}"#,
            r#"{"name":"c","config":"x"}"#,
            r#"{"name":"c","config":{"a":[]}}"#,
            r#"{"name":"c","config":{},"more":1}"#,
            r#"{"name":"c","config":{},"initial_state":"GONE"}"#,
        ] {
            let refusal = new_connector(body.as_bytes()).expect_err(body);
            assert!(!refusal.message.is_empty());
        }
        let made = new_connector(br#"{"name":" c ","config":{},"initial_state":"stopped"}"#);
        let made = made.expect("a connector");
        assert_eq!(
            (made.name.as_str(), made.initial),
            ("c", Some(TargetState::Stopped))
        );
    }

    #[test]
    fn a_configuration_has_five_thousand_keys_at_most() {
        let of = |count: usize| {
            let members: Vec<String> = (0..count).map(|n| format!("\"k{n}\":1")).collect();
            format!("{{{}}}", members.join(","))
        };
        config(of(5_000).as_bytes()).expect("so many are taken");
        let refusal = config(of(5_001).as_bytes()).expect_err("too many");
        assert!(refusal.message.contains("5001 keys"), "{refusal}");
        let body = format!("{{\"name\":\"c\",\"config\":{}}}", of(5_001));
        new_connector(body.as_bytes()).expect_err("too many");
    }

    #[test]
    fn json_is_refused_only_by_those_who_exclude_it() {
        let check = |accept: &str, expected: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().expect("a value"));
            assert_eq!(takes_json(&headers), expected, "{accept}");
        };
        check("*/*", true);
        check("application/json, text/plain, */*", true);
        check("text/html,application/xhtml+xml,*/*;q=0.8", true);
        check("text/plain", false);
        check("application/json;q=0", false);
        check("", true);
        assert!(takes_json(&HeaderMap::new()));
    }
}
