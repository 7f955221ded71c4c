//! `tributary explain`: what an error means and what can be done; for a text no worker is needed.

use std::io::Read as _;

use clap::Args;
use serde_json::{Value, json};

use super::list::text;
use super::{Exit, Format, Reach, list_of};
use crate::asking::encode;
use crate::output;

/// Longest text that is read, in bytes.
const LONGEST: u64 = 1024 * 1024;

/// What an error means and what can be done.
///
/// Takes an error of Kafka, of its clients or of Tributary, a log line or a trace. Ends with code 3 where nothing is known
/// of it.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLES\n  \
    tributary explain 'TopicAuthorizationException: Not authorized to access topics: [orders]'\n  \
    journalctl -u connect | tail -50 | tributary explain -\n  tributary explain --link orders-dr")]
pub(in crate::cli) struct ExplainArgs {
    /// A text, the name of a rule or of a link, or - for stdin
    #[arg(required_unless_present_any = ["list", "link"])]
    text: Vec<String>,

    /// Everything that is wrong with this link
    #[arg(long, value_name = "LINK", conflicts_with = "text")]
    link: Option<String>,

    /// All rules
    #[arg(long, conflicts_with_all = ["text", "link"])]
    list: bool,

    #[command(flatten)]
    reach: Reach,
}

/// Runs the command.
pub(in crate::cli) async fn explain(args: ExplainArgs) -> Exit {
    if args.list {
        let rules: Vec<Value> = explain::RULES
            .iter()
            .map(|rule| value(&rule.plain()))
            .collect();
        show(&args.reach, rules);
        return Exit::Done;
    }
    if let Some(link) = &args.link {
        return of_link(&args.reach, link).await;
    }
    let given = args.text.join(" ");
    let given = if given == "-" {
        let mut read = String::new();
        if let Err(error) = std::io::stdin().take(LONGEST).read_to_string(&mut read) {
            output::error(&format!("stdin cannot be read: {error}"));
            return Exit::Error;
        }
        read
    } else {
        given
    };
    if let Some(rule) = explain::rule(&given) {
        show(&args.reach, vec![value(&rule.plain())]);
        return Exit::Done;
    }
    let found: Vec<Value> = explain::explain(&given).iter().map(value).collect();
    if !found.is_empty() {
        show(&args.reach, found);
        return Exit::Done;
    }
    // One word may be the name of a link.
    if args.text.len() == 1 && !given.contains(char::is_whitespace) {
        return of_link(&args.reach, &given).await;
    }
    output::notice("nothing is known of this text; tributary explain --list prints what is");
    Exit::NotReady
}

fn value(explanation: &explain::Explanation) -> Value {
    serde_json::to_value(explanation).expect("an explanation has only texts for keys")
}

async fn of_link(reach: &Reach, link: &str) -> Exit {
    let Some(workers) = reach.workers() else {
        return Exit::Usage;
    };
    let document = match workers
        .get(&format!("/api/v1/links/{}", encode(link)))
        .await
    {
        Ok(document) => document,
        Err(failure) => {
            reach.failed(
                "it is neither an error that is known nor a link that can be asked for",
                &failure,
            );
            return Exit::NotReady;
        }
    };
    let rows = document["attention"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    reach.print(
        &json!({"schema": "tributary/v1/AttentionList", "link": link, "items": rows}),
        |_| {
            let health = format!(
                "{link} is {}: {}",
                text(&document["health"]),
                text(&document["health_reason"])
            );
            let mut lines = vec![health];
            for row in &rows {
                lines.push(String::new());
                lines.push(format!(
                    "{}: {}",
                    text(&row["severity"]),
                    text(&row["summary"])
                ));
                if row["explanation"].is_object() {
                    lines.extend(told(&row["explanation"]));
                }
            }
            lines
        },
    );
    Exit::Done
}

fn show(reach: &Reach, explanations: Vec<Value>) {
    let document = list_of("ExplanationList", &explanations);
    reach.print(&document, |look| match look.format {
        Format::Name => explanations
            .iter()
            .map(|one| text(&one["id"]).to_owned())
            .collect(),
        _ => {
            let mut lines = Vec::new();
            for (number, one) in explanations.iter().enumerate() {
                if number > 0 {
                    lines.push(String::new());
                }
                lines.push(format!("{} ({})", text(&one["title"]), text(&one["id"])));
                lines.extend(told(one));
            }
            lines
        }
    });
}

fn told(one: &Value) -> Vec<String> {
    let mut lines = vec![format!("  cause:    {}", text(&one["cause"]))];
    if one["side"] != "unknown" {
        lines.push(format!("  side:     {}", text(&one["side"])));
    }
    let retries = match text(&one["retries"]) {
        "automatic" => "it is tried again by itself",
        _ => "somebody has to act",
    };
    lines.push(format!("  retries:  {retries}"));
    for (heading, key) in [("fix:    ", "fix"), ("command:", "commands")] {
        let texts = one[key].as_array().into_iter().flatten();
        lines.extend(texts.map(|fix| format!("  {heading}  {}", text(fix))));
    }
    lines
}
