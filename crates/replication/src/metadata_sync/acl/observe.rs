//! The bindings of both clusters at one moment.

use std::collections::BTreeSet;

use config::link::AclSettings;
use kafka_client::Cluster;
use kafka_client::cluster::Use;
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::acl::{AclBinding, AclFilter, AclResource};
use kafka_wire::message::describe_acls::DescribeAclsRequest;

use super::Side;

/// Both sides, as far as the settings ask for them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AclObservation {
    /// The source's bindings.
    pub source: Vec<AclBinding>,
    /// The destination's bindings.
    pub destination: BTreeSet<AclBinding>,
}

/// Why rights cannot be copied now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Obstacle {
    /// There is no authorizer, or we may not.
    Off { side: Side, code: ErrorCode },
    /// Something that passes, or may.
    Trouble(String),
}

impl Obstacle {
    /// What a code means that is about the whole of a cluster's rights.
    pub(super) fn of(side: Side, code: ErrorCode) -> Option<Self> {
        let off = [
            ErrorCode::SECURITY_DISABLED,
            ErrorCode::CLUSTER_AUTHORIZATION_FAILED,
        ];
        off.contains(&code).then_some(Self::Off { side, code })
    }
}

/// Looks at both sides.
pub(super) async fn observe(
    source: &Cluster,
    destination: &Cluster,
    settings: &AclSettings,
) -> Result<AclObservation, Obstacle> {
    let wanted = [
        (settings.topics, AclResource::Topic),
        (settings.groups, AclResource::Group),
        (settings.transactional_ids, AclResource::TransactionalId),
    ];
    let mut seen = AclObservation::default();
    for (_, resource) in wanted.into_iter().filter(|(enabled, _)| *enabled) {
        let here = describe(source, Side::Source, resource).await?;
        seen.source.extend(here);
        let there = describe(destination, Side::Destination, resource).await?;
        seen.destination.extend(there);
    }
    Ok(seen)
}

async fn describe(
    cluster: &Cluster,
    side: Side,
    resource: AclResource,
) -> Result<Vec<AclBinding>, Obstacle> {
    let request = DescribeAclsRequest {
        filter: AclFilter::Resource(resource),
    };
    let answer = cluster.call_any(Use::Admin, &request).await;
    let answer = answer
        .map_err(|error| Obstacle::Trouble(format!("{side}: DescribeAcls failed: {error}")))?;
    if answer.error == ErrorCode::NONE {
        return Ok(answer.bindings);
    }
    Err(Obstacle::of(side, answer.error).unwrap_or_else(|| {
        let words = answer.error_message.unwrap_or_default();
        Obstacle::Trouble(format!(
            "{side} answered DescribeAcls with {}: {words}",
            answer.error
        ))
    }))
}
