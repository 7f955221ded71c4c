//! The protocol `default`: everything is handed out anew each time.

use super::{ByMember, Work};

/// Deals all connectors, then all tasks, to the members in turn, everything in order.
#[must_use]
pub fn assign_all(configured: &Work, members: &[String]) -> ByMember {
    let mut members = members.to_vec();
    members.sort();
    let mut given: ByMember = members
        .iter()
        .map(|member| (member.clone(), Work::default()))
        .collect();
    let mut turn = members.iter().cycle();
    let (mut connectors, mut tasks) = (configured.connectors.clone(), configured.tasks.clone());
    connectors.sort();
    tasks.sort();
    for connector in connectors {
        if let Some(work) = turn.next().and_then(|member| given.get_mut(member)) {
            work.connectors.push(connector);
        }
    }
    for task in tasks {
        if let Some(work) = turn.next().and_then(|member| given.get_mut(member)) {
            work.tasks.push(task);
        }
    }
    given
}

#[cfg(test)]
mod tests {
    use super::super::TaskKey;
    use super::*;

    #[test]
    fn everything_is_dealt_in_turn_and_nobody_is_left_out() {
        let configured = Work {
            connectors: vec!["b".into(), "a".into()],
            tasks: vec![
                TaskKey::new("a", 1),
                TaskKey::new("a", 0),
                TaskKey::new("b", 0),
            ],
        };
        let given = assign_all(&configured, &["y".into(), "x".into()]);
        assert_eq!(given["x"].connectors, ["a"]);
        assert_eq!(given["y"].connectors, ["b"]);
        assert_eq!(
            given["x"].tasks,
            [TaskKey::new("a", 0), TaskKey::new("b", 0)]
        );
        assert_eq!(given["y"].tasks, [TaskKey::new("a", 1)]);
        assert!(assign_all(&configured, &[]).is_empty());
    }
}
