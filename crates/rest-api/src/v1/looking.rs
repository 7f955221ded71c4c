//! Looking at both clusters of a link, by its name or by a configuration that nobody has created: what it would do, and
//! whether it could run. Changes nothing.

use std::time::SystemTime;

use serde_json::{Value, json};
use worker_group::detail::{PreviewOptions, instant};
use worker_group::{GivenConfig, Handle, Kind, Refusal};

use super::{Asked, body};
use crate::request;

/// Bytes per second that a copy is expected to reach, unless the request says otherwise.
const RATE: u64 = 50 * 1024 * 1024;

/// What a link would do, topic by topic.
pub(super) async fn preview(handle: &Handle, asked: &Asked<'_>) -> Result<Value, Refusal> {
    let body = body(&asked.body)?;
    let rate = body["rate_bytes_per_second"].as_u64().unwrap_or(RATE);
    let (name, given) = meant(handle, asked, &body).await?;
    handle.preview(name, given, PreviewOptions { rate }).await
}

/// Whether a link could run, as seen from this worker.
pub(super) async fn preflight(
    handle: &Handle,
    asked: &Asked<'_>,
    worker_id: &str,
    now: SystemTime,
) -> Result<Value, Refusal> {
    let (name, given) = meant(handle, asked, &body(&asked.body)?).await?;
    let mut found = handle.preflight(name, given).await?;
    found["worker_id"] = json!(worker_id);
    found["as_of"] = json!(instant(now));
    Ok(found)
}

/// The configuration that a body means: that of a link by its name, or its own, which only administrators may send.
async fn meant(
    handle: &Handle,
    asked: &Asked<'_>,
    body: &Value,
) -> Result<(String, GivenConfig), Refusal> {
    match (body["link"].as_str(), body.get("config")) {
        (Some(link), None) => {
            let config = handle.config(link.to_owned()).await?;
            let given = config.into_iter().map(|(key, value)| (key, Some(value)));
            Ok((link.to_owned(), given.collect()))
        }
        (_, Some(config)) if asked.caller.is_admin() => {
            let given = request::config(config.to_string().as_bytes())?;
            let name = given.get("name").cloned().flatten();
            Ok((name.unwrap_or_else(|| "preview".to_owned()), given))
        }
        (_, Some(_)) => Err(Refusal::new(
            Kind::Forbidden,
            "a configuration in the body connects to any host, which needs the role admin; name a link instead",
        )),
        (None, None) => Err(Refusal::bad("the body has neither link nor config")),
    }
}
