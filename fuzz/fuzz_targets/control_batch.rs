//! Any payload behind the header of a control batch: a type, a named error, and no panic.
#![no_main]

use kafka_wire::batch::{Attributes, BatchBuilder, ControlType, RawBatch, control_type};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let build = |payload: &[u8]| {
        let built = BatchBuilder::new(0)
            .attributes(Attributes::CONTROL)
            .raw_payload(payload.to_vec())
            .records_count(1)
            .build();
        RawBatch::parse(built).expect("the builder makes whole batches")
    };
    match control_type(&build(input)) {
        // The header claims one record.
        Ok(None) => panic!("a batch with a record announces nothing"),
        Ok(Some(ControlType::Other(number))) => assert!(!(0..=1).contains(&number)),
        Ok(Some(ControlType::Abort | ControlType::Commit)) => (),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    // Nothing may follow the record, and nothing of it may be missing.
    if control_type(&build(input)).is_ok() {
        assert!(control_type(&build(&input[..input.len() - 1])).is_err());
        assert!(control_type(&build(&[input, &[0]].concat())).is_err());
    }
});
