//! What a principal may do, asked from the brokers (KIP-430), and tried with `validate_only` where that tells more.

use std::collections::BTreeMap;

use kafka_client::cluster::Use;
use kafka_client::{ClientError, Cluster};
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::acl::AclOperation;
use kafka_wire::message::create_topics::{CreateTopicsRequest, NewTopic};
use kafka_wire::message::describe_cluster::DescribeClusterRequest;
use kafka_wire::message::end_txn::EndTxnRequest;
use kafka_wire::message::find_coordinator::{CoordinatorKind, FindCoordinatorRequest};
use kafka_wire::message::metadata::{MetadataRequest, MetadataTopics};
use kafka_wire::message::{AuthorizedOperations, Transaction, TransactionVersion};
use kafka_wire::types::{ProducerIdentity, TopicName};

use super::needs::{Need, Needed, Resource};

/// Topics in one request.
const TOPICS: usize = 100;
/// How long the controller may take.
const TIMEOUT_MS: i32 = 30_000;

/// A right that is needed, and whether it is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Right {
    /// The right.
    pub need: Need,
    /// Whether it is there.
    pub verdict: Verdict,
}

/// Whether a right is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is, or it is not needed.
    Granted,
    /// It is not.
    Missing,
    /// Nobody says, with the reason.
    Unknown(&'static str),
}

/// What the brokers say of a topic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Told {
    code: ErrorCode,
    allowed: Option<AuthorizedOperations>,
    /// What an attempt to create it met, without creating it.
    creation: Option<ErrorCode>,
}

/// Asks about all needs of one side.
pub(super) async fn asked(cluster: &Cluster, needs: Vec<Need>) -> Result<Vec<Right>, ClientError> {
    let mut topics = BTreeMap::new();
    for need in &needs {
        if let Resource::Topic(name) = &need.resource {
            topics.entry(name.clone()).or_insert(None);
        }
    }
    let names: Vec<TopicName> = topics.keys().cloned().collect();
    for names in names.chunks(TOPICS) {
        for (name, told) in ask_topics(cluster, names).await? {
            topics.insert(name, Some(told));
        }
    }
    let to_create = needs.iter().filter(|need| need.when == Needed::Missing);
    let to_create = to_create.filter_map(|need| match &need.resource {
        Resource::Topic(name) => Some(name.clone()),
        Resource::Group(_) | Resource::TransactionalIds(_) | Resource::Cluster => None,
    });
    let is_missing = |name: &TopicName| {
        let told = topics.get(name).copied().flatten();
        told.is_none_or(|told| told.code != ErrorCode::NONE)
    };
    let to_create: Vec<TopicName> = to_create.filter(is_missing).collect();
    for names in to_create.chunks(TOPICS) {
        for (name, code) in try_creation(cluster, names).await? {
            if let Some(Some(told)) = topics.get_mut(&name) {
                told.creation = Some(code);
            }
        }
    }
    let of_cluster = if needs.iter().any(|need| need.resource == Resource::Cluster) {
        ask_cluster(cluster).await?
    } else {
        None
    };
    // Groups, and ids of transactions.
    let mut others = BTreeMap::new();
    for need in &needs {
        let verdict = match &need.resource {
            Resource::Group(group) => ask_group(cluster, group).await?,
            Resource::TransactionalIds(prefix) => ask_transactions(cluster, prefix).await?,
            Resource::Topic(_) | Resource::Cluster => continue,
        };
        others.insert(need.resource.clone(), verdict);
    }
    let right = |need: Need| {
        let verdict = match &need.resource {
            Resource::Cluster => cluster_verdict(need.operation, of_cluster),
            Resource::Group(_) | Resource::TransactionalIds(_) => {
                let verdict = others.get(&need.resource).cloned();
                verdict.unwrap_or(Verdict::Unknown("the brokers said nothing about it"))
            }
            Resource::Topic(name) => match topics.get(name).copied().flatten() {
                Some(told) => topic_verdict(&need, told),
                None => Verdict::Unknown("the brokers said nothing about it"),
            },
        };
        Right { need, verdict }
    };
    Ok(needs.into_iter().map(right).collect())
}

fn topic_verdict(need: &Need, told: Told) -> Verdict {
    if need.when == Needed::Missing {
        return match (told.code, told.creation) {
            (ErrorCode::NONE, _) => Verdict::Granted,
            (_, None) => Verdict::Unknown("the brokers did not say whether it may be created"),
            (
                _,
                Some(
                    ErrorCode::TOPIC_AUTHORIZATION_FAILED | ErrorCode::CLUSTER_AUTHORIZATION_FAILED,
                ),
            ) => Verdict::Missing,
            // Said before anybody has looked at rights.
            (
                _,
                Some(
                    ErrorCode::UNKNOWN_SERVER_ERROR
                    | ErrorCode::REQUEST_TIMED_OUT
                    | ErrorCode::NOT_CONTROLLER,
                ),
            ) => Verdict::Unknown("the controller could not say whether it may be created"),
            // Everything else is not about rights: the preview shows it.
            (_, Some(_)) => Verdict::Granted,
        };
    }
    // Without a right to describe none of those that imply it can be there.
    let implies_describe = matches!(
        need.operation,
        AclOperation::Read | AclOperation::Write | AclOperation::Alter | AclOperation::Describe
    );
    match told.allowed {
        Some(allowed) if allowed.allows(need.operation) => Verdict::Granted,
        Some(_) => Verdict::Missing,
        None if told.code == ErrorCode::TOPIC_AUTHORIZATION_FAILED && implies_describe => {
            Verdict::Missing
        }
        None if told.code == ErrorCode::TOPIC_AUTHORIZATION_FAILED => {
            Verdict::Unknown("it shows only with DESCRIBE on the topic")
        }
        None => Verdict::Unknown("brokers before 2.3 do not say"),
    }
}

fn cluster_verdict(operation: AclOperation, told: Option<AuthorizedOperations>) -> Verdict {
    match told {
        None => Verdict::Unknown("brokers before 2.8 do not say"),
        Some(allowed) if allowed.allows(operation) => Verdict::Granted,
        // A broker that may not tell says that nothing is allowed.
        Some(allowed) if allowed.0 == 0 && operation != AclOperation::Describe => {
            Verdict::Unknown("it shows only with DESCRIBE on the cluster")
        }
        Some(_) => Verdict::Missing,
    }
}

async fn ask_topics(
    cluster: &Cluster,
    names: &[TopicName],
) -> Result<Vec<(TopicName, Told)>, ClientError> {
    let request = MetadataRequest {
        topics: MetadataTopics::Topics(names.to_vec()),
        authorized_operations: true,
    };
    let answer = cluster.call_any(Use::Metadata, &request).await?;
    let told = answer.topics.into_iter().filter_map(|topic| {
        let told = Told {
            code: topic.error,
            allowed: topic.authorized_operations,
            creation: None,
        };
        Some((topic.name?, told))
    });
    Ok(told.collect())
}

async fn try_creation(
    cluster: &Cluster,
    names: &[TopicName],
) -> Result<Vec<(TopicName, ErrorCode)>, ClientError> {
    let topic = |name: &TopicName| NewTopic {
        name: name.clone(),
        partitions: 1,
        replication_factor: -1,
        configs: Vec::new(),
    };
    let request = CreateTopicsRequest {
        topics: names.iter().map(topic).collect(),
        timeout_ms: TIMEOUT_MS,
        validate_only: true,
    };
    let answer = cluster.call_controller(&request).await?;
    let answers = answer.topics.into_iter();
    Ok(answers.map(|topic| (topic.name, topic.error)).collect())
}

/// Whether a group may be described: only then brokers tell who coordinates it.
async fn ask_group(cluster: &Cluster, group: &str) -> Result<Verdict, ClientError> {
    let request = FindCoordinatorRequest {
        kind: CoordinatorKind::Group,
        key: group.to_owned(),
    };
    let found = cluster.call_any(Use::Metadata, &request).await?;
    Ok(match found.error {
        ErrorCode::NONE => Verdict::Granted,
        ErrorCode::GROUP_AUTHORIZATION_FAILED => Verdict::Missing,
        _ => Verdict::Unknown("its coordinator is not available"),
    })
}

/// Whether transactions may be written: tried with the end of one that cannot be, of a producer that brokers get to never.
/// Rights are looked at first, by any broker; whoever has them is told that there is no such transaction, or that another
/// broker would know.
async fn ask_transactions(cluster: &Cluster, prefix: &str) -> Result<Verdict, ClientError> {
    let nobody = ProducerIdentity {
        id: i64::MAX,
        epoch: 0,
    };
    let request = EndTxnRequest {
        transaction: Transaction {
            transactional_id: format!("{prefix}0"),
            producer: nobody,
        },
        transaction_version: TransactionVersion::Announced,
        commit: false,
    };
    let answer = cluster.call_any(Use::Metadata, &request).await?;
    Ok(transactions_verdict(answer.error))
}

fn transactions_verdict(code: ErrorCode) -> Verdict {
    match code {
        ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED => Verdict::Missing,
        ErrorCode::INVALID_PRODUCER_ID_MAPPING
        | ErrorCode::NOT_COORDINATOR
        | ErrorCode::COORDINATOR_NOT_AVAILABLE
        | ErrorCode::COORDINATOR_LOAD_IN_PROGRESS => Verdict::Granted,
        _ => Verdict::Unknown("the broker did not say whether it may be written with"),
    }
}

async fn ask_cluster(cluster: &Cluster) -> Result<Option<AuthorizedOperations>, ClientError> {
    let request = DescribeClusterRequest {
        authorized_operations: true,
    };
    match cluster.call_any(Use::Metadata, &request).await {
        Ok(answer) => Ok(answer.authorized_operations),
        Err(ClientError::Unsupported { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata_sync::acl::Side;

    fn allowed(operations: &[AclOperation]) -> AuthorizedOperations {
        AuthorizedOperations(operations.iter().fold(0, |bits, op| bits | 1 << op.wire()))
    }

    fn need(operation: AclOperation, when: Needed) -> Need {
        Need {
            side: Side::Destination,
            resource: Resource::Topic("t".into()),
            operation,
            when,
            purpose: "",
        }
    }

    #[test]
    fn a_right_on_a_topic_is_granted_missing_or_not_known() {
        let check = |operation, code, allowed, expected: &str| {
            let told = Told {
                code,
                allowed,
                creation: None,
            };
            let found = topic_verdict(&need(operation, Needed::Always), told);
            let found = format!("{found:?}");
            assert!(found.starts_with(expected), "{operation} {code}: {found}");
        };
        let (none, denied) = (ErrorCode::NONE, ErrorCode::TOPIC_AUTHORIZATION_FAILED);
        let reads = Some(allowed(&[AclOperation::Read, AclOperation::Describe]));
        check(AclOperation::Read, none, reads, "Granted");
        check(AclOperation::Write, none, reads, "Missing");
        let unknown_topic = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        check(AclOperation::Read, unknown_topic, reads, "Granted");
        check(AclOperation::Write, denied, None, "Missing");
        check(AclOperation::AlterConfigs, denied, None, "Unknown");
        check(AclOperation::Read, none, None, "Unknown");
    }

    #[test]
    fn a_topic_may_be_created_if_an_attempt_meets_something_else_than_a_lack_of_rights() {
        let check = |code, creation, expected: &str| {
            let told = Told {
                code,
                allowed: None,
                creation,
            };
            let found = topic_verdict(&need(AclOperation::Create, Needed::Missing), told);
            assert!(
                format!("{found:?}").starts_with(expected),
                "{code}: {found:?}"
            );
        };
        let denied = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
        check(ErrorCode::NONE, None, "Granted");
        check(denied, Some(ErrorCode::NONE), "Granted");
        check(denied, Some(ErrorCode::POLICY_VIOLATION), "Granted");
        check(denied, Some(denied), "Missing");
        check(denied, None, "Unknown");
        check(denied, Some(ErrorCode::REQUEST_TIMED_OUT), "Unknown");
    }

    #[test]
    fn transactions_may_be_written_where_a_broker_looks_for_one_that_is_not_there() {
        let denied = ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
        assert_eq!(transactions_verdict(denied), Verdict::Missing);
        for code in [
            ErrorCode::INVALID_PRODUCER_ID_MAPPING,
            ErrorCode::NOT_COORDINATOR,
        ] {
            assert_eq!(transactions_verdict(code), Verdict::Granted);
        }
        let broken = transactions_verdict(ErrorCode::UNKNOWN_SERVER_ERROR);
        assert!(matches!(broken, Verdict::Unknown(_)), "{broken:?}");
    }

    #[test]
    fn without_a_right_to_describe_the_cluster_only_that_is_known_to_be_missing() {
        let check = |operation, told, expected: &str| {
            let found = format!("{:?}", cluster_verdict(operation, told));
            assert!(found.starts_with(expected), "{found}");
        };
        let nothing = Some(AuthorizedOperations(0));
        check(AclOperation::Describe, nothing, "Missing");
        check(AclOperation::Alter, nothing, "Unknown");
        let describes = Some(allowed(&[AclOperation::Describe]));
        check(AclOperation::Describe, describes, "Granted");
        check(AclOperation::Alter, describes, "Missing");
        check(AclOperation::Alter, None, "Unknown");
    }
}
