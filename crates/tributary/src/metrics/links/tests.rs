//! Which worker tells what of a link.

use worker_group::state::State;
use worker_group::view::{ConnectorStateInfo, InstanceState};

use super::*;

#[test]
fn what_waits_with_its_connector_is_told_by_the_leader_and_by_nobody_else() {
    let task = |id: u32, worker: &str, state: State| TaskState {
        id,
        state,
        worker_id: worker.to_owned(),
        trace: None,
        since: None,
    };
    let status = ConnectorStateInfo {
        name: "orders".to_owned(),
        connector: InstanceState {
            state: State::Unassigned,
            worker_id: "lost:1".to_owned(),
            trace: None,
        },
        tasks: vec![
            task(0, "leader:1", State::Running),
            task(1, "lost:1", State::Unassigned),
        ],
        kind: "source",
        tributary: None,
    };
    let shown = Expanded {
        status: Some(status),
        ..Expanded::default()
    };
    let link = Link {
        name: "orders".to_owned(),
        source: "west".to_owned(),
        destination: "east".to_owned(),
    };
    let check = |worker: &str, waits: bool, tasks: usize, unassigned: Option<&str>| {
        let mut page = Page::new();
        let assigned = link.add_states(&mut page, &shown, worker, waits);
        assert_eq!(assigned, (0, tasks), "{worker}");
        let text = page.text(metrics::Format::Text);
        let told = text
            .lines()
            .find(|line| line.starts_with("tributary_tasks{") && line.contains("unassigned"));
        let told = told.and_then(|line| line.rsplit(' ').next());
        assert_eq!(told, unassigned, "{worker}: {text}");
    };
    check("leader:1", true, 1, Some("1"));
    check("other:1", false, 0, None);
}
