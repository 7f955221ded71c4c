//! Whether a link could run, as rows and as the document that the command line and the API show. Pure.

use kafka_client::ClientError;
use kafka_client::connection::{Looked, Probe, ProbeStep};
use replication::metadata_sync::acl::Side;
use replication::preflight::{Preflight, Right, SideReport, Verdict};
use serde_json::{Value, json};

/// A step of a connection, as it is shown.
pub(crate) struct Row {
    pub(crate) side: Side,
    pub(crate) broker: String,
    pub(crate) step: &'static str,
    pub(crate) result: String,
    pub(crate) detail: String,
}

impl Row {
    pub(crate) fn is_ok(&self) -> bool {
        self.result == "ok"
    }
}

fn step_name(step: ProbeStep) -> &'static str {
    match step {
        ProbeStep::Credentials => "CREDENTIALS",
        ProbeStep::Resolve => "DNS",
        ProbeStep::Connect => "TCP",
        ProbeStep::Tls => "TLS",
        ProbeStep::Versions => "API",
        ProbeStep::Login => "SASL",
    }
}

/// The kind of a failure. What a broker advertises and nobody here can reach is the listener's fault.
fn class(step: ProbeStep, error: &ClientError, advertised: bool) -> &'static str {
    match (step, error) {
        (ProbeStep::Resolve | ProbeStep::Connect, _) if advertised => "LISTENER",
        (ProbeStep::Resolve, _) => "DNS",
        (ProbeStep::Connect, _) => "NETWORK",
        (_, ClientError::Tls { .. }) | (ProbeStep::Tls, _) => "TLS",
        (_, ClientError::Authentication { .. } | ClientError::Credentials { .. }) => "AUTH",
        (ProbeStep::Credentials | ProbeStep::Login, _) => "AUTH",
        (ProbeStep::Versions, _) => "PROTOCOL",
    }
}

/// What can be done, where the error does not say it itself.
fn remedy(step: ProbeStep, advertised: bool) -> &'static str {
    match (step, advertised) {
        (ProbeStep::Resolve | ProbeStep::Connect, true) => {
            "; brokers name this address to clients (advertised.listeners), and it has to be reachable from here"
        }
        (ProbeStep::Resolve, false) => "; check the name, and this machine's resolver",
        (ProbeStep::Connect, false) => {
            "; check the address, that a broker listens there, and firewalls between"
        }
        _ => "",
    }
}

fn rows_of(side: Side, broker: &str, probe: &Probe, advertised: bool, rows: &mut Vec<Row>) {
    let mut failed = None;
    for Looked {
        step,
        took,
        outcome,
    } in &probe.steps
    {
        let (result, detail) = match outcome {
            Ok(shown) => ("ok".to_owned(), format!("{shown} ({took:.1?})")),
            Err(error) => {
                failed = Some(step_name(*step));
                let remedy = remedy(*step, advertised);
                (
                    class(*step, error, advertised).to_owned(),
                    format!("{error}{remedy}"),
                )
            }
        };
        rows.push(Row {
            side,
            broker: broker.to_owned(),
            step: step_name(*step),
            result,
            detail,
        });
    }
    let Some(failed) = failed else { return };
    for step in probe.whole.iter().skip(probe.steps.len()) {
        rows.push(Row {
            side,
            broker: broker.to_owned(),
            step: step_name(*step),
            result: format!("skipped ({failed})"),
            detail: String::new(),
        });
    }
}

/// Every step of every connection, in the order it was taken.
pub(crate) fn rows(found: &Preflight) -> Vec<Row> {
    let mut rows = Vec::new();
    for report in &found.sides {
        for probe in &report.bootstrap {
            let broker = format!("{} (bootstrap)", probe.peer);
            rows_of(report.side, &broker, probe, false, &mut rows);
        }
        for (node, probe) in &report.advertised {
            let broker = format!("{} (broker {node})", probe.peer);
            rows_of(report.side, &broker, probe, true, &mut rows);
        }
        if let Some(trouble) = &report.unasked {
            rows.push(Row {
                side: report.side,
                broker: "-".to_owned(),
                step: "METADATA",
                result: "PROTOCOL".to_owned(),
                detail: trouble.clone(),
            });
        }
    }
    rows
}

/// A verdict on a right, in one word.
pub(crate) fn verdict(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Granted => "ok",
        Verdict::Missing => "missing",
        Verdict::Unknown(_) => "unknown",
    }
}

/// Everything that was found, as one document.
pub(crate) fn document(found: &Preflight, link: &str) -> Value {
    let steps: Vec<Value> = rows(found)
        .into_iter()
        .map(|row| {
            json!({
                "side": row.side.to_string(),
                "broker": row.broker,
                "step": row.step,
                "result": row.result,
                "detail": row.detail,
            })
        })
        .collect();
    let rights = found.sides.iter().flat_map(|report| &report.rights);
    let right = |right: &Right| {
        json!({
            "side": right.need.side.to_string(),
            "resource": right.need.resource.to_string(),
            "operation": right.need.operation.to_string(),
            "result": verdict(&right.verdict),
            "purpose": right.need.purpose,
        })
    };
    let all = |of: fn(&SideReport) -> &Vec<String>| -> Vec<&String> {
        found.sides.iter().flat_map(of).collect()
    };
    json!({
        "schema": "tributary/v1/Preflight",
        "link": link,
        "ready": found.is_ready(),
        "steps": steps,
        "rights": rights.map(right).collect::<Vec<_>>(),
        "commands": all(|report| &report.commands),
        "notes": all(|report| &report.notes),
    })
}
