//! What of a link's configuration holds for all its partitions, and what of it is changed while it runs.

use std::time::Duration;

use config::link::{FetchSettings, LinkConfig};
use tokio::time::Instant;

use super::super::core::Settings;
use super::super::whole::answer_within;
use super::DataPlane;
use crate::clock::wall_ms;
use crate::placement::Grants;

/// Batches of a partition that have to wait before tiny ones are merged: a few round trips' worth.
const MERGE_FROM: usize = 32;
/// Bytes of one partition in memory above which it is not fetched.
const PARTITION_ROOM: usize = 4 * 1024 * 1024;
/// The longest wait for a request that may still be carried out after its connection has ended: below what
/// recovery may take.
const SETTLE: Duration = Duration::from_secs(5);

/// The longest pause between attempts, below what recovery may take. With its spread the mean stays above five seconds.
const RETRY: Duration = Duration::from_secs(6);

/// What `settings` say of memory, where there is so much of it now.
pub(super) fn share_of(settings: &mut Settings, fetch: &FetchSettings, memory: usize) {
    let share = i32::try_from(answer_within(memory)).unwrap_or(i32::MAX);
    settings.memory = memory;
    settings.max_fetch_bytes = fetch.max_bytes.min(share);
    settings.partition_room = PARTITION_ROOM.min(memory / 4);
}

pub(super) fn settings(link: &LinkConfig, memory: usize) -> Settings {
    let mut settings = Settings {
        link: link.name.clone(),
        check_crcs: link.fetch.check_crcs,
        keep_append_time: link.keep_append_time,
        merge_below: link.merge_below,
        merge_from: MERGE_FROM,
        max_partition_bytes: link.fetch.max_partition_bytes,
        max_fetch_bytes: link.fetch.max_bytes,
        max_connections: link.fetch.max_connections,
        max_wait: link.fetch.max_wait,
        max_request_bytes: link.produce.max_request_size,
        max_in_flight: link.produce.max_in_flight,
        partition_room: PARTITION_ROOM,
        memory,
        retry: (Duration::from_millis(100), RETRY),
        shared: link.may_share_partitions(),
        on_refused: link.on_refused,
        on_gap: link.on_gap,
        on_recreate: link.on_recreate,
        levels: link.produce.levels,
        offsets: link.offsets,
        grants: Grants::of(&link.destination),
        settle: link.produce.request_timeout.min(SETTLE),
        memory_of_writers: Default::default(),
    };
    share_of(&mut settings, &link.fetch, memory);
    settings
}

impl DataPlane {
    /// Reads no more than it is told by now.
    pub(super) fn take_limit(&mut self) {
        self.happened.moves();
        let limit = self.limit.borrow_and_update().clone();
        let seconds = u64::try_from(wall_ms() / 1000).unwrap_or(0);
        self.core.limit(limit, Instant::now(), seconds);
    }
}
