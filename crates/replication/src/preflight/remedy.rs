//! Commands of Kafka's own tools that give what is missing (pure).

use std::collections::BTreeMap;

use config::client::ClientConfig;
use config::security::Security;
use kafka_wire::message::acl::AclOperation;

use super::needs::Resource;
use super::rights::{Right, Verdict};

/// Stands for a principal that only the broker knows.
const SOMEBODY: &str = "User:PRINCIPAL";

/// A `kafka-acls` command for each set of operations that is missing, with all topics it is missing on. What is not
/// known is treated as missing: granting it does no harm, and makes the rest known.
pub(super) fn commands(
    rights: &[Right],
    client: &ClientConfig,
    principal: Option<&str>,
) -> Vec<String> {
    let mut missing: BTreeMap<&Resource, Vec<String>> = BTreeMap::new();
    for right in rights.iter().filter(|r| r.verdict != Verdict::Granted) {
        let operations = missing.entry(&right.need.resource).or_default();
        let operation = name(right.need.operation);
        if !operations.contains(&operation) {
            operations.push(operation);
        }
    }
    let mut alike: BTreeMap<Vec<String>, Vec<&Resource>> = BTreeMap::new();
    for (resource, operations) in missing {
        alike.entry(operations).or_default().push(resource);
    }
    let servers: Vec<String> = client
        .bootstrap_servers
        .iter()
        .map(ToString::to_string)
        .collect();
    let mut begin = format!("kafka-acls --bootstrap-server {}", servers.join(","));
    if client.security != Security::Plaintext {
        begin += " --command-config admin.properties";
    }
    let principal = quoted(principal.unwrap_or(SOMEBODY));
    let mut commands = Vec::new();
    for (operations, resources) in alike {
        let mut granting = format!("{begin} --add --allow-principal {principal}");
        for operation in operations {
            granting += &format!(" --operation {operation}");
        }
        let mut command = granting.clone();
        let (prefixes, resources): (Vec<_>, Vec<_>) = resources
            .into_iter()
            .partition(|resource| matches!(resource, Resource::TransactionalIds(_)));
        for resource in resources {
            match resource {
                Resource::Topic(topic) => {
                    // Names are what the other side says they are, and this is meant to be pasted.
                    command += &format!(" --topic {}", quoted(topic.as_ref()));
                }
                Resource::Group(group) => command += &format!(" --group {}", quoted(group)),
                Resource::TransactionalIds(_) => {}
                Resource::Cluster => command += " --cluster",
            }
        }
        if command != granting {
            commands.push(command);
        }
        for resource in prefixes {
            // What is said of patterns holds for all of a command.
            if let Resource::TransactionalIds(prefix) = resource {
                let ids = quoted(prefix);
                let kind = "--resource-pattern-type prefixed";
                commands.push(format!("{granting} --transactional-id {ids} {kind}"));
            }
        }
    }
    commands
}

/// As `kafka-acls` calls it: `DescribeConfigs`.
fn name(operation: AclOperation) -> String {
    let text = operation.to_string();
    let words = text.split('_').map(|word| {
        let (first, rest) = word.split_at(1);
        format!("{first}{}", rest.to_lowercase())
    });
    words.collect()
}

/// As a shell takes it.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '_' | '-' | '.' | '@');
    if text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::needs::{Need, Needed};
    use super::*;
    use crate::metadata_sync::acl::Side;

    #[test]
    fn what_is_missing_on_several_topics_is_given_by_one_command() {
        let right = |resource, operation, verdict| Right {
            need: Need {
                side: Side::Source,
                resource,
                operation,
                when: Needed::Always,
                purpose: "",
            },
            verdict,
        };
        let topic = |name: &str| Resource::Topic(name.into());
        let rights = [
            right(topic("a"), AclOperation::Read, Verdict::Missing),
            right(topic("b"), AclOperation::Read, Verdict::Missing),
            right(
                topic("a"),
                AclOperation::DescribeConfigs,
                Verdict::Unknown(""),
            ),
            right(topic("b"), AclOperation::DescribeConfigs, Verdict::Missing),
            right(topic("c"), AclOperation::Read, Verdict::Granted),
            right(topic("$(d)"), AclOperation::Write, Verdict::Missing),
            right(Resource::Cluster, AclOperation::Describe, Verdict::Missing),
            right(
                Resource::TransactionalIds("g-l-".to_owned()),
                AclOperation::Write,
                Verdict::Missing,
            ),
        ];
        let client = ClientConfig::new(vec![config::client::HostPort {
            host: "h".to_owned(),
            port: 1,
        }]);
        let found = commands(&rights, &client, Some("User:it's"));
        let begin =
            r"kafka-acls --bootstrap-server h:1 --add --allow-principal 'User:it'\''s' --operation";
        assert_eq!(
            found,
            [
                format!("{begin} Describe --cluster"),
                format!("{begin} Read --operation DescribeConfigs --topic a --topic b"),
                format!("{begin} Write --topic '$(d)'"),
                format!("{begin} Write --transactional-id g-l- --resource-pattern-type prefixed"),
            ]
        );
    }
}
