//! Mutated answers to requests of every API, over real sockets: each is read or is an error, and none costs memory.
//!
//! They begin from the corpus of the fuzz target `responses`, whose first byte is the number of a reader below.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_client::Connection;
use kafka_wire::message::{
    ApiKey, Request, add_offsets_to_txn, add_partitions_to_txn, api_versions, create_acls,
    create_partitions, create_topics, delete_acls, delete_groups, delete_records, delete_topics,
    describe_acls, describe_cluster, describe_configs, describe_groups, describe_log_dirs,
    describe_producers, describe_transactions, encode_request_header, end_txn, fetch,
    find_coordinator, heartbeat, incremental_alter_configs, init_producer_id, join_group,
    leave_group, list_groups, list_offsets, list_transactions, metadata, offset_commit,
    offset_delete, offset_fetch, offset_for_leader_epoch, produce, sasl_authenticate,
    sasl_handshake, sync_group, txn_offset_commit, write_txn_markers,
};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use test_support::fake_broker::{self, Reply};
use test_support::limits;

use crate::hostile::resident;
use crate::peer::{broker, connect, in_time};

const SEED: u64 = 1_000_000;
/// Answers of a run that every change passes; a million with `TRIBUTARY_TEST_ANSWERS=1000000`.
const ANSWERS: usize = 10_000;
/// Answers of one peer: it remembers what it was asked.
const OF_ONE: usize = 10_000;
const LIMIT: Duration = Duration::from_secs(10);
/// What the process may take, the peer included.
const MEMORY: usize = 256 * 1024 * 1024;

/// An API, and how its answers are read.
#[derive(Clone, Copy)]
struct Reader {
    api: ApiKey,
    versions: (i16, i16),
    reads: fn(i16, Bytes) -> bool,
}

const fn reader<R: Request>() -> Reader {
    Reader {
        api: R::API,
        versions: (R::VERSIONS.min, R::VERSIONS.max),
        reads: |version, body| R::decode(version, body).is_ok(),
    }
}

/// In the order of the fuzz target.
const READERS: [Reader; 39] = [
    reader::<api_versions::ApiVersionsRequest>(),
    reader::<create_partitions::CreatePartitionsRequest>(),
    reader::<create_topics::CreateTopicsRequest>(),
    reader::<delete_records::DeleteRecordsRequest>(),
    reader::<delete_topics::DeleteTopicsRequest>(),
    reader::<describe_cluster::DescribeClusterRequest>(),
    reader::<describe_configs::DescribeConfigsRequest>(),
    reader::<describe_producers::DescribeProducersRequest>(),
    reader::<fetch::FetchRequest>(),
    reader::<find_coordinator::FindCoordinatorRequest>(),
    reader::<incremental_alter_configs::IncrementalAlterConfigsRequest>(),
    reader::<init_producer_id::InitProducerIdRequest>(),
    reader::<sasl_authenticate::SaslAuthenticateRequest>(),
    reader::<sasl_handshake::SaslHandshakeRequest>(),
    reader::<list_offsets::ListOffsetsRequest>(),
    reader::<metadata::MetadataRequest>(),
    reader::<offset_for_leader_epoch::OffsetForLeaderEpochRequest>(),
    reader::<produce::ProduceRequest>(),
    reader::<create_acls::CreateAclsRequest>(),
    reader::<delete_acls::DeleteAclsRequest>(),
    reader::<describe_acls::DescribeAclsRequest>(),
    reader::<add_offsets_to_txn::AddOffsetsToTxnRequest>(),
    reader::<add_partitions_to_txn::AddPartitionsToTxnRequest>(),
    reader::<end_txn::EndTxnRequest>(),
    reader::<txn_offset_commit::TxnOffsetCommitRequest>(),
    reader::<offset_fetch::OffsetFetchRequest>(),
    reader::<offset_commit::OffsetCommitRequest>(),
    reader::<offset_delete::OffsetDeleteRequest>(),
    reader::<list_groups::ListGroupsRequest>(),
    reader::<describe_groups::DescribeGroupsRequest>(),
    reader::<delete_groups::DeleteGroupsRequest>(),
    reader::<join_group::JoinGroupRequest>(),
    reader::<sync_group::SyncGroupRequest>(),
    reader::<heartbeat::HeartbeatRequest>(),
    reader::<leave_group::LeaveGroupRequest>(),
    reader::<describe_log_dirs::DescribeLogDirsRequest>(),
    reader::<describe_transactions::DescribeTransactionsRequest>(),
    reader::<list_transactions::ListTransactionsRequest>(),
    reader::<write_txn_markers::WriteTxnMarkersRequest>(),
];

/// What the corpus has for each reader, without the correlation id.
fn corpus() -> Vec<Vec<Vec<u8>>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/responses");
    let mut kept = vec![vec![vec![0; 64]]; READERS.len()];
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the corpus is part of the repository")
        .map(|file| file.expect("readable").path())
        .collect();
    files.sort();
    for file in files {
        let bytes = std::fs::read(file).expect("readable");
        let [number, _, _, _, _, _, body @ ..] = bytes.as_slice() else {
            continue;
        };
        // The target has one reader more, for what is no answer.
        if let Some(bodies) = kept.get_mut(usize::from(*number) % (READERS.len() + 1)) {
            bodies.push(body.to_vec());
        }
    }
    kept
}

/// Changes, cuts or lengthens an answer.
fn mutated(random: &mut SmallRng, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    for _ in 0..random.random_range(0..8) {
        if !body.is_empty() {
            let at = random.random_range(0..body.len());
            // Lengths that lie are what hurts most.
            body[at] = [0, 0x7f, 0x80, 0xff, random.random()][random.random_range(0..5)];
        }
    }
    match random.random_range(0..4) {
        0 => body.truncate(random.random_range(0..=body.len())),
        1 => body.extend((0..random.random_range(0..40)).map(|_| random.random::<u8>())),
        _ => {}
    }
    body
}

fn reply(random: &mut SmallRng, request: &fake_broker::Request, kept: &[Vec<Vec<u8>>]) -> Reply {
    let number = READERS
        .iter()
        .position(|reader| reader.api.0 == request.api_key);
    let bodies = &kept[number.expect("only these are asked for")];
    let chosen = &bodies[random.random_range(0..bodies.len())];
    let body = mutated(random, chosen);
    match random.random_range(0..200) {
        0 => Reply::WrongId(random.random(), body),
        1 => Reply::BytesThenClose(body),
        2 => Reply::Close,
        _ => Reply::Body(body),
    }
}

/// Asks for one answer; whether it came, and whether it could be read.
async fn ask(connection: &mut Connection, reader: Reader, version: i16, id: i32) -> (bool, bool) {
    let mut frame = BytesMut::from(&[0; 4][..]);
    encode_request_header(reader.api, version, id, "mutated", &mut frame);
    let length = u32::try_from(frame.len() - 4).expect("short");
    (&mut frame[..4]).put_u32(length);
    let asked = connection.exchange_frame(reader.api, version, id, [frame.freeze()], LIMIT);
    match in_time(asked).await {
        Ok(body) => (true, (reader.reads)(version, body)),
        Err(_) => (false, false),
    }
}

#[expect(clippy::print_stdout, reason = "the figures of a run are its result")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutated_answers_of_every_api_are_read_or_are_errors_and_cost_no_memory() {
    let (count, kept) = (limits::answers(ANSWERS), Arc::new(corpus()));
    let mut random = SmallRng::seed_from_u64(SEED);
    let (mut came, mut read, mut most, mut asked) = (0_usize, 0_usize, 0, 0);
    while asked < count {
        let (kept, answers) = (Arc::clone(&kept), random.random());
        let answers = Mutex::new(SmallRng::seed_from_u64(answers));
        let peer = broker(move |request| {
            let mut random = answers.lock().expect("nobody panicked");
            reply(&mut random, request, &kept)
        })
        .await;
        let mut connection = connect(&peer).await;
        for id in 1_000..1_000 + i32::try_from(OF_ONE.min(count - asked)).expect("few") {
            // ApiVersions is answered rightly, or nothing else would be asked.
            let reader = READERS[random.random_range(1..READERS.len())];
            let version = random.random_range(reader.versions.0..=reader.versions.1);
            if !connection.is_usable() {
                connection = connect(&peer).await;
            }
            let (is_there, is_read) = ask(&mut connection, reader, version, id).await;
            came += usize::from(is_there);
            read += usize::from(is_read);
            asked += 1;
        }
        most = most.max(resident());
    }
    println!(
        "seed {SEED}: {asked} answers, {came} whole, {read} could be read, {} MiB resident at most",
        most >> 20
    );
    assert!(came > asked / 2 && read > 0, "{came}, {read}");
    assert!(most < MEMORY, "{most} bytes are resident");
}
