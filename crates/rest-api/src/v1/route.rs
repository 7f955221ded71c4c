//! The paths of the API: one table, which the routing, the methods and the OpenAPI document share. Pure.

use crate::query::decode;
use crate::route::NoRoute;

/// Everything that can be asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Resource {
    Info,
    Whoami,
    Overview,
    Links,
    Link,
    LinkHealth,
    LinkTopics,
    LinkTopic,
    TopicPartitions,
    Partition,
    Partitions,
    Tasks,
    Config,
    Refresh,
    PartitionResume,
    TopicResume,
    TopicSync,
    TopicAnswered,
    Topics,
    Clusters,
    Workers,
    Worker,
    Rebalances,
    Activity,
    Preview,
    Preflight,
    Explain,
    Explanations,
    Events,
    Share,
    History,
}

impl Resource {
    /// Whether asking for it changes something.
    pub(crate) fn is_change(self) -> bool {
        matches!(
            self,
            Self::Refresh
                | Self::PartitionResume
                | Self::TopicResume
                | Self::TopicSync
                | Self::TopicAnswered
        )
    }
}

/// Who may ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Need {
    /// Whoever may look.
    Viewer,
    /// Whoever may change something.
    Admin,
    /// Whoever may look, as long as the body names a link that there is.
    ViewerOfLinks,
}

/// A path and what it does.
pub(crate) struct Row {
    /// With names in braces.
    pub(crate) path: &'static str,
    pub(crate) resource: Resource,
    pub(crate) method: &'static str,
    pub(crate) need: Need,
    /// A sentence for the document.
    pub(crate) summary: &'static str,
    /// The schema of the answer.
    pub(crate) schema: &'static str,
}

const fn get(
    path: &'static str,
    resource: Resource,
    schema: &'static str,
    summary: &'static str,
) -> Row {
    Row {
        path,
        resource,
        method: "GET",
        need: Need::Viewer,
        summary,
        schema,
    }
}

const fn post(
    path: &'static str,
    resource: Resource,
    need: Need,
    schema: &'static str,
    summary: &'static str,
) -> Row {
    Row {
        path,
        resource,
        method: "POST",
        need,
        summary,
        schema,
    }
}

/// Where it begins.
pub(crate) const BASE: &str = "/api/v1";

/// The contract.
#[rustfmt::skip]
pub(crate) const ROWS: [Row; 31] = [
    get("/api/v1/info", Resource::Info, "Info", "Version, features and group of the worker"),
    get("/api/v1/whoami", Resource::Whoami, "Whoami", "Who asks, and what they may do"),
    get("/api/v1/overview", Resource::Overview, "Overview", "Clusters, links, sums, and what needs attention"),
    get("/api/v1/links", Resource::Links, "LinkList", "All links, the worst first"),
    get("/api/v1/links/{link}", Resource::Link, "Link", "A link"),
    get("/api/v1/links/{link}/health", Resource::LinkHealth, "LinkHealth", "Its checks; with as=status 200 where it replicates and 503 otherwise"),
    get("/api/v1/links/{link}/topics", Resource::LinkTopics, "TopicList", "Its topics, the worst first"),
    get("/api/v1/links/{link}/topics/{topic}", Resource::LinkTopic, "Topic", "One of its topics"),
    get("/api/v1/links/{link}/topics/{topic}/partitions", Resource::TopicPartitions, "PartitionList", "Partitions of a topic, the worst first"),
    get("/api/v1/links/{link}/topics/{topic}/partitions/{partition}", Resource::Partition, "Partition", "One partition"),
    get("/api/v1/links/{link}/partitions", Resource::Partitions, "PartitionList", "All its partitions, the worst first"),
    get("/api/v1/links/{link}/tasks", Resource::Tasks, "TaskList", "Its tasks"),
    get("/api/v1/links/{link}/config", Resource::Config, "LinkConfig", "Every key of its configuration, and what becomes of it"),
    get("/api/v1/links/{link}/history", Resource::History, "History", "How lag or rates were, of the link, a topic or a partition; a gap is null"),
    post("/api/v1/links/{link}:refresh", Resource::Refresh, Need::Admin, "Result", "Look at its topics now"),
    post("/api/v1/links/{link}/topics/{topic}/partitions/{partition}:resume", Resource::PartitionResume, Need::Admin, "Result", "Let one partition go on that stands; nothing else is touched"),
    post("/api/v1/links/{link}/topics/{topic}:resume", Resource::TopicResume, Need::Admin, "Result", "Let all partitions of a topic go on that stand"),
    post("/api/v1/links/{link}/topics/{topic}:sync", Resource::TopicSync, Need::Admin, "Result", "Compare settings of the topic, and of all others of the link, now"),
    post("/api/v1/links/{link}/topics/{topic}:answered", Resource::TopicAnswered, Need::Admin, "Result", "Take in that a topic made anew is copied all the same, from the worker that has its partitions; no contract"),
    get("/api/v1/topics", Resource::Topics, "TopicList", "Topics of all links, the worst first"),
    get("/api/v1/clusters", Resource::Clusters, "ClusterList", "Clusters that links read or write"),
    get("/api/v1/workers", Resource::Workers, "WorkerList", "Workers of the group"),
    get("/api/v1/workers/{worker}", Resource::Worker, "Worker", "One worker"),
    get("/api/v1/rebalances", Resource::Rebalances, "RebalanceList", "Past and running rebalances"),
    get("/api/v1/activity", Resource::Activity, "ActivityList", "What was done and what happened, the newest first"),
    get("/api/v1/events", Resource::Events, "Event", "What changes, as a stream of server-sent events"),
    get("/api/v1/share", Resource::Share, "Share", "What this worker knows of its share of the links, for other workers; no contract"),
    post("/api/v1/preview", Resource::Preview, Need::ViewerOfLinks, "Preview", "What a link would do, topic by topic"),
    post("/api/v1/preflight", Resource::Preflight, Need::ViewerOfLinks, "Preflight", "Whether a link could run: every connection and every right, as this worker finds them"),
    get("/api/v1/explain", Resource::Explanations, "ExplanationList", "Everything that can be explained"),
    post("/api/v1/explain", Resource::Explain, Need::Viewer, "ExplanationList", "What a text means, and what can be done"),
];

/// Names in a path, decoded.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Names {
    pub(crate) link: String,
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) worker: String,
}

/// Whether a path is one of this API.
pub(crate) fn is_here(path: &str) -> bool {
    path.strip_prefix(BASE)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Finds the rows of a path, one for each method, and the names in it. A slash at the end changes nothing.
pub(crate) fn route(path: &str) -> Result<(Vec<&'static Row>, Names), NoRoute> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let parts: Vec<&str> = path.split('/').collect();
    let mut rows = Vec::new();
    let mut names = Names::default();
    for row in &ROWS {
        if let Some(found) = matched(row.path, &parts)? {
            // A name in braces takes what a word of another row says literally: the first row wins.
            if rows.iter().all(|first: &&Row| first.path == row.path) {
                rows.push(row);
                names = found;
            }
        }
    }
    if rows.is_empty() {
        return Err(NoRoute::Unknown);
    }
    Ok((rows, names))
}

fn matched(pattern: &str, parts: &[&str]) -> Result<Option<Names>, NoRoute> {
    let pattern: Vec<&str> = pattern.split('/').collect();
    if pattern.len() != parts.len() {
        return Ok(None);
    }
    let mut names = Names::default();
    for (expected, part) in pattern.iter().zip(parts) {
        let Some(variable) = expected.strip_prefix('{') else {
            if expected != part {
                return Ok(None);
            }
            continue;
        };
        // A colon in a name arrives as %3A; a bare one begins a verb.
        let (variable, verb) = variable.split_once('}').unwrap_or((variable, ""));
        // Workers have no verbs, and a colon in each name.
        let (name, asked) = match variable {
            "worker" => (*part, ""),
            _ => part.rsplit_once(':').unwrap_or((part, "")),
        };
        if asked != verb.trim_start_matches(':') {
            return Ok(None);
        }
        let text = decode(name).ok_or(NoRoute::Undecodable)?;
        if text.is_empty() {
            return Ok(None);
        }
        match variable {
            "link" => names.link = text,
            "topic" => names.topic = text,
            "worker" => names.worker = text,
            _ => match text.parse() {
                Ok(number) => names.partition = number,
                Err(_) => return Ok(None),
            },
        }
    }
    Ok(Some(names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_by_its_path() {
        for row in &ROWS {
            let path = row.path.replace("{partition}", "7").replace(['{', '}'], "");
            let (rows, _) = route(&path).expect("it is in the table");
            let found = rows.iter().any(|found| found.resource == row.resource);
            assert!(found, "{path}");
        }
    }

    #[test]
    fn a_verb_follows_a_bare_colon_and_a_colon_in_a_name_is_encoded() {
        let found = |path: &str| {
            let (rows, names) = route(path).ok()?;
            Some((rows[0].resource, names.link))
        };
        let link = |name: &str| Some((Resource::Link, name.to_owned()));
        assert_eq!(
            found("/api/v1/links/a:refresh"),
            Some((Resource::Refresh, "a".to_owned()))
        );
        assert_eq!(found("/api/v1/links/a%3Arefresh"), link("a:refresh"));
        assert_eq!(found("/api/v1/links/a%2Fb%20c"), link("a/b c"));
        assert_eq!(found("/api/v1/links/a:nothing"), None);
        assert_eq!(found("/api/v1/links/a/topics/t/partitions/x"), None);
        assert_eq!(found("/api/v1/nothing"), None);
    }
}
