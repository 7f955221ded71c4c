#![forbid(unsafe_code)]
//! What errors mean: texts of Kafka's clients, of librdkafka and of Tributary itself become explanations.
//!
//! Flow: a text → every rule of the [`table`] that matches, the most specific first → an [`Explanation`] with the names
//! that the text tells. Pure; needs no cluster and no worker.
//!
//! Deliberately absent: what only a broker can say (which permission is missing on which topic is the preflight's).

mod table;

use serde::Serialize;

pub use table::RULES;

/// Where the cause lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The cluster that is read.
    Source,
    /// The cluster that is written.
    Destination,
    /// The process, or its configuration.
    Worker,
    /// It cannot be told from the text.
    Unknown,
}

/// Whether it is tried again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Retries {
    /// By itself.
    Automatic,
    /// Only after somebody has acted.
    NeedsAction,
}

/// One rule: what it recognises and what it says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rule {
    /// Its name.
    pub id: &'static str,
    /// Any of these texts; where `&` joins several, all of them. Case does not matter.
    pub patterns: &'static [&'static str],
    /// In a few words.
    pub title: &'static str,
    /// Why it happens.
    pub cause: &'static str,
    /// Where, unless the text says it.
    pub side: Side,
    /// What to do, step by step.
    pub fix: &'static [&'static str],
    /// Commands, with `{topic}` and `{principal}` for names of the text.
    pub commands: &'static [&'static str],
    /// Whether it is tried again.
    pub retries: Retries,
}

/// A rule that matched, with the names of the text in it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Explanation {
    /// The rule.
    pub id: &'static str,
    /// In a few words.
    pub title: &'static str,
    /// Why it happens.
    pub cause: &'static str,
    /// Where.
    pub side: Side,
    /// What to do.
    pub fix: Vec<&'static str>,
    /// Commands to run.
    pub commands: Vec<String>,
    /// Whether it is tried again.
    pub retries: Retries,
    /// Where more is said.
    pub help: String,
    /// What of the text was recognised.
    pub matched_text: Option<String>,
}

/// All explanations of a text, the most specific first.
#[must_use]
pub fn explain(text: &str) -> Vec<Explanation> {
    let lower = text.to_ascii_lowercase();
    let mut found: Vec<(usize, &Rule, &str)> = Vec::new();
    for rule in RULES {
        let matching = rule
            .patterns
            .iter()
            .filter(|pattern| holds(&lower, pattern));
        // A longer text is recognised less often, so it says more.
        if let Some(pattern) = matching.max_by_key(|pattern| pattern.len()) {
            found.push((pattern.len(), rule, pattern));
        }
    }
    found.sort_by_key(|(length, _, _)| std::cmp::Reverse(*length));
    let explained = found.into_iter();
    explained
        .map(|(_, rule, pattern)| rule.explanation(text, &lower, pattern))
        .collect()
}

/// A rule by its name.
#[must_use]
pub fn rule(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}

fn holds(lower: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('&').map(str::trim);
    parts.all(|part| lower.contains(&part.to_ascii_lowercase()))
}

impl Rule {
    /// What it says, without a text.
    #[must_use]
    pub fn plain(&self) -> Explanation {
        let commands = self.commands.iter();
        Explanation {
            id: self.id,
            title: self.title,
            cause: self.cause,
            side: self.side,
            fix: self.fix.to_vec(),
            commands: commands.map(|text| filled(text, None, None)).collect(),
            retries: self.retries,
            help: format!("/ui/help/explain#{}", self.id),
            matched_text: None,
        }
    }

    fn explanation(&self, text: &str, lower: &str, pattern: &str) -> Explanation {
        let (topic, principal) = (topic(text), after(text, "User:"));
        let first = pattern.split('&').next().unwrap_or(pattern).trim();
        let at = lower.find(&first.to_ascii_lowercase());
        let matched = at.and_then(|at| text.get(at..at + first.len()));
        let mut explanation = self.plain();
        explanation.side = match self.side {
            Side::Unknown => side_of(lower),
            side => side,
        };
        let commands = self.commands.iter();
        explanation.commands = commands
            .map(|command| filled(command, topic, principal))
            .collect();
        explanation.matched_text = matched.map(str::to_owned);
        explanation
    }
}

/// The side that a text names, where it names one only.
fn side_of(lower: &str) -> Side {
    let source = ["source", "src.", "fetch", "consumer"]
        .iter()
        .any(|word| lower.contains(word));
    let destination = [
        "destination",
        "dest.",
        "target cluster",
        "produce",
        "createtopics",
    ]
    .iter()
    .any(|word| lower.contains(word));
    match (source, destination) {
        (true, false) => Side::Source,
        (false, true) => Side::Destination,
        (true, true) | (false, false) => Side::Unknown,
    }
}

fn is_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || "._-".contains(character)
}

/// A topic that the text names: in brackets after `topics:`, or after the word.
fn topic(text: &str) -> Option<&str> {
    let found = ["topics: [", "topic: ", "topic \"", "topic '", "topic "];
    let mut found = found.iter().filter_map(|start| after(text, start));
    found.find(|name| name.len() > 1 || !["a", "s"].contains(name))
}

fn after<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    let end = rest.find(|character: char| !is_name(character));
    let name = &rest[..end.unwrap_or(rest.len())];
    (!name.is_empty()).then_some(name)
}

fn filled(command: &str, topic: Option<&str>, principal: Option<&str>) -> String {
    command
        .replace("{topic}", topic.unwrap_or("TOPIC"))
        .replace("{principal}", principal.unwrap_or("PRINCIPAL"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Texts as programs print them, and the rule that has to come first.
    const TEXTS: [(&str, &str); 26] = [
        (
            "org.apache.kafka.common.errors.TopicAuthorizationException: Not authorized to access topics: [orders]",
            "topic-authorization",
        ),
        (
            "destination refuses CREATE on topic \"audit.v2\": TOPIC_AUTHORIZATION_FAILED",
            "topic-authorization",
        ),
        (
            "org.apache.kafka.common.errors.GroupAuthorizationException: Not authorized to access group: g",
            "group-authorization",
        ),
        ("CLUSTER_AUTHORIZATION_FAILED", "cluster-authorization"),
        (
            "%3|1700000000.1|FAIL|rdkafka#producer-1| [thrd:b:9092/1]: b:9092/1: Connect to ipv4#10.0.0.1:9092 failed: Connection refused (after 0ms in state CONNECT)",
            "connection-refused",
        ),
        (
            "Failed to resolve 'kafka-9:9092': Name or service not known",
            "dns",
        ),
        (
            "java.net.UnknownHostException: kafka-9: Name or service not known",
            "dns",
        ),
        (
            "Disconnected from node -1: Broker transport failure while authenticating: disconnected during authentication",
            "wrong-protocol",
        ),
        (
            "sun.security.validator.ValidatorException: PKIX path building failed: unable to find valid certification path",
            "tls-unknown-ca",
        ),
        ("invalid peer certificate: UnknownIssuer", "tls-unknown-ca"),
        (
            "No subject alternative DNS name matching kafka found.",
            "tls-name-mismatch",
        ),
        ("invalid peer certificate: Expired", "tls-expired"),
        (
            "received fatal alert: CertificateRequired",
            "tls-client-cert-required",
        ),
        (
            "SaslAuthenticationException: Authentication failed: Invalid username or password",
            "sasl-plain",
        ),
        (
            "SASL_AUTHENTICATION_FAILED: Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-256",
            "sasl-scram",
        ),
        ("UNSUPPORTED_SASL_MECHANISM", "sasl-mechanism"),
        (
            "org.apache.kafka.common.errors.RecordTooLargeException: The message is 2097238 bytes",
            "record-too-large",
        ),
        ("Broker: Message size too large", "record-too-large"),
        ("OFFSET_OUT_OF_RANGE", "offset-out-of-range"),
        (
            "INVALID_REPLICATION_FACTOR: Replication factor: 3 larger than available brokers: 1",
            "replication-factor",
        ),
        (
            "POLICY_VIOLATION: Topic names have to begin with team",
            "policy-violation",
        ),
        ("NOT_ENOUGH_REPLICAS_AFTER_APPEND", "not-enough-replicas"),
        (
            "org.apache.kafka.common.errors.ProducerFencedException: There is a newer producer",
            "producer-fenced",
        ),
        (
            "Cannot complete request because of a conflicting operation (e.g. worker rebalance)",
            "rebalance-in-progress",
        ),
        (
            "Request timed out. The worker is currently starting the connector",
            "request-timeout",
        ),
        (
            "INVALID_TIMESTAMP: Timestamp 1 of message with offset 0 is out of range",
            "invalid-timestamp",
        ),
    ];

    #[test]
    fn texts_of_other_programs_are_recognised() {
        for (text, id) in TEXTS {
            let found = explain(text);
            let first = found.first().map(|one| one.id);
            assert_eq!(first, Some(id), "{text}: {found:?}");
        }
        assert_eq!(explain("all is well"), Vec::new());
    }

    #[test]
    fn names_of_the_text_stand_in_the_commands() {
        let text = "source: TOPIC_AUTHORIZATION_FAILED, principal User:tributary may not READ topic \"orders\"";
        let explanation = &explain(text)[0];
        assert_eq!(explanation.side, Side::Source);
        let command = &explanation.commands[0];
        assert!(command.contains("--topic orders"), "{command}");
        assert!(command.contains("User:tributary"), "{command}");
    }

    #[test]
    fn rules_have_names_of_their_own_and_say_what_to_do() {
        let names: BTreeSet<&str> = RULES.iter().map(|rule| rule.id).collect();
        assert_eq!(names.len(), RULES.len());
        for rule in RULES {
            assert!(
                !rule.patterns.is_empty() && !rule.fix.is_empty(),
                "{}",
                rule.id
            );
            assert_eq!(super::rule(rule.id), Some(rule));
        }
    }
}
