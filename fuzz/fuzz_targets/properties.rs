//! Any text as a properties file or JSON: a configuration or named problems. The first byte says whether it is resolved.
//!
//! Promises tried: no panic; a configuration that is read is resolved or refused with at least one problem; no more keys than
//! lines; the report covers what is given.
#![no_main]

use config::raw::RawConfig;
use config::report::{kind_of, report};
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
    if raw.get("clusters").is_some() {
        let _ = resolve_mirrors(raw, None);
    }
    let report = report(raw, kind_of(raw), worker.as_ref(), false);
    assert!(report.rows.len() >= raw.entries().len());
}

fuzz_target!(|input: &[u8]| {
    let Some((&choice, text)) = input.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    // Most inputs try the grammar alone, which takes a thousandth of what resolving does.
    let resolves = choice & 7 == 0;
    // Without sources variables stay as they are written.
    if let Ok((raw, _)) = RawConfig::from_properties("f", text) {
        assert!(raw.entries().len() <= text.lines().count().max(1) + text.matches('\r').count());
        if resolves {
            look(&raw);
        }
    }
    if let Ok(raw) = RawConfig::from_json("f", text)
        && resolves
    {
        look(&raw);
    }
});
