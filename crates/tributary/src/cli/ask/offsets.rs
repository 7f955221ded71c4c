//! `tributary offsets`: stored positions of a link, by Connect's API (KIP-875).
//!
//! The worker refuses to change positions of a link that runs, since that would store its own right after. `--stop` stops it
//! first and lets it go on behind.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{Exit, Format, Reach};
use crate::asking::{Failure, Workers, encode};
use crate::output;

/// How long a link may take to stop.
const STOPS: Duration = Duration::from_secs(60);

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum OffsetsVerb {
    /// Show the stored positions of a link
    Get(GetArgs),
    /// Store positions of a file: Connect's JSON, or lines topic,partition,offset
    #[command(alias = "import")]
    Set(SetArgs),
    /// Forget positions: these partitions begin as if they were new
    Reset(ResetArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "EXAMPLE\n  tributary offsets get orders-dr -o csv")]
pub(in crate::cli) struct GetArgs {
    /// The link
    link: String,

    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, Args)]
#[command(
    after_help = "EXAMPLE\n  tributary offsets get orders-dr -o csv >positions.csv\n  \
    tributary offsets set orders-dr -f positions.csv --stop"
)]
pub(in crate::cli) struct SetArgs {
    #[command(flatten)]
    change: ChangeArgs,

    /// The positions; what it does not name stays
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    file: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "EXAMPLE\n  tributary offsets reset orders-dr --topic orders/3 --stop")]
pub(in crate::cli) struct ResetArgs {
    #[command(flatten)]
    change: ChangeArgs,

    /// Only of these topics, or partitions; of all where none is named
    #[arg(long = "topic", value_name = "T[/P]")]
    topics: Vec<String>,
}

/// What is common to all changes.
#[derive(Debug, Args)]
pub(in crate::cli) struct ChangeArgs {
    /// The link
    link: String,

    /// Stop the link for it, and let it go on afterwards if it ran
    #[arg(long)]
    stop: bool,

    /// Only show what would change
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    reach: Reach,
}

/// Runs the command.
pub(in crate::cli) async fn offsets(verb: OffsetsVerb) -> Exit {
    match verb {
        OffsetsVerb::Get(args) => get(args).await,
        OffsetsVerb::Set(args) => {
            let text = match std::fs::read_to_string(&args.file) {
                Ok(text) => text,
                Err(error) => {
                    output::error(&format!("{} cannot be read: {error}", args.file.display()));
                    return Exit::Usage;
                }
            };
            change(&args.change, |stored| wanted(&text, stored)).await
        }
        OffsetsVerb::Reset(args) => {
            change(&args.change, |stored| forgotten(&args.topics, stored)).await
        }
    }
}

async fn get(args: GetArgs) -> Exit {
    let Some(workers) = args.reach.workers() else {
        return Exit::Usage;
    };
    let path = format!("/connectors/{}/offsets", encode(&args.link));
    match workers.get(&path).await {
        Ok(mut stored) => {
            stored["schema"] = json!("tributary/v1/OffsetList");
            args.reach.print(&stored, |look| {
                let mark = if look.format == Format::Csv {
                    ","
                } else {
                    "  "
                };
                let rows = entries(&stored).iter();
                let row = |entry: &Value| [topic(entry), number(entry), offset(entry)].join(mark);
                rows.map(row).collect()
            });
            Exit::Done
        }
        Err(failure) => args.reach.failed("positions are not known", &failure),
    }
}

/// Makes `plan` of what is stored, shows it, and has it stored.
async fn change(
    args: &ChangeArgs,
    plan: impl FnOnce(&Value) -> Result<Vec<Value>, String>,
) -> Exit {
    let Some(workers) = args.reach.workers() else {
        return Exit::Usage;
    };
    match changed(args, &workers, plan).await {
        Ok(exit) => exit,
        Err(failure) => args.reach.failed("positions are not changed", &failure),
    }
}

async fn changed(
    args: &ChangeArgs,
    workers: &Workers,
    plan: impl FnOnce(&Value) -> Result<Vec<Value>, String>,
) -> Result<Exit, Failure> {
    let base = format!("/connectors/{}", encode(&args.link));
    let path = format!("{base}/offsets");
    let ran = stopped(args, workers, &base).await?;
    let stored = workers.get(&path).await?;
    let planned = match plan(&stored) {
        Ok(planned) => planned,
        Err(problem) => {
            output::error(&problem);
            go_on(ran, workers, &base).await?;
            return Ok(Exit::Usage);
        }
    };
    for entry in &planned {
        let before = same(&stored, entry).map_or_else(|| "none".to_owned(), offset);
        let name = format!("{}/{}", topic(entry), number(entry));
        output::notice(&format!("{name}: {before} → {}", offset(entry)));
    }
    let outcome = match args.dry_run || planned.is_empty() {
        true => Ok(Value::Null),
        false => {
            let body = json!({"offsets": planned});
            workers.send("PATCH", &path, Some(&body)).await
        }
    };
    go_on(ran, workers, &base).await?;
    outcome?;
    let action = if planned.is_empty() {
        "unchanged"
    } else {
        "changed"
    };
    args.reach
        .done(&format!("offsets/{}", args.link), action, args.dry_run);
    Ok(Exit::Done)
}

/// Stops the link where that is wanted; whether it ran before.
async fn stopped(args: &ChangeArgs, workers: &Workers, base: &str) -> Result<bool, Failure> {
    if !args.stop || args.dry_run {
        return Ok(false);
    }
    stop(workers, base).await
}

/// Stops a link and waits for it. Whether it ran.
pub(super) async fn stop(workers: &Workers, base: &str) -> Result<bool, Failure> {
    let status = format!("{base}/status");
    let state = async || {
        let now = workers.get(&status).await?;
        Ok::<_, Failure>(now["connector"]["state"].as_str().unwrap_or("").to_owned())
    };
    let before = state().await?;
    if before == "STOPPED" {
        return Ok(false);
    }
    let ran = before != "PAUSED";
    workers.send("PUT", &format!("{base}/stop"), None).await?;
    let began = Instant::now();
    while state().await? != "STOPPED" {
        if began.elapsed() > STOPS {
            return Err(Failure::of(
                None,
                format!("the link did not stop within {STOPS:?}"),
            ));
        }
        // sleeps because the worker is asked again and again
        sleep(Duration::from_millis(200)).await;
    }
    Ok(ran)
}

async fn go_on(ran: bool, workers: &Workers, base: &str) -> Result<(), Failure> {
    if ran {
        workers.send("PUT", &format!("{base}/resume"), None).await?;
    }
    Ok(())
}

fn entries(stored: &Value) -> &[Value] {
    stored["offsets"].as_array().map_or(&[], Vec::as_slice)
}

fn topic(entry: &Value) -> String {
    let topic = entry["partition"]["topic"].as_str();
    topic.unwrap_or_default().to_owned()
}

fn number(entry: &Value) -> String {
    entry["partition"]["partition"].to_string()
}

fn offset(entry: &Value) -> String {
    match &entry["offset"]["offset"] {
        Value::Null => "none".to_owned(),
        offset => offset.to_string(),
    }
}

/// What is stored of the same partition.
fn same<'a>(stored: &'a Value, entry: &Value) -> Option<&'a Value> {
    let is_same = |other: &&Value| topic(other) == topic(entry) && number(other) == number(entry);
    entries(stored).iter().find(is_same)
}

/// The positions of a file. Lines take the words of a partition from what is stored: each product has its own.
fn wanted(text: &str, stored: &Value) -> Result<Vec<Value>, String> {
    if text.trim_start().starts_with('{') {
        let given: Value =
            serde_json::from_str(text).map_err(|error| format!("the file is no JSON: {error}"))?;
        return match given["offsets"].as_array() {
            Some(entries) => Ok(entries.clone()),
            None => Err("the file has no \"offsets\"".to_owned()),
        };
    }
    let mut planned = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') || text == "topic,partition,offset" {
            continue;
        }
        let fields: Vec<&str> = text.split(',').map(str::trim).collect();
        let [topic, partition, offset] = fields[..] else {
            return Err(format!(
                "line {line}: topic,partition,offset is expected: {text}"
            ));
        };
        let numbers = partition
            .parse::<u32>()
            .ok()
            .zip(offset.parse::<u64>().ok());
        let Some((partition, offset)) = numbers else {
            return Err(format!(
                "line {line}: partition and offset are numbers: {text}"
            ));
        };
        let named = json!({"partition": {"topic": topic, "partition": partition}});
        let known = same(stored, &named).ok_or_else(|| format!(
            "line {line}: no position of {topic}/{partition} is stored; give Connect's JSON to store a first one"
        ))?;
        planned.push(json!({"partition": known["partition"], "offset": {"offset": offset}}));
    }
    Ok(planned)
}

/// The positions of these topics or partitions, without offsets.
fn forgotten(topics: &[String], stored: &Value) -> Result<Vec<Value>, String> {
    let matches = |entry: &Value, wanted: &str| {
        let topic = topic(entry);
        wanted == topic || wanted == format!("{topic}/{}", number(entry))
    };
    let all = entries(stored);
    if let Some(unknown) = topics
        .iter()
        .find(|wanted| !all.iter().any(|entry| matches(entry, wanted)))
    {
        return Err(format!("no position of {unknown} is stored"));
    }
    let chosen = all
        .iter()
        .filter(|entry| topics.is_empty() || topics.iter().any(|wanted| matches(entry, wanted)));
    Ok(chosen
        .map(|entry| json!({"partition": entry["partition"], "offset": null}))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored() -> Value {
        let entry = |topic: &str, partition: u32, offset: u64| {
            json!({
                "partition": {"cluster": "A", "topic": topic, "partition": partition},
                "offset": {"offset": offset},
            })
        };
        json!({"offsets": [entry("a", 0, 10), entry("a", 1, 11), entry("b", 0, 12)]})
    }

    #[test]
    fn lines_take_the_words_of_a_partition_from_what_is_stored() {
        let stored = stored();
        let planned = wanted("topic,partition,offset\n# a comment\na, 1 ,5\n", &stored);
        let partition = json!({"cluster": "A", "topic": "a", "partition": 1});
        assert_eq!(
            planned,
            Ok(vec![
                json!({"partition": partition, "offset": {"offset": 5}})
            ])
        );
        for (text, part) in [
            ("a,1", "line 1: topic,partition,offset is expected"),
            ("\na,x,5", "line 2: partition and offset are numbers"),
            ("c,0,5", "no position of c/0 is stored"),
            ("{\"a\": 1}", "no \"offsets\""),
            ("{", "no JSON"),
        ] {
            let problem = wanted(text, &stored).expect_err(text);
            assert!(problem.contains(part), "{problem}");
        }
    }

    #[test]
    fn topics_partitions_or_everything_is_forgotten() {
        let stored = stored();
        let names = |topics: &[&str]| {
            let topics: Vec<String> = topics.iter().map(|one| (*one).to_owned()).collect();
            let planned = forgotten(&topics, &stored)?;
            assert!(planned.iter().all(|entry| entry["offset"].is_null()));
            let name = |entry: &Value| format!("{}/{}", topic(entry), number(entry));
            Ok::<Vec<String>, String>(planned.iter().map(name).collect())
        };
        assert_eq!(
            names(&[]),
            Ok(vec!["a/0".into(), "a/1".into(), "b/0".into()])
        );
        assert_eq!(names(&["a"]), Ok(vec!["a/0".into(), "a/1".into()]));
        assert_eq!(names(&["a/1", "b"]), Ok(vec!["a/1".into(), "b/0".into()]));
        assert_eq!(
            names(&["a/2"]),
            Err("no position of a/2 is stored".to_owned())
        );
    }
}
