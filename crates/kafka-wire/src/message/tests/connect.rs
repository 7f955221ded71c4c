//! What Connect workers say to each other, against what Java's workers write and read.
//!
//! The vectors are what `ConnectProtocol` and `IncrementalCooperativeConnectProtocol` of
//! `org.apache.kafka:connect-runtime:4.3.1` wrote for the values below, printed by a small program;
//! those of 3.9.1 wrote the same bytes, and what both read, tolerated and refused is what is tested
//! for here.

use bytes::Bytes;
use proptest::prelude::*;

use crate::message::connect_protocol::{
    Assignment, AssignmentError, ConnectDecodeError, ConnectEncodeError, ConnectProtocol,
    ConnectorWork, WorkerState,
};
use crate::message::{DecodeProblem, EncodeProblem};

use ConnectProtocol::{Compatible, Eager, Sessioned};

const STATE_0: &str = "00000015687474703a2f2f776f726b65722d313a383038332f000000000000002a";
const STATE_1_IDLE: &str =
    "00010015687474703a2f2f776f726b65722d313a383038332f000000000000002affffffff";
const STATE_1: &str = concat!(
    "00010015687474703a2f2f776f726b65722d313a383038332f000000000000002a0000005200010000000d77",
    "6f726b65722d312d757569640015687474703a2f2f776f726b65722d313a383038332f000000000000002900",
    "00000100066f726465727300000002ffffffff000000000000000000000000",
);
const STATE_2_IDLE: &str =
    "00020015687474703a2f2f776f726b65722d313a383038332f000000000000002affffffff";
const STATE_2: &str = concat!(
    "00020015687474703a2f2f776f726b65722d313a383038332f000000000000002a0000005200020000000d77",
    "6f726b65722d312d757569640015687474703a2f2f776f726b65722d313a383038332f000000000000002900",
    "00000100066f726465727300000002ffffffff000000000000000000000000",
);
const WORK_0: &str = concat!(
    "00000000000d776f726b65722d312d757569640015687474703a2f2f776f726b65722d313a383038332f0000",
    "00000000002a00000003000762c3bc6368657200000001ffffffff00066f726465727300000003ffffffff00",
    "00000000000001000469646c650000000100000002",
);
const MISMATCH_0: &str = concat!(
    "00000001000d776f726b65722d312d757569640015687474703a2f2f776f726b65722d313a383038332f0000",
    "00000000002a00000000",
);
const WORK_1: &str = concat!(
    "00010000000d776f726b65722d312d757569640015687474703a2f2f776f726b65722d313a383038332f0000",
    "00000000002a00000003000762c3bc6368657200000001ffffffff00066f726465727300000003ffffffff00",
    "00000000000001000469646c650000000100000002000000020004676f6e6500000002ffffffff0000000000",
    "056d6f7665640000000100000003000493e0",
);
const MISMATCH_1: &str = concat!(
    "00010001000d776f726b65722d312d757569640015687474703a2f2f776f726b65722d313a383038332f0000",
    "00000000002a000000000000000000000000",
);
const WORK_2: &str = concat!(
    "00020000000d776f726b65722d312d757569640015687474703a2f2f776f726b65722d313a383038332f0000",
    "00000000002a00000003000762c3bc6368657200000001ffffffff00066f726465727300000003ffffffff00",
    "00000000000001000469646c650000000100000002000000020004676f6e6500000002ffffffff0000000000",
    "056d6f7665640000000100000003000493e0",
);
const MISMATCH_2: &str = concat!(
    "00020001000d776f726b65722d312d757569640015687474703a2f2f776f726b65722d313a383038332f0000",
    "00000000002a000000000000000000000000",
);

fn unhex(text: &str) -> Bytes {
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal");
    (0..text.len()).step_by(2).map(byte).collect()
}

fn work(name: &str, connector: bool, tasks: &[i32]) -> ConnectorWork {
    ConnectorWork {
        name: name.to_owned(),
        connector,
        tasks: tasks.to_vec(),
    }
}

fn nothing() -> Assignment {
    Assignment {
        error: AssignmentError::None,
        leader: "worker-1-uuid".to_owned(),
        leader_url: "http://worker-1:8083/".to_owned(),
        config_offset: 42,
        assigned: vec![],
        revoked: vec![],
        delay_ms: 0,
    }
}

fn everything() -> Assignment {
    Assignment {
        assigned: vec![
            work("bücher", true, &[]),
            work("orders", true, &[0, 1]),
            work("idle", false, &[2]),
        ],
        ..nothing()
    }
}

fn change() -> Assignment {
    Assignment {
        revoked: vec![work("gone", true, &[0]), work("moved", false, &[3])],
        delay_ms: 300_000,
        ..everything()
    }
}

fn mismatch() -> Assignment {
    Assignment {
        error: AssignmentError::ConfigMismatch,
        ..nothing()
    }
}

fn state(holds_work: bool) -> WorkerState {
    let held = Assignment {
        config_offset: 41,
        assigned: vec![work("orders", true, &[0])],
        ..nothing()
    };
    WorkerState {
        url: "http://worker-1:8083/".to_owned(),
        config_offset: 42,
        allocation: holds_work.then_some(held),
    }
}

#[test]
fn a_worker_joins_with_the_bytes_of_a_java_worker() {
    for (protocol, holds_work, vector) in [
        (Eager, false, STATE_0),
        (Compatible, false, STATE_1_IDLE),
        (Compatible, true, STATE_1),
        (Sessioned, false, STATE_2_IDLE),
        (Sessioned, true, STATE_2),
    ] {
        let (vector, state) = (unhex(vector), state(holds_work));
        assert_eq!(state.encode(protocol).as_ref(), Ok(&vector));
        assert_eq!(WorkerState::decode(vector), Ok((protocol, state)));
    }
    // Version 0 does not say what a worker holds: it will have given everything back.
    assert_eq!(state(true).encode(Eager), Ok(unhex(STATE_0)));
}

#[test]
fn a_leader_assigns_with_the_bytes_of_a_java_worker() {
    for (protocol, assignment, vector) in [
        (Eager, everything(), WORK_0),
        (Eager, mismatch(), MISMATCH_0),
        (Compatible, change(), WORK_1),
        (Compatible, mismatch(), MISMATCH_1),
        (Sessioned, change(), WORK_2),
        (Sessioned, mismatch(), MISMATCH_2),
    ] {
        let vector = unhex(vector);
        assert_eq!(assignment.encode(protocol).as_ref(), Ok(&vector));
        assert_eq!(Assignment::decode(vector), Ok((protocol, assignment)));
    }
}

#[test]
fn the_names_are_those_of_java_workers_in_their_order() {
    let names = ConnectProtocol::BY_PREFERENCE.map(ConnectProtocol::name);
    assert_eq!(names, ["sessioned", "compatible", "default"]);
    for protocol in ConnectProtocol::BY_PREFERENCE {
        assert_eq!(ConnectProtocol::from_name(protocol.name()), Some(protocol));
    }
    assert_eq!(ConnectProtocol::from_name("eager"), None);
}

/// url `a`, config offset 42
const STATE: &str = "000161000000000000002a";

#[test]
fn a_workers_state_is_read_as_tolerantly_as_by_java() {
    let check = |bytes: String, protocol| {
        let idle = WorkerState {
            url: "a".to_owned(),
            config_offset: 42,
            allocation: None,
        };
        assert_eq!(
            WorkerState::decode(unhex(&bytes)),
            Ok((protocol, idle)),
            "{bytes}"
        );
    };
    check(format!("0000{STATE}"), Eager);
    check(format!("0000{STATE}99"), Eager);
    check(format!("0001{STATE}"), Compatible);
    check(format!("0001{STATE}ffffffff"), Compatible);
    check(format!("0001{STATE}ffffffff99"), Compatible);
    check(format!("0003{STATE}ffffffff"), Sessioned);

    let check = |bytes: String, what, problem| {
        let error = WorkerState::decode(unhex(&bytes));
        assert_eq!(error, Err(ConnectDecodeError { what, problem }), "{bytes}");
    };
    let end = |needed, left| DecodeProblem::EndOfBytes { needed, left };
    check(String::new(), "version", end(2, 0));
    check(
        format!("ffff{STATE}ffffffff"),
        "version",
        DecodeProblem::OutOfRange { value: -1 },
    );
    check(
        "0001ffff000000000000002a".to_owned(),
        "url",
        DecodeProblem::Null,
    );
    check(format!("0001{STATE}0000"), "allocation", end(4, 2));
    check(format!("0001{STATE}00000000"), "version", end(2, 0));
}

/// no error, leader `a` at `b`, config offset 42
const HEAD: &str = "0000000161000162000000000000002a";

#[test]
fn an_assignment_is_read_as_tolerantly_as_by_java() {
    let check = |bytes: String, protocol, assigned: &[ConnectorWork], delay_ms| {
        let expected = Assignment {
            leader: "a".to_owned(),
            leader_url: "b".to_owned(),
            assigned: assigned.to_vec(),
            delay_ms,
            ..nothing()
        };
        assert_eq!(
            Assignment::decode(unhex(&bytes)),
            Ok((protocol, expected)),
            "{bytes}"
        );
    };
    check(format!("0000{HEAD}00000000"), Eager, &[], 0);
    check(format!("0000{HEAD}0000000099"), Eager, &[], 0);
    check(format!("0001{HEAD}"), Compatible, &[], 0);
    check(format!("0001{HEAD}ffffffff"), Compatible, &[], 0);
    check(format!("0001{HEAD}ffffffffffffffff"), Compatible, &[], 0);
    check(
        format!("0001{HEAD}00000000000000000000000799"),
        Compatible,
        &[],
        7,
    );
    check(
        format!("0009{HEAD}000000000000000000000007"),
        Sessioned,
        &[],
        7,
    );
    check(
        format!("0001{HEAD}0000000200016300000001ffffffff0001630000000100000000ffffffff00000000"),
        Compatible,
        &[work("c", true, &[]), work("c", false, &[0])],
        0,
    );

    let check = |bytes: String, what, problem| {
        let error = Assignment::decode(unhex(&bytes));
        assert_eq!(error, Err(ConnectDecodeError { what, problem }), "{bytes}");
    };
    let end = |needed, left| DecodeProblem::EndOfBytes { needed, left };
    check(format!("0000{HEAD}"), "assigned work", end(4, 0));
    check(
        format!("0000{HEAD}ffffffff"),
        "assigned work",
        DecodeProblem::Null,
    );
    check(
        format!("0001{HEAD}ffffffffffffffff0000"),
        "delay",
        end(4, 2),
    );
    check(
        format!("0001{HEAD}00000001000163ffffffffffffffff00000000"),
        "tasks",
        DecodeProblem::Null,
    );
    check(
        format!("0001{HEAD}7fffffff"),
        "assigned work",
        DecodeProblem::Length {
            length: 0x7fff_ffff,
            left: 0,
        },
    );
    let error = Assignment::decode(Bytes::from_static(&[0xff, 0xfe])).expect_err("refused");
    assert_eq!(
        error.to_string(),
        "what another Connect worker of the group sent cannot be read at version: -2 is out of range"
    );
}

#[test]
fn what_a_protocol_cannot_say_is_refused() {
    assert_eq!(
        change().encode(Eager),
        Err(ConnectEncodeError::NotIncremental)
    );
    let long = WorkerState {
        url: "x".repeat(32_768),
        ..state(false)
    };
    let problem = EncodeProblem::TooLong { length: 32_768 };
    let error = ConnectEncodeError::Field {
        what: "url",
        problem,
    };
    assert_eq!(long.encode(Sessioned), Err(error));
}

fn any_work() -> impl Strategy<Value = Vec<ConnectorWork>> {
    let one = (
        "[a-zü-]{0,9}",
        any::<bool>(),
        prop::collection::vec(0.., 0..4),
    );
    prop::collection::vec(one, 0..4).prop_map(|all| {
        all.into_iter()
            .map(|(name, connector, tasks)| work(&name, connector, &tasks))
            .collect()
    })
}

proptest! {
    #[test]
    fn whatever_is_assigned_reads_back(
        assigned in any_work(),
        revoked in any_work(),
        (config_offset, delay_ms, code) in any::<(i64, i32, i16)>(),
    ) {
        let error = match code {
            0 => AssignmentError::None,
            1 => AssignmentError::ConfigMismatch,
            code => AssignmentError::Other(code),
        };
        let assignment = Assignment { error, config_offset, assigned, revoked, delay_ms, ..nothing() };
        for protocol in [Compatible, Sessioned] {
            let bytes = assignment.encode(protocol).expect("short");
            prop_assert_eq!(Assignment::decode(bytes), Ok((protocol, assignment.clone())));
            let joining = WorkerState { allocation: Some(assignment.clone()), ..state(false) };
            let bytes = joining.encode(protocol).expect("short");
            prop_assert_eq!(WorkerState::decode(bytes), Ok((protocol, joining)));
        }
    }

    #[test]
    fn no_bytes_of_another_worker_make_a_decoder_panic(
        bytes in prop::collection::vec(prop_oneof![4 => 0_u8..3, 1 => any::<u8>()], 0..200),
    ) {
        let bytes = Bytes::from(bytes);
        let _ = WorkerState::decode(bytes.clone());
        let _ = Assignment::decode(bytes);
    }
}

#[test]
fn cut_off_or_with_huge_numbers_the_bytes_of_a_worker_do_no_harm() {
    for vector in [STATE_2, WORK_1] {
        let whole = unhex(vector);
        for length in 0..whole.len() {
            let _ = WorkerState::decode(whole.slice(..length));
            let _ = Assignment::decode(whole.slice(..length));
        }
        for at in 0..whole.len().saturating_sub(3) {
            for huge in [[0x7f, 0xff, 0xff, 0xff], [0x80, 0, 0, 0]] {
                let mut bytes = whole.to_vec();
                bytes[at..at + 4].copy_from_slice(&huge);
                let _ = WorkerState::decode(Bytes::from(bytes.clone()));
                let _ = Assignment::decode(Bytes::from(bytes));
            }
        }
    }
}
