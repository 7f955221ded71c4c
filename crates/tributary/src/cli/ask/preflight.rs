//! `tributary preflight LINK`: whether a deployed link could run, as its worker finds it.

use serde_json::{Value, json};

use super::list::text;
use super::table::{self, Column, Kind, column};
use super::{Exit, Format, Reach};

const STEPS: [Column; 5] = [
    column("SIDE", "side", Kind::Text(11)),
    column("BROKER", "broker", Kind::Text(36)),
    column("STEP", "step", Kind::Text(11)),
    column("RESULT", "result", Kind::Text(17)),
    column("DETAIL", "detail", Kind::Text(80)),
];
const RIGHTS: [Column; 5] = [
    column("SIDE", "side", Kind::Text(11)),
    column("RESOURCE", "resource", Kind::Text(36)),
    column("OPERATION", "operation", Kind::Text(16)),
    column("RESULT", "result", Kind::Text(8)),
    column("FOR", "purpose", Kind::Text(80)),
];

/// Runs it.
pub(in crate::cli) async fn preflight(reach: &Reach, link: &str) -> Exit {
    let Some(workers) = reach.workers() else {
        return Exit::Usage;
    };
    let body = json!({"link": link});
    let document = match workers.send("POST", "/api/v1/preflight", Some(&body)).await {
        Ok(document) => document,
        Err(failure) => {
            return reach.failed(&format!("link/{link} cannot be looked at"), &failure);
        }
    };
    reach.print(&document, |look| screen(&document, look));
    match document["ready"] == true {
        true => Exit::Done,
        false => Exit::NotReady,
    }
}

fn rows<'a>(document: &'a Value, member: &str) -> &'a [Value] {
    document[member].as_array().map_or(&[], Vec::as_slice)
}

fn screen(document: &Value, look: &table::Look) -> Vec<String> {
    let steps = rows(document, "steps");
    let mut lines = table::lines(steps, &STEPS, look);
    if matches!(look.format, Format::Csv | Format::Name) {
        return lines;
    }
    // Where all is well, a matrix of hundreds of rights says nothing: what is missing or unknown does.
    let rights = rows(document, "rights").iter();
    let rights: Vec<Value> = rights
        .filter(|row| row["result"] != "ok")
        .cloned()
        .collect();
    if !rights.is_empty() {
        lines.push(String::new());
        lines.extend(table::lines(&rights, &RIGHTS, look));
    }
    let failed = steps.iter().filter(|row| row["result"] != "ok");
    let failed = failed.filter(|row| !text(&row["detail"]).is_empty());
    let failed = failed.map(|row| {
        let [side, broker, step] = ["side", "broker", "step"].map(|member| text(&row[member]));
        format!("  {side} {broker} {step}: {}", text(&row["detail"]))
    });
    let indented = |member: &str| -> Vec<String> {
        let rows = rows(document, member).iter();
        rows.map(|row| format!("  {}", text(row))).collect()
    };
    let attention: Vec<String> = failed.chain(indented("notes")).collect();
    for (title, content) in [
        ("ATTENTION", attention),
        ("TO GRANT WHAT IS MISSING", indented("commands")),
    ] {
        if !content.is_empty() {
            lines.push(title.to_owned());
            lines.extend(content);
        }
    }
    let ready = if document["ready"] == true {
        "yes"
    } else {
        "NO"
    };
    let worker = text(&document["worker_id"]);
    lines.push(format!("ready: {ready}, as seen from {worker}"));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_is_said_in_full_and_what_is_missing_with_its_command() {
        let step = |result: &str, detail: &str| json!({"side": "source", "broker": "a:1", "step": "TCP", "result": result, "detail": detail});
        let right = |result: &str| json!({"side": "source", "resource": "topic a", "operation": "Read", "result": result, "purpose": "records"});
        let document = json!({
            "ready": false, "worker_id": "w:1",
            "steps": [step("ok", "fast"), step("NETWORK", &"refused ".repeat(30))],
            "rights": [right("ok"), right("missing")], "commands": ["kafka-acls --add"], "notes": [],
        });
        let look = table::Look {
            format: Format::Table,
            headers: true,
            ascii: false,
        };
        let lines = screen(&document, &look);
        let text = lines.join("\n");
        assert!(text.contains(&"refused ".repeat(30)), "{text}");
        assert_eq!(text.matches("topic a").count(), 1, "{text}");
        assert!(text.ends_with(
            "TO GRANT WHAT IS MISSING\n  kafka-acls --add\nready: NO, as seen from w:1"
        ));
        for line in lines.iter().filter(|line| !line.starts_with("  ")) {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }
}
