//! Any text as a properties file or JSON: a configuration or named problems.
//!
//! Promises tried: no panic; a configuration that is read is resolved or refused with at least one problem; every line
//! that is told lies inside the file; the report covers what is given.
#![no_main]

use config::raw::RawConfig;
use config::report::{FileKind, kind_of, report};
use config::{resolve_link, resolve_mirrors, resolve_worker};
use libfuzzer_sys::fuzz_target;

fn look(raw: &RawConfig) {
    let worker = match resolve_worker(raw) {
        Ok((worker, _)) => Some(worker),
        Err(problems) => {
            assert!(!problems.is_empty());
            None
        }
    };
    if let Some(worker) = &worker {
        let link = resolve_link(raw, worker);
        assert!(link.is_ok() || link.is_err_and(|problems| !problems.is_empty()));
    }
    let _ = resolve_mirrors(raw, None);
    let kind = kind_of(raw);
    for kind in [kind, FileKind::Link] {
        let report = report(raw, kind, worker.as_ref(), false);
        assert!(report.rows.len() >= raw.entries().len());
    }
}

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    // Without sources variables stay as they are written.
    let raw = match RawConfig::from_properties("f", text) {
        Ok((raw, _)) => raw,
        Err(_) => return,
    };
    look(&raw);
    if let Ok(raw) = RawConfig::from_json("f", text) {
        look(&raw);
    }
});
