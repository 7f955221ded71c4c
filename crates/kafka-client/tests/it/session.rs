//! A fetch session against a broker that forgets it.

use std::time::Duration;

use kafka_client::Connection;
use kafka_client::fetch_session::{FetchSession, Wanted};
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::IsolationLevel;
use kafka_wire::message::fetch::{FetchRequest, FetchResponse};
use kafka_wire::types::{TopicId, TopicPartition};
use test_support::fake_broker::Reply;

use crate::peer::{broker, connect, in_time};

/// Fetch 11 without data.
fn answer(error: i16, session_id: i32) -> Reply {
    let mut body = vec![0; 4];
    body.extend(error.to_be_bytes());
    body.extend(session_id.to_be_bytes());
    body.extend(0_i32.to_be_bytes());
    Reply::Body(body)
}

async fn fetch(connection: &mut Connection, session: &mut FetchSession) -> FetchResponse {
    let part = session.build();
    let request = FetchRequest {
        max_wait_ms: 1,
        min_bytes: 1,
        max_bytes: 1000,
        isolation_level: IsolationLevel::ReadCommitted,
        session_id: part.session_id,
        session_epoch: part.session_epoch,
        rack_id: String::new(),
        topics: part.topics,
        forgotten: Vec::new(),
    };
    in_time(connection.call(&request, Duration::from_secs(5)))
        .await
        .expect("an answer")
}

#[tokio::test]
async fn a_session_that_the_broker_lost_is_opened_anew_with_everything() {
    // The body of Fetch 11 begins with replica 4, wait 4, min 4, max 4, isolation 1: session id and
    // epoch are at 17 and 21 of what follows the client id.
    let peer = broker(|request| {
        let client_id = usize::from(u16::from_be_bytes([request.rest[0], request.rest[1]]));
        let body = &request.rest[2 + client_id..];
        let number = |at: usize| {
            i32::from_be_bytes(*body[at..].first_chunk().expect("the layout of Fetch 11"))
        };
        match (number(17), number(21), number(25)) {
            (0, 0, topics) => answer(0, 40 + topics),
            (41, 1, 0) => answer(0, 41),
            // One topic in a session that is known no more.
            (41, 2, 1) => answer(70, 0),
            other => answer(71, i32::from(other.0 == 41)),
        }
    })
    .await;
    let mut connection = connect(&peer).await;
    let mut session = FetchSession::default();
    let wanted = |offset| Wanted {
        topic_id: TopicId::ZERO,
        offset,
        leader_epoch: -1,
        max_bytes: 1000,
    };
    let partition = TopicPartition::new("t".into(), 0);
    session.set(&partition, wanted(5));
    let mut codes = Vec::new();
    for offset in [5, 5, 6] {
        session.set(&partition, wanted(offset));
        let found = fetch(&mut connection, &mut session).await;
        codes.push(session.accept(found.error, found.session_id));
    }
    let lost = Err(ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
    assert_eq!(codes, [Ok(()), Ok(()), lost]);
    let again = fetch(&mut connection, &mut session).await;
    assert_eq!((again.error, again.session_id), (ErrorCode::NONE, 41));
    assert!(connection.is_usable(), "an error code is an answer");
}
