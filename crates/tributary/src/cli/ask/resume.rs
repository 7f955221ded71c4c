//! `tributary resume partition` and `tributary topics resume`: tell a worker to let partitions go on that stand.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::steer::{Steer, SteerArgs, steer};
use super::{Exit, Reach};
use crate::asking::encode;
use crate::output;

/// Let links go on, or one partition that stands.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "EXAMPLES\n  tributary resume orders-dr --wait 30s\n  \
    tributary resume partition orders-dr orders/3 --continue --expect-offset 1042")]
pub(in crate::cli) struct ResumeArgs {
    #[command(subcommand)]
    verb: Option<ResumeVerb>,

    #[command(flatten)]
    links: SteerArgs,
}

/// What is resumed.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ResumeVerb {
    /// Let one partition go on that stands; nothing else is restarted
    Partition(PartitionArgs),
}

/// Which partition, and what is said to it.
#[derive(Debug, Args)]
#[command(
    after_help = "EXAMPLE\n  tributary resume partition west-to-central orders/3 --continue --expect-offset 1042"
)]
pub(in crate::cli) struct PartitionArgs {
    /// The link
    link: String,

    /// The source topic and the number of its partition
    #[arg(value_name = "TOPIC/P")]
    partition: String,

    #[command(flatten)]
    answer: Answer,

    /// Only if it stands at this offset
    #[arg(long, value_name = "N")]
    expect_offset: Option<i64>,

    #[command(flatten)]
    reach: Reach,
}

/// What is said to a partition that stands.
#[derive(Debug, Args)]
pub(in crate::cli) struct Answer {
    /// Leave out what the destination does not take, or what cannot be read
    #[arg(long, group = "action")]
    skip_record: bool,

    /// Go on behind what is missing at the source
    #[arg(long, group = "action")]
    r#continue: bool,

    /// Copy a source topic that was made anew, from its first record
    #[arg(long, group = "action")]
    append: bool,

    /// Copy everything that the source still has
    #[arg(long, group = "action")]
    recopy: bool,
}

/// Which topics, and what is said to their partitions that stand.
#[derive(Debug, Args)]
#[command(
    after_help = "EXAMPLE\n  tributary topics resume west-to-central orders payments --append"
)]
pub(in crate::cli) struct TopicArgs {
    /// The link
    link: String,

    /// Source topics; all their partitions that stand go on, and nothing else is restarted
    #[arg(required = true)]
    topics: Vec<String>,

    #[command(flatten)]
    answer: Answer,

    #[command(flatten)]
    reach: Reach,
}

impl Answer {
    fn action(&self) -> &'static str {
        let actions = [
            (self.skip_record, "skip-record"),
            (self.r#continue, "continue"),
            (self.append, "append"),
            (self.recopy, "recopy"),
        ];
        let chosen = actions.into_iter().find(|(chosen, _)| *chosen);
        chosen.map_or("resume", |(_, name)| name)
    }
}

/// Runs the command.
pub(in crate::cli) async fn resume(args: ResumeArgs) -> Exit {
    match args.verb {
        None => steer(Steer::Resume, args.links).await,
        Some(ResumeVerb::Partition(args)) => partition(args).await,
    }
}

async fn partition(args: PartitionArgs) -> Exit {
    let Some((topic, number)) = args.partition.rsplit_once('/') else {
        output::error("a partition is written TOPIC/P, for instance orders/3");
        return Exit::Usage;
    };
    let Ok(number) = number.parse::<u32>() else {
        output::error(&format!("{number} is not the number of a partition"));
        return Exit::Usage;
    };
    let Some(workers) = args.reach.workers() else {
        return Exit::Usage;
    };
    let (link, topic) = (encode(&args.link), encode(topic));
    let path = format!("/api/v1/links/{link}/topics/{topic}/partitions/{number}:resume");
    let body = json!({"action": args.answer.action(), "expected_offset": args.expect_offset});
    let object = format!("partition/{}/{}", args.link, args.partition);
    match workers.send("POST", &path, Some(&body)).await {
        Ok(said) => {
            args.reach.done(&object, "resumed", false);
            beside(&said);
            Exit::Done
        }
        Err(failure) => args
            .reach
            .failed(&format!("{object} does not go on"), &failure),
    }
}

/// Runs `topics resume`.
pub(in crate::cli) async fn topics(args: TopicArgs) -> Exit {
    let Some(workers) = args.reach.workers() else {
        return Exit::Usage;
    };
    let body = json!({"action": args.answer.action()});
    let mut exit = Exit::Done;
    for topic in &args.topics {
        let (link, name) = (encode(&args.link), encode(topic));
        let path = format!("/api/v1/links/{link}/topics/{name}:resume");
        let object = format!("topic/{}/{topic}", args.link);
        match workers.send("POST", &path, Some(&body)).await {
            Ok(said) => {
                args.reach.done(&object, "resumed", false);
                beside(&said);
            }
            Err(failure) => {
                let what = format!("{object} does not go on");
                exit = args.reach.failed(&what, &failure);
            }
        }
    }
    exit
}

/// What else is to be known of it.
fn beside(said: &Value) {
    if let Some(notice) = said["notice"].as_str() {
        output::beside(&format!("note: {notice}"));
    }
}
