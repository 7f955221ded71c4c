//! What a restart request covers (KIP-745). Pure.

use crate::state::State;
use crate::view::ConnectorStateInfo;

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RestartRequest {
    /// Tasks too.
    pub include_tasks: bool,
    /// Only what is FAILED.
    pub only_failed: bool,
}

/// What is restarted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RestartPlan {
    /// The connector's own instance.
    pub connector: bool,
    /// These tasks.
    pub tasks: Vec<u32>,
}

impl RestartRequest {
    /// Whether the old form is meant, which answers without a body.
    #[must_use]
    pub fn is_plain(self) -> bool {
        !self.include_tasks && !self.only_failed
    }

    /// How much it touches; of two requests that wait, the one that touches more is done.
    #[must_use]
    pub fn rank(self) -> u8 {
        match (self.include_tasks, self.only_failed) {
            (false, true) => 0,
            (true, true) => 1,
            (false, false) => 2,
            (true, false) => 3,
        }
    }

    /// What is to be restarted of these.
    pub fn plan(
        self,
        connector: State,
        tasks: impl IntoIterator<Item = (u32, State)>,
    ) -> RestartPlan {
        let covered = |state| !self.only_failed || state == State::Failed;
        RestartPlan {
            connector: covered(connector),
            tasks: tasks
                .into_iter()
                .filter(|(_, state)| self.include_tasks && covered(*state))
                .map(|(id, _)| id)
                .collect(),
        }
    }
}

impl RestartPlan {
    /// Shows what is restarted as that.
    pub(crate) fn mark(&self, state: &mut ConnectorStateInfo) {
        if self.connector {
            state.connector.state = State::Restarting;
            state.connector.trace = None;
        }
        for task in &mut state.tasks {
            if self.tasks.contains(&task.id) {
                task.state = State::Restarting;
                task.trace = None;
            }
        }
    }

    /// Whether nothing is to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.connector && self.tasks.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_covers_what_kip_745_says() {
        let check = |include_tasks, only_failed, connector, tasks: &[u32]| {
            let request = RestartRequest {
                include_tasks,
                only_failed,
            };
            let states = [(0, State::Running), (1, State::Failed), (2, State::Paused)];
            let plan = request.plan(State::Running, states);
            assert_eq!((plan.connector, plan.tasks.as_slice()), (connector, tasks));
            assert!(request.plan(State::Failed, states).connector);
        };
        check(false, false, true, &[]);
        check(false, true, false, &[]);
        check(true, false, true, &[0, 1, 2]);
        check(true, true, false, &[1]);
    }

    #[test]
    fn the_request_that_touches_more_has_the_higher_rank() {
        let request = |include_tasks, only_failed| RestartRequest {
            include_tasks,
            only_failed,
        };
        let ranks = [
            request(false, true),
            request(true, true),
            request(false, false),
            request(true, false),
        ]
        .map(RestartRequest::rank);
        assert_eq!(ranks, [0, 1, 2, 3]);
    }
}
