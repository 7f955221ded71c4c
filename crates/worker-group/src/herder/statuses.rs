//! What is said of connectors and tasks in the status topic, by this worker and by all.

use std::time::{Duration, SystemTime};

use kafka_client::topic_log::TailRecord;

use super::core::Core;
use super::instances::connector_of;
use super::lead::now_ms;
use crate::state::{State, TargetState};
use crate::status_record::{
    self, Status, StatusRecord, Subject, UsedTopic, is_strangers, may_write, moves, replaces,
};
use crate::stores::StatusWrite;

/// When a record was written, as it says; not later than now, whose clock ever it has, and nothing where it does not say.
fn written_at(timestamp: i64) -> Option<SystemTime> {
    let since = Duration::from_millis(u64::try_from(timestamp).ok()?);
    let at = SystemTime::UNIX_EPOCH.checked_add(since)?;
    Some(at.min(SystemTime::now()))
}

impl Core {
    // === what is read ===

    pub(super) fn read_statuses(&mut self, records: Vec<TailRecord>) {
        let mut contradicted = Vec::new();
        for record in records {
            let Ok(key) = std::str::from_utf8(&record.key) else {
                continue;
            };
            match status_record::decode(key, record.value.as_deref()) {
                Ok(Some(StatusRecord::Status(subject, Some(status)))) => {
                    if is_strangers(&status, &self.worker_id, self.standing.generation) {
                        contradicted.push(subject.clone());
                    }
                    let known = self.statuses.get(&subject);
                    if replaces(&subject, known, &status) {
                        if moves(known, &status) {
                            match written_at(record.timestamp) {
                                Some(at) => self.since.insert(subject.clone(), at),
                                None => self.since.remove(&subject),
                            };
                        }
                        self.statuses.insert(subject, status);
                    }
                }
                Ok(Some(StatusRecord::Status(subject, None))) => {
                    self.statuses.remove(&subject);
                    self.since.remove(&subject);
                }
                Ok(Some(StatusRecord::Topic(topic, connector, Some(used)))) => {
                    self.used.entry(connector).or_default().insert(topic, used);
                }
                Ok(Some(StatusRecord::Topic(topic, connector, None))) => {
                    if let Some(topics) = self.used.get_mut(&connector) {
                        topics.remove(&topic);
                    }
                }
                Ok(None) => {}
                Err(error) => tracing::warn!("{error}; it is passed over"),
            }
        }
        for subject in contradicted {
            self.say_again(&subject);
        }
    }

    // === what is said ===

    fn state_of(&self, subject: &Subject) -> (State, Option<String>) {
        let target = self.configs.target(connector_of(subject));
        let instance = self.instances.get(subject);
        let piece = self.pieces.get(subject);
        let failure =
            piece.and_then(|piece| piece.failure.clone().or_else(|| piece.retrying.clone()));
        match (target, instance) {
            (TargetState::Stopped, None) => match subject {
                Subject::Connector(_) => (State::Stopped, None),
                Subject::Task(..) => (State::Unassigned, None),
            },
            (TargetState::Paused, None) => (State::Paused, None),
            // It still ends.
            (TargetState::Stopped | TargetState::Paused, Some(_)) => (State::Running, None),
            (TargetState::Started, Some(instance))
                if instance.probe.is_some() && !instance.ending =>
            {
                match self.standing_trace(subject) {
                    Some(trace) => (State::Failed, Some(trace)),
                    None => (State::Running, None),
                }
            }
            (TargetState::Started, _) if piece.is_some_and(|piece| piece.restarting) => {
                (State::Restarting, None)
            }
            (TargetState::Started, _) if failure.is_some() => (State::Failed, failure),
            (TargetState::Started, _) => (State::Unassigned, None),
        }
    }

    /// Why a task that runs has failed all the same: partitions of it stand.
    fn standing_trace(&self, subject: &Subject) -> Option<String> {
        if matches!(subject, Subject::Connector(_)) {
            return None;
        }
        let report = self.report(subject)?;
        crate::engine::standing_trace(&report.standing)
    }

    /// Writes the status, if it is another one than before.
    pub(super) fn say(&mut self, subject: &Subject) {
        if !self.is_member() || !self.is_configured(subject) {
            return;
        }
        let said = match (self.holds(subject), self.instances.contains_key(subject)) {
            (true, _) => self.state_of(subject),
            // Until it has ended it is as it was.
            (false, true) => return,
            (false, false) => (State::Unassigned, None),
        };
        let Some(piece) = self.pieces.get(subject) else {
            return;
        };
        let is_same = piece.said.as_ref() == Some(&said);
        if is_same && !piece.contradicted {
            return;
        }
        // What was never said to run need not be said to be nobody's.
        if piece.said.is_none() && said.0 == State::Unassigned {
            return;
        }
        // Where there is no room for it now, it is said at the next look.
        if self.write_status(subject, said.0, said.1.clone())
            && let Some(piece) = self.pieces.get_mut(subject)
        {
            // Partitions may stand although it runs. What is only said again did not happen again.
            if said.0 == State::Failed && !is_same {
                piece.failed_at = Some(SystemTime::now());
            }
            piece.contradicted = false;
            piece.said = Some(said);
        }
    }

    /// Says the status again of something that this worker has, because somebody else has written one.
    pub(super) fn say_again(&mut self, subject: &Subject) {
        if !self.holds(subject) {
            return;
        }
        let piece = self.pieces.get_mut(subject);
        if let Some(piece) = piece.filter(|piece| piece.said.is_some()) {
            piece.contradicted = true;
            self.say(subject);
        }
    }

    /// `false` where it could not be left to be written.
    pub(super) fn write_status(
        &self,
        subject: &Subject,
        state: State,
        trace: Option<String>,
    ) -> bool {
        let status = Status {
            state,
            trace,
            worker_id: self.worker_id.clone(),
            generation: self.standing.generation,
        };
        if !may_write(self.statuses.get(subject), &status) {
            return true;
        }
        let write = StatusWrite::Record(subject.key(), Some(status.value()));
        self.links.statuses.leave(write)
    }

    /// Writes which topics a task has used first.
    pub(super) fn track(&mut self, subject: &Subject) {
        let Subject::Task(name, task) = subject else {
            return;
        };
        if !self.worker.topic_tracking {
            return;
        }
        let Some(report) = self.report(subject) else {
            return;
        };
        let known = self.used.get(name);
        let written = report.written.into_iter().filter(|(_, count)| *count > 0);
        let new: Vec<String> = written
            .map(|(topic, _)| topic)
            .filter(|topic| known.is_none_or(|known| !known.contains_key(topic)))
            .collect();
        let now = now_ms();
        let Some(piece) = self.pieces.get_mut(subject) else {
            return;
        };
        for topic in new {
            if piece.used.contains(&topic) {
                continue;
            }
            let used = UsedTopic {
                topic: topic.clone(),
                connector: name.clone(),
                task: *task,
                discovered: now,
            };
            let (key, value) = used.record();
            let write = StatusWrite::Record(key, Some(value));
            // Where there is no room for it now, it is written at a later look.
            if !self.links.statuses.leave(write) {
                return;
            }
            piece.used.insert(topic);
        }
    }
}
