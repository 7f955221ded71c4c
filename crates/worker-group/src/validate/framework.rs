//! Definitions of the keys that Connect gives every connector, as Connect shows them.

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct FrameworkKey {
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    pub(super) required: bool,
    pub(super) default: Option<&'static str>,
    pub(super) importance: &'static str,
    pub(super) width: &'static str,
    pub(super) group: &'static str,
    pub(super) order: u32,
    pub(super) display_name: &'static str,
    pub(super) doc: &'static str,
}

/// Groups of these keys, in the order in which they are shown.
pub(super) const GROUPS: [&str; 7] = [
    "Common",
    "Transforms",
    "Predicates",
    "Error Handling",
    "Topic Creation",
    "Exactly Once Support",
    "offsets.topic",
];

type Text = Option<&'static str>;

const fn row(
    name: &'static str,
    (kind, default): (&'static str, Text),
    (importance, width): (&'static str, &'static str),
    (group, order): (&'static str, u32),
    display_name: &'static str,
    doc: &'static str,
) -> FrameworkKey {
    FrameworkKey {
        name,
        kind,
        required: false,
        default,
        importance,
        width,
        group,
        order,
        display_name,
        doc,
    }
}

const fn required(mut key: FrameworkKey) -> FrameworkKey {
    key.required = true;
    key
}

const ERRORS: &str = "Error Handling";
const EXACTLY_ONCE: &str = "Exactly Once Support";

#[rustfmt::skip]
pub(super) const KEYS: [FrameworkKey; 20] = [
    required(row("name", ("STRING", None), ("HIGH", "MEDIUM"), ("Common", 1), "Connector name", "Name of the link, unique within a worker.")),
    required(row("connector.class", ("STRING", None), ("HIGH", "LONG"), ("Common", 2), "Connector class", "Which product's vocabulary the configuration uses: the class, its name without package, or that without \"Connector\".")),
    row("tasks.max", ("INT", Some("1")), ("HIGH", "SHORT"), ("Common", 3), "Tasks max", "Upper bound of the tasks that share the link's partitions."),
    row("tasks.max.enforce", ("BOOLEAN", Some("true")), ("LOW", "SHORT"), ("Common", 4), "Enforce tasks max", "Accepted; the bound always holds."),
    row("key.converter", ("CLASS", None), ("LOW", "SHORT"), ("Common", 5), "Key converter class", "Has to pass bytes through."),
    row("value.converter", ("CLASS", None), ("LOW", "SHORT"), ("Common", 6), "Value converter class", "Has to pass bytes through."),
    row("header.converter", ("CLASS", None), ("LOW", "SHORT"), ("Common", 7), "Header converter class", "Has to pass bytes through."),
    row("transforms", ("LIST", Some("")), ("LOW", "LONG"), ("Transforms", 8), "Transforms", "Changes to records on their way; those that Tributary knows, see the reference of keys."),
    row("predicates", ("LIST", Some("")), ("LOW", "LONG"), ("Predicates", 9), "Predicates", "Conditions of transforms."),
    row("config.action.reload", ("STRING", Some("restart")), ("LOW", "MEDIUM"), ("Common", 10), "Reload Action", "Accepted; secrets that change hold for new connections at once."),
    row("errors.retry.timeout", ("LONG", Some("0")), ("MEDIUM", "MEDIUM"), (ERRORS, 1), "Retry Timeout for Errors", "Accepted; retriable errors are retried without limit."),
    row("errors.retry.delay.max.ms", ("LONG", Some("60000")), ("MEDIUM", "MEDIUM"), (ERRORS, 2), "Maximum Delay Between Retries for Errors", "Longest pause between attempts."),
    row("errors.tolerance", ("STRING", Some("none")), ("MEDIUM", "SHORT"), (ERRORS, 3), "Error Tolerance", "With all, records that the destination refuses are skipped, logged and counted."),
    row("errors.log.enable", ("BOOLEAN", Some("false")), ("MEDIUM", "SHORT"), (ERRORS, 4), "Log Errors", "Accepted; failures are always logged."),
    row("errors.log.include.messages", ("BOOLEAN", Some("false")), ("MEDIUM", "SHORT"), (ERRORS, 5), "Log Error Details", "Accepted; contents of records are never logged."),
    row("topic.creation.groups", ("LIST", Some("")), ("LOW", "LONG"), ("Topic Creation", 1), "Topic Creation Groups", "Accepted; topics are created like those of the source."),
    row("exactly.once.support", ("STRING", Some("requested")), ("MEDIUM", "SHORT"), (EXACTLY_ONCE, 2), "Exactly once support", "With required, records and positions are written in transactions."),
    row("transaction.boundary", ("STRING", Some("poll")), ("MEDIUM", "SHORT"), (EXACTLY_ONCE, 3), "Transaction Boundary", "When transactions are committed: poll is after 100 ms."),
    row("transaction.boundary.interval.ms", ("LONG", None), ("LOW", "SHORT"), (EXACTLY_ONCE, 4), "Transaction boundary interval", "Interval of commits."),
    row("offsets.storage.topic", ("STRING", None), ("LOW", "LONG"), ("offsets.topic", 1), "Offsets topic", "Accepted; the worker's offsets topic is used."),
];
