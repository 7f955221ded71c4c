//! What of a link is not known in a group: tasks whose worker is silent, or that no worker runs, or whose worker does not speak
//! of all their partitions yet; and partitions that no task has.
//!
//! Their partitions are UNKNOWN, with what was known of them last as a lower bound, and so is the link. Pure.

use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use worker_group::deal::partitions_of;
use worker_group::detail::{PartitionDetail, Word};
use worker_group::state::State;
use worker_group::view::{LagDetail, TaskInfo, TaskState};

use super::gather::LinkView;
use super::peers::{Group, Silent};

/// Tasks of a link of which nothing is known now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Gap {
    /// The silent worker; nothing where no worker runs them.
    pub(crate) worker_id: Option<String>,
    pub(crate) reason: String,
    pub(crate) tasks: Vec<u32>,
    pub(crate) partitions: usize,
}

/// Finds tasks that nobody speaks for, and takes their partitions for unknown.
pub(crate) fn find(view: &mut LinkView, tasks: &[TaskInfo], group: &Group) {
    if !group.asked {
        return;
    }
    let mut gaps: Vec<(Gap, Option<&Silent>)> = Vec::new();
    for task in &view.state.tasks {
        let Some((silent, reason)) = gap_of(task, group) else {
            continue;
        };
        let worker_id = silent.map(|silent| silent.worker_id.clone());
        match gaps.iter_mut().find(|(gap, _)| gap.worker_id == worker_id) {
            Some((gap, _)) => gap.tasks.push(task.id),
            None => {
                let gap = Gap {
                    worker_id,
                    reason,
                    tasks: vec![task.id],
                    partitions: 0,
                };
                gaps.push((gap, silent));
            }
        }
    }
    let mut there: HashSet<(String, i32)> = HashSet::new();
    // Mostly there is none.
    if !gaps.is_empty() {
        let all = view.partitions().iter();
        there.extend(all.map(|one| (one.topic.clone(), one.partition)));
    }
    for (mut gap, silent) in gaps {
        let rows = rows(view, &gap, tasks, silent, &mut there);
        gap.partitions = rows.len();
        // What runs by now, though its status does not say so yet, is no gap.
        if rows.is_empty() && gap.worker_id.is_none() {
            continue;
        }
        if let Some(detail) = &mut view.detail {
            detail.lag.known = false;
            rows.iter().for_each(|row| detail.lag.add(&row.lag));
            detail.partitions.extend(rows);
        }
        view.gaps.push(gap);
    }
    find_unspoken(view, tasks);
    find_undealt(view, tasks);
}

/// Partitions of selected topics that no task has: they are dealt a moment after they were seen. Until then nobody else
/// would miss them, least of all where a link has no task yet.
fn find_undealt(view: &mut LinkView, tasks: &[TaskInfo]) {
    let Some(detail) = &mut view.detail else {
        return;
    };
    let mut dealt: HashMap<String, HashSet<i32>> = HashMap::new();
    for (topic, numbers) in tasks.iter().flat_map(|task| partitions_of(&task.config)) {
        dealt.entry(topic).or_default().extend(numbers);
    }
    let reason = "its task is not there yet";
    let mut missed = Vec::new();
    for (topic, seen) in &detail.topics {
        let count = seen.partitions.unwrap_or(0);
        let has = dealt.get(topic);
        let all = usize::try_from(count).unwrap_or(0);
        if has.map_or(0, HashSet::len) >= all {
            continue;
        }
        let undealt = (0..count).filter(|number| has.is_none_or(|has| !has.contains(number)));
        missed.extend(undealt.map(|number| (topic.clone(), number)));
    }
    if missed.is_empty() {
        return;
    }
    let spoken = spoken(&detail.partitions);
    missed.retain(|(topic, number)| !spoken.contains(&(topic.as_str(), *number)));
    drop(spoken);
    if missed.is_empty() {
        return;
    }
    detail.lag.known = false;
    let rows = missed.iter().map(|(topic, number)| {
        let mut row = nothing(topic, *number, view.at);
        row.reason = Some(reason.to_owned());
        row
    });
    detail.partitions.extend(rows);
    view.gaps.push(Gap {
        worker_id: None,
        reason: format!("{} partitions are to be dealt to tasks", missed.len()),
        tasks: Vec::new(),
        partitions: missed.len(),
    });
}

/// Of which partitions somebody speaks.
fn spoken(partitions: &[PartitionDetail]) -> HashSet<(&str, i32)> {
    let places = partitions.iter();
    places
        .map(|one| (one.topic.as_str(), one.partition))
        .collect()
}

/// Tasks that run, as their workers say, and have partitions of which those workers say nothing: they were begun a moment ago.
/// Without them, it would look as if everything were copied. What topics with a problem have, is told in their own place.
fn find_unspoken(view: &mut LinkView, tasks: &[TaskInfo]) {
    let Some(detail) = &mut view.detail else {
        return;
    };
    let spoken = spoken(&detail.partitions);
    let mut rows = Vec::new();
    for state in &view.state.tasks {
        if !matches!(state.state, State::Running | State::Restarting) {
            continue;
        }
        let reason = format!("worker {} has not begun all of it yet", state.worker_id);
        let task = tasks.iter().filter(|task| task.id.task == state.id);
        let share = task.flat_map(|task| partitions_of(&task.config));
        let places = share.flat_map(|(topic, numbers)| {
            numbers
                .into_iter()
                .map(move |number| (topic.clone(), number))
        });
        let mut missed = 0;
        for place in places {
            let topic = detail.topics.get(&place.0);
            let is_told = topic.is_some_and(|topic| topic.problem.is_some());
            if is_told || spoken.contains(&(place.0.as_str(), place.1)) {
                continue;
            }
            let mut row = nothing(&place.0, place.1, view.at);
            row.reason = Some(reason.clone());
            rows.push(row);
            missed += 1;
        }
        if missed > 0 {
            view.gaps.push(Gap {
                worker_id: None,
                reason,
                tasks: vec![state.id],
                partitions: missed,
            });
        }
    }
    drop(spoken);
    detail.lag.known &= rows.is_empty();
    detail.partitions.extend(rows);
}

/// Why nothing is known of a task, and who does not answer; nothing where somebody speaks for it.
fn gap_of<'a>(task: &TaskState, group: &'a Group) -> Option<(Option<&'a Silent>, String)> {
    if task.state == State::Unassigned {
        return Some((None, "no worker runs it".to_owned()));
    }
    let silent = group
        .silent
        .iter()
        .find(|one| one.worker_id == task.worker_id)?;
    let text = format!(
        "worker {} does not answer ({})",
        silent.worker_id, silent.reason
    );
    Some((Some(silent), text))
}

/// The partitions of a gap that are not in the detail.
fn rows(
    view: &LinkView,
    gap: &Gap,
    tasks: &[TaskInfo],
    silent: Option<&Silent>,
    there: &mut HashSet<(String, i32)>,
) -> Vec<PartitionDetail> {
    let last = silent.and_then(|silent| silent.last.as_ref());
    let last = last.and_then(|share| share.links.get(&view.name));
    let said: HashMap<(&str, i32), &PartitionDetail> = last
        .iter()
        .flat_map(|link| &link.detail.partitions)
        .map(|one| ((one.topic.as_str(), one.partition), one))
        .collect();
    // What was said grew old before the first question that was not answered.
    let spoken = last.map_or(view.at, |link| link.detail.at);
    let since = silent.map_or(view.at, |silent| silent.since);
    let mut rows = Vec::new();
    for task in tasks
        .iter()
        .filter(|task| gap.tasks.contains(&task.id.task))
    {
        for (topic, numbers) in partitions_of(&task.config) {
            for number in numbers {
                if there.insert((topic.clone(), number)) {
                    let known = said.get(&(topic.as_str(), number)).copied();
                    let silence = view.at.duration_since(spoken).unwrap_or_default();
                    let mut row = known
                        .cloned()
                        .unwrap_or_else(|| nothing(&topic, number, since));
                    grow_old(&mut row, silence.as_secs_f64(), since, &gap.reason);
                    rows.push(row);
                }
            }
        }
    }
    rows
}

/// Makes of what was said once what is known now.
fn grow_old(row: &mut PartitionDetail, silence: f64, since: SystemTime, reason: &str) {
    let lag = &mut row.lag;
    lag.known = false;
    // What cannot be measured grows.
    lag.seconds += silence;
    lag.seconds_basis = Word::Borrowed("stale");
    lag.age_seconds = lag.age_seconds.map(|age| age + silence);
    row.state = Word::Borrowed("unassigned");
    row.verdict = Word::Borrowed("UNKNOWN");
    row.since = since;
    row.reason = Some(reason.to_owned());
    row.answers.clear();
    row.help = None;
}

/// A partition of which nothing was ever said.
pub(super) fn nothing(topic: &str, partition: i32, since: SystemTime) -> PartitionDetail {
    PartitionDetail {
        topic: topic.to_owned(),
        partition,
        destination: topic.to_owned(),
        state: Word::Borrowed("unassigned"),
        since,
        reason: None,
        verdict: Word::Borrowed("UNKNOWN"),
        lag: LagDetail {
            known: false,
            records: None,
            seconds: 0.0,
            bytes: 0,
            seconds_basis: Word::Borrowed("stale"),
            age_seconds: None,
        },
        no_progress: 0.0,
        acked: None,
        stands_at: None,
        oldest_age: None,
        source_start: None,
        source_end: None,
        destination_end: None,
        records: 0,
        bytes: 0,
        read: None,
        leaders: [None; 2],
        repeated: 0,
        lost: None,
        answers: Vec::new(),
        help: None,
    }
}
