//! From a path to what is asked for. Pure: one table, which the routing, the methods and the OpenAPI document share.

use crate::query::decode;

/// What a path stands for, its names decoded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Target {
    /// Which of the endpoints.
    pub(crate) endpoint: Endpoint,
    /// The name of the connector, plugin or logger.
    pub(crate) name: String,
    /// The number of the task.
    pub(crate) task: u32,
}

/// Everything that can be asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Endpoint {
    Root,
    Health,
    OpenApi,
    Metrics,
    Connectors,
    Connector,
    Config,
    Status,
    Tasks,
    TasksConfig,
    TaskStatus,
    TaskRestart,
    Restart,
    Pause,
    Resume,
    Stop,
    Topics,
    TopicsReset,
    Offsets,
    Fence,
    Plugins,
    PluginConfig,
    Validate,
    Loggers,
    Logger,
}

/// A path, its methods, and what each does.
pub(crate) struct Row {
    /// With `{connector}`, `{task}`, `{plugin}` and `{logger}` in place of names.
    pub(crate) path: &'static str,
    pub(crate) endpoint: Endpoint,
    /// Methods with a sentence for the document.
    pub(crate) methods: &'static [(&'static str, &'static str)],
}

const fn row(
    path: &'static str,
    endpoint: Endpoint,
    methods: &'static [(&'static str, &'static str)],
) -> Row {
    Row {
        path,
        endpoint,
        methods,
    }
}

/// The contract.
#[rustfmt::skip]
pub(crate) const ROWS: [Row; 25] = [
    row("/", Endpoint::Root, &[("GET", "The worker: version and cluster")]),
    row("/health", Endpoint::Health, &[("GET", "Whether the worker answers")]),
    row("/openapi.json", Endpoint::OpenApi, &[("GET", "This document")]),
    row("/metrics", Endpoint::Metrics, &[("GET", "What is measured, for Prometheus")]),
    row("/connectors", Endpoint::Connectors, &[("GET", "All connectors"), ("POST", "Create a connector")]),
    row("/connectors/{connector}", Endpoint::Connector, &[("GET", "A connector"), ("DELETE", "Delete a connector; its positions stay")]),
    row("/connectors/{connector}/config", Endpoint::Config, &[("GET", "Its configuration"), ("PUT", "Create it or replace its configuration"), ("PATCH", "Change parts of its configuration; null removes a key")]),
    row("/connectors/{connector}/status", Endpoint::Status, &[("GET", "Its state and those of its tasks")]),
    row("/connectors/{connector}/tasks", Endpoint::Tasks, &[("GET", "Its tasks with their configurations"), ("POST", "Between workers only")]),
    row("/connectors/{connector}/tasks-config", Endpoint::TasksConfig, &[("GET", "Configurations of its tasks")]),
    row("/connectors/{connector}/tasks/{task}/status", Endpoint::TaskStatus, &[("GET", "The state of a task")]),
    row("/connectors/{connector}/tasks/{task}/restart", Endpoint::TaskRestart, &[("POST", "Restart a task")]),
    row("/connectors/{connector}/restart", Endpoint::Restart, &[("POST", "Restart it, and its tasks where asked")]),
    row("/connectors/{connector}/pause", Endpoint::Pause, &[("PUT", "Let it stand still")]),
    row("/connectors/{connector}/resume", Endpoint::Resume, &[("PUT", "Let it go on")]),
    row("/connectors/{connector}/stop", Endpoint::Stop, &[("PUT", "Let it stand still without tasks, so that offsets can be changed")]),
    row("/connectors/{connector}/topics", Endpoint::Topics, &[("GET", "Topics that it has written to")]),
    row("/connectors/{connector}/topics/reset", Endpoint::TopicsReset, &[("PUT", "Forget these topics")]),
    row("/connectors/{connector}/offsets", Endpoint::Offsets, &[("GET", "Its positions"), ("PATCH", "Change positions; it has to be stopped"), ("DELETE", "Forget all positions; it has to be stopped")]),
    row("/connectors/{connector}/fence", Endpoint::Fence, &[("PUT", "Between workers only")]),
    row("/connector-plugins", Endpoint::Plugins, &[("GET", "Classes that a configuration may name")]),
    row("/connector-plugins/{plugin}/config", Endpoint::PluginConfig, &[("GET", "Keys of a class")]),
    row("/connector-plugins/{plugin}/config/validate", Endpoint::Validate, &[("PUT", "What is wrong with a configuration")]),
    row("/admin/loggers", Endpoint::Loggers, &[("GET", "Levels of logging")]),
    row("/admin/loggers/{logger}", Endpoint::Logger, &[("GET", "A level of logging"), ("PUT", "Set a level of logging")]),
];

/// Why a path leads nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NoRoute {
    /// There is nothing there.
    Unknown,
    /// It cannot be decoded.
    Undecodable,
}

/// Finds what a path stands for. A slash at the end changes nothing.
pub(crate) fn route(path: &str) -> Result<Target, NoRoute> {
    let path = path.strip_prefix('/').ok_or(NoRoute::Unknown)?;
    let path = path.strip_suffix('/').unwrap_or(path);
    let parts: Vec<&str> = path.split('/').collect();
    ROWS.iter()
        .find_map(|row| matched(row, &parts).transpose())
        .unwrap_or(Err(NoRoute::Unknown))
}

fn matched(row: &Row, parts: &[&str]) -> Result<Option<Target>, NoRoute> {
    let pattern: Vec<&str> = row.path[1..].split('/').collect();
    if pattern.len() != parts.len() {
        return Ok(None);
    }
    let mut target = Target {
        endpoint: row.endpoint,
        name: String::new(),
        task: 0,
    };
    for (expected, part) in pattern.iter().zip(parts) {
        if !expected.starts_with('{') {
            if expected != part {
                return Ok(None);
            }
            continue;
        }
        let text = decode(part).ok_or(NoRoute::Undecodable)?;
        if *expected == "{task}" {
            match text.parse() {
                Ok(number) => target.task = number,
                Err(_) => return Ok(None),
            }
        } else if text.is_empty() {
            return Ok(None);
        } else {
            target.name = text;
        }
    }
    Ok(Some(target))
}

/// The path of an endpoint, with its names in braces.
pub(crate) fn template(endpoint: Endpoint) -> &'static str {
    let row = ROWS.iter().find(|row| row.endpoint == endpoint);
    row.map_or("", |row| row.path)
}

/// The methods of an endpoint.
pub(crate) fn methods(endpoint: Endpoint) -> Vec<&'static str> {
    let row = ROWS.iter().find(|row| row.endpoint == endpoint);
    let methods = row.map_or(&[][..], |row| row.methods);
    methods.iter().map(|(method, _)| *method).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str) -> Option<(Endpoint, String, u32)> {
        let target = route(path).ok()?;
        Some((target.endpoint, target.name, target.task))
    }

    #[test]
    fn trailing_slash_all() {
        for row in ROWS {
            let path = row.path.replace("{task}", "7").replace(['{', '}'], "");
            let plain = route(&path).expect("it is in the table");
            assert_eq!(plain.endpoint, row.endpoint, "{path}");
            let slash = if path == "/" {
                path.clone()
            } else {
                format!("{path}/")
            };
            assert_eq!(route(&slash), Ok(plain), "{path}");
        }
    }

    #[test]
    fn names_may_hold_anything_that_is_encoded() {
        let check = |path: &str, name: &str| {
            assert_eq!(
                found(path),
                Some((Endpoint::Status, name.to_owned(), 0)),
                "{path}"
            );
        };
        check(
            "/connectors/a%2D%3Eb.MirrorSourceConnector/status",
            "a->b.MirrorSourceConnector",
        );
        check("/connectors/a%20b/status", "a b");
        check("/connectors/a%2Fb/status", "a/b");
        check("/connectors/./status", ".");
        check("/connectors/status/status/", "status");
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        for path in [
            "/nope",
            "/connectors//status",
            "/connectors/c/tasks/x/status",
            "/connectors/c/tasks/-1/status",
            "/connectors/c/tasks/0",
            "/connectors/c/status//",
            "/connectors/../admin/loggers/",
            "",
        ] {
            assert_eq!(route(path), Err(NoRoute::Unknown), "{path}");
        }
        assert_eq!(route("/connectors/%zz"), Err(NoRoute::Undecodable));
    }
}
