//! How copies of topics differ from what they are to be, counted by what is different (pure).

use std::collections::BTreeSet;

use replication::metadata_sync::{Condition, Problem};

/// Topics whose copies stay other than they are to be, by what is different. What is being mended, or blocks, is none of them.
pub(super) fn counted(problems: &[Problem]) -> [(&'static str, usize); 3] {
    let count = |kind: &str| {
        let of_kind = problems
            .iter()
            .filter(|problem| drifts(problem.state) == Some(kind));
        let topics: BTreeSet<_> = of_kind.map(|problem| &problem.topic).collect();
        topics.len()
    };
    ["config", "partitions", "rf"].map(|kind| (kind, count(kind)))
}

/// What of a copy is different in such a state.
fn drifts(state: Condition) -> Option<&'static str> {
    match state {
        Condition::PartitionsPending | Condition::DestinationLarger => Some("partitions"),
        Condition::ReplicationReduced => Some("rf"),
        Condition::SettingLeftOut
        | Condition::SettingRefused
        | Condition::SettingsNotFollowed
        | Condition::TimestampsReplaced
        | Condition::BatchesTooLarge
        | Condition::CleanupDiffers => Some("config"),
        Condition::Active
        | Condition::SourceMissing
        | Condition::SourceUnauthorized
        | Condition::SourceDeleted
        | Condition::SourceRecreated
        | Condition::NameInvalid
        | Condition::NameCollision
        | Condition::Cycle
        | Condition::DestinationPending
        | Condition::CreateFailed
        | Condition::DestinationUnauthorized
        | Condition::DestinationDeleted
        | Condition::DestinationRecreated
        | Condition::DestinationRenamed
        | Condition::DestinationBehind
        | Condition::TombstonesMissed
        | Condition::SystemTopic => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_counts_once_for_each_way_in_which_its_copy_differs() {
        let problem = |topic: &str, state| Problem::new(&topic.into(), state, "because");
        let problems = [
            problem("a", Condition::SettingRefused),
            problem("a", Condition::SettingLeftOut),
            problem("a", Condition::ReplicationReduced),
            problem("b", Condition::CleanupDiffers),
            // It is being made, or has to be answered: another figure.
            problem("c", Condition::DestinationPending),
            problem("d", Condition::SourceRecreated),
        ];
        let found = counted(&problems);
        assert_eq!(found, [("config", 2), ("partitions", 0), ("rf", 1)]);
    }
}
