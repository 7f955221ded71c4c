//! Workers that share a link under load, while one is killed, one stands still and goes on, one comes, and all are replaced
//! one after the other: nothing is lost, nothing is there twice, and how long records waited; judged by librdkafka.
//!
//! Every run does a small form, with limits for machines that are busy. The large one, whose figures are in
//! docs/benchmark-results, also holds the program to its times:
//!
//! ```text
//! TRIBUTARY_TEST_PROGRAM=target/release/tributary TRIBUTARY_TEST_PARTITIONS=300 \
//!   cargo test -p tributary --test it -- group_moves --nocapture --test-threads 1
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use test_support::client_libraries::{self, Libraries};
use test_support::eventually::eventually;
use test_support::judge::Place;
use test_support::judge::follow::{Arrivals, Follower, longest_behind};
use test_support::kafka_cluster::KafkaCluster;
use test_support::limits;
use test_support::managed_process::{ManagedProcess, ProcessSpec, Stream};
use test_support::workload::{Generator, Load, Mode, Shape};
use tokio::time::Instant;

use crate::connect_clients::{file, installed};
use crate::connect_links::heartbeats;
use crate::connect_worker::expect;
use crate::group::{Group, Member, SESSION, link, turns_unknown};
use crate::support::{
    COPIED, NEW, committed, compared, new_topic, offsets, pair, stored, unique, wait_for_offsets,
};

const SEED: u64 = 4_150;
const LINK: &str = "shared";
/// How long a worker stands still in the long form.
const STANDSTILL: Duration = Duration::from_secs(60);
/// What is looked at after something has happened.
const AFTER: Duration = Duration::from_secs(10);
/// A partition progresses again so long after its worker was lost, at most.
const MOVED: Duration = SESSION.saturating_add(Duration::from_secs(5));
/// The longest that records of a partition wait whose worker stays.
const STAYED: Duration = Duration::from_secs(1);

/// Something that happened to the group, and which worker had each partition before and after it.
struct Happening {
    name: &'static str,
    from: Instant,
    to: Instant,
    before: BTreeMap<i32, String>,
    after: BTreeMap<i32, String>,
}

impl Happening {
    /// The longest that a record waited, of partitions that moved and of those that stayed.
    fn waits(&self, source: &Arrivals, copy: &Arrivals) -> (Duration, Duration, usize) {
        let mut longest = (Duration::ZERO, Duration::ZERO, 0);
        // Records of just before it were on their way.
        let from = self.from - Duration::from_secs(1);
        for (partition, wait) in longest_behind(source, copy, (from, self.to)) {
            if self.before.get(&partition) == self.after.get(&partition) {
                longest.1 = longest.1.max(wait);
            } else {
                longest.0 = longest.0.max(wait);
                longest.2 += 1;
            }
        }
        longest
    }
}

/// The group under load, and what has happened to it.
struct Scene {
    tasks: usize,
    is_long: bool,
    happened: Vec<Happening>,
}

impl Scene {
    /// Has something happen, and waits until exactly these workers share the link again.
    async fn when<T>(
        &mut self,
        name: &'static str,
        asked: &Member,
        happens: impl Future<Output = (T, Vec<String>)>,
    ) -> T {
        let before = asked.owners(LINK).await;
        let from = Instant::now();
        let (outcome, workers) = happens.await;
        let workers: Vec<&str> = workers.iter().map(String::as_str).collect();
        asked.shared_by(LINK, self.tasks, &workers).await;
        println!(
            "  {name}: shared after {:.1} s",
            from.elapsed().as_secs_f64()
        );
        if self.is_long {
            // sleeps because how long records wait while nothing else happens is what is measured
            tokio::time::sleep(AFTER).await;
        }
        self.happened.push(Happening {
            name,
            from,
            to: Instant::now(),
            before,
            after: asked.owners(LINK).await,
        });
        outcome
    }

    fn tell(&self, source: &Arrivals, copy: &Arrivals) {
        for one in &self.happened {
            let (moved, stayed, count) = one.waits(source, copy);
            println!(
                "  {}: {count} of {} partitions moved, whose records waited {:.2} s at most; those of others {:.2} s",
                one.name,
                one.after.len(),
                moved.as_secs_f64(),
                stayed.as_secs_f64()
            );
            if self.is_long {
                assert!(moved <= MOVED, "{}: {moved:?}", one.name);
                assert!(stayed <= STAYED, "{}: {stayed:?}", one.name);
            }
        }
    }
}

fn ids(members: &[&Member]) -> Vec<String> {
    members
        .iter()
        .map(|member| member.id().to_owned())
        .collect()
}

/// Waits until all records of the source have been seen on both sides.
async fn all_seen(source: &Place, copy: &Place) {
    let all = async || match (offsets(source).await, offsets(copy).await) {
        (there, here) if there == here => Ok(()),
        unequal => Err(unequal),
    };
    eventually("all are copied", COPIED, all)
        .await
        .expect("equal");
    // sleeps because followers read what is there already within this time
    tokio::time::sleep(Duration::from_secs(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_workers_lose_and_repeat_nothing_when_one_is_killed_one_stands_still_one_comes_and_all_are_replaced()
 {
    let (source, destination) = pair(NEW, NEW).await;
    let topic = unique("shared");
    let long = limits::partitions();
    let partitions = i32::try_from(long.unwrap_or(12)).expect("few");
    let tasks = usize::try_from(partitions)
        .expect("positive")
        .div_ceil(10)
        .max(6);
    let mut scene = Scene {
        tasks,
        is_long: long.is_some(),
        happened: Vec::new(),
    };
    new_topic(source, &topic, partitions, &[]).await;
    let group = Group::new(destination, "");
    let (first, second, third) = tokio::join!(group.member(), group.member(), group.member());
    let load = Load::new(source.bootstrap(), &topic)
        .mode(Mode::Idempotent)
        .start(
            Generator::new(Shape::mixed(SEED, partitions)),
            u32::try_from(partitions).expect("positive").max(100) * 4,
        );
    let body = json!({"name": LINK, "config": link(source, &topic, tasks)}).to_string();
    expect(first.settled("POST", "/connectors", Some(&body)).await, 201);
    let all = ids(&[&first, &second, &third]);
    let workers: Vec<&str> = all.iter().map(String::as_str).collect();
    first.shared_by(LINK, tasks, &workers).await;
    let (from, copy) = (committed(source, &topic), stored(destination, &topic));
    wait_for_offsets(&copy, 1).await;
    let (there, here) = (Follower::of(&from), Follower::of(&copy));
    if scene.is_long {
        // sleeps because what was there before has to be copied before waits are measured
        tokio::time::sleep(AFTER).await;
    }

    let fourth = lost_and_back(&mut scene, &group, [&first, &second, &third], &copy).await;
    let client = Driven::through(&fourth, source, destination).await;
    let (fifth, sixth) = replaced(&mut scene, &group, (first, second), &fourth).await;
    client.ends().await;

    load.stop().await.expect("all are acknowledged");
    all_seen(&from, &copy).await;
    let verdict = compared(&from, &copy).await;
    println!("  {verdict}");
    assert!(
        verdict.is_equal(),
        "seed {SEED}: {verdict}\n{}",
        fifth.process.lines().tail(80)
    );
    assert_eq!(verdict.duplicate, 0);
    let arrivals = (there.stop().await, here.stop().await);
    scene.tell(
        &arrivals.0.expect("readable"),
        &arrivals.1.expect("readable"),
    );
    println!("  {}: {}", group.name(), sixth.group().await);
}

/// One worker is killed, one stands still and goes on, and one comes, which is returned.
async fn lost_and_back(
    scene: &mut Scene,
    group: &Group,
    [first, second, third]: [&Member; 3],
    copy: &Place,
) -> Member {
    let left = ids(&[first, second]);
    scene
        .when("one is killed", first, async {
            third.process.kill9();
            ((), left.clone())
        })
        .await;
    scene
        .when("one stands still", first, async {
            second.process.suspend().expect("it runs");
            let unknown = turns_unknown(first, LINK, second.id()).await;
            println!("  standing still: known to be unknown after {unknown:.1} s");
            ((), ids(&[first]))
        })
        .await;
    if scene.is_long {
        // sleeps because it is to stand still for so long
        tokio::time::sleep(STANDSTILL).await;
    }
    let before = offsets(copy).await;
    scene
        .when("it goes on", first, async {
            second.process.resume().expect("it is there");
            ((), left)
        })
        .await;
    let fourth = scene
        .when("one comes", first, async {
            let fourth = group.member().await;
            let all = ids(&[first, second, &fourth]);
            (fourth, all)
        })
        .await;
    // The one that has been waited for: another one may read statuses a moment later.
    let owners = first.owners(LINK).await;
    let of_fourth = owners
        .values()
        .filter(|owner| *owner == fourth.id())
        .count();
    assert!(of_fourth * 4 >= owners.len(), "{owners:?}");
    let moved = async || match offsets(copy).await {
        now if now > before => Ok(()),
        now => Err(now),
    };
    eventually("it goes on", COPIED, moved)
        .await
        .expect("it copies");
    fourth
}

/// Clients that other people wrote ask a worker, while others are replaced.
struct Driven {
    process: ManagedProcess,
    folder: tempfile::TempDir,
}

/// A connector that they steer, so that nothing happens to the one that is measured.
const STEERED: &str = "steered";

impl Driven {
    async fn through(member: &Member, source: &KafkaCluster, destination: &KafkaCluster) -> Self {
        let libraries = installed(Libraries::Python).await;
        let config = heartbeats(source, destination);
        let body = json!({"name": STEERED, "config": config}).to_string();
        expect(
            member.settled("POST", "/connectors", Some(&body)).await,
            201,
        );
        let runs = async || {
            let path = format!("/connectors/{STEERED}/status");
            match member.client.get(&path).await {
                answer if answer.status == 200 => Ok(()),
                answer => Err(answer.body),
            }
        };
        eventually("its status", COPIED, runs)
            .await
            .expect("it runs");
        let folder = tempfile::tempdir().expect("a folder");
        let arguments = [
            file("rolling.py").display().to_string(),
            format!("http://{}", member.client.address),
            STEERED.to_owned(),
            folder.path().join("end").display().to_string(),
        ];
        let python = client_libraries::python(&libraries);
        let spec = ProcessSpec::new("clients", python).arguments(arguments);
        let process = ManagedProcess::start(spec).expect("it starts");
        Self { process, folder }
    }

    async fn ends(self) {
        std::fs::write(self.folder.path().join("end"), "").expect("written");
        let status = self.process.wait(COPIED).await.expect("it ends");
        let said = [Stream::Output, Stream::Error].map(|stream| self.process.lines().text(stream));
        println!("  clients meanwhile: {}", said.concat().trim());
        assert!(status.success(), "{said:?}");
    }
}

/// Two workers are replaced by such with another configuration, one after the other.
async fn replaced(
    scene: &mut Scene,
    group: &Group,
    (first, second): (Member, Member),
    fourth: &Member,
) -> (Member, Member) {
    let group = group.changed("tributary.buffer.memory=67108864");
    let replaces = async |leaves: Member, stays: &Member| {
        leaves.process.terminate().expect("it runs");
        let came = group.member().await;
        let ended = leaves.process.wait(COPIED).await.expect("it ends");
        assert!(ended.success(), "{}", leaves.process.lines().tail(40));
        let all = ids(&[&came, stays, fourth]);
        (came, all)
    };
    let one = replaces(first, &second);
    let one = scene.when("one is replaced", fourth, one).await;
    let other = replaces(second, &one);
    let other = scene.when("another one is replaced", fourth, other).await;
    (one, other)
}
