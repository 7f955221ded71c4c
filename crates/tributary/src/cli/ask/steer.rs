//! `tributary pause`, `resume`, `stop`, `restart`, and `topics`: what links do, by Connect's API.

use std::time::Duration;

use clap::{Args, Subcommand};
use tokio::time::{Instant, sleep};

use super::matching::Matching;
use super::resume::{self, TopicArgs};
use super::{Exit, Reach};
use crate::asking::{Failure, Workers, encode};
use crate::{duration, output};

/// What is done to links.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::cli) enum Steer {
    Pause,
    Resume,
    Stop,
}

impl Steer {
    fn verb(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Stop => "stop",
        }
    }

    /// The state that Connect reports when it is so.
    fn state(self) -> &'static str {
        match self {
            Self::Pause => "PAUSED",
            Self::Resume => "RUNNING",
            Self::Stop => "STOPPED",
        }
    }

    fn done(self) -> &'static str {
        match self {
            Self::Pause => "paused",
            Self::Resume => "resumed",
            Self::Stop => "stopped",
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "EXAMPLE\n  tributary pause link orders-dr --wait 30s")]
pub(in crate::cli) struct SteerArgs {
    /// Names of links, with or without the word link in front
    #[arg(required = true)]
    names: Vec<String>,

    #[command(flatten)]
    matching: Matching,

    /// Wait until it is reported
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    wait: Option<Duration>,

    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    reach: Reach,
}

/// Begin links anew, with all their tasks.
#[derive(Debug, Args)]
#[command(
    after_help = "EXAMPLES\n  tributary restart link orders-dr --failed\n  tributary restart link orders-dr --task 2\n  \
    tributary restart task orders-dr/2"
)]
pub(in crate::cli) struct RestartArgs {
    /// Names of links, with or without the word link in front
    #[arg(required = true)]
    names: Vec<String>,

    #[command(flatten)]
    matching: Matching,

    /// Only what failed
    #[arg(long, conflicts_with = "task")]
    failed: bool,

    /// Only this task
    #[arg(long, value_name = "N")]
    task: Option<u32>,

    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum TopicsVerb {
    /// Look for new topics and partitions now
    Refresh(RefreshArgs),
    /// Compare settings of topics now, and make those of the copies alike
    Sync(SyncArgs),
    /// Let all partitions of topics go on that stand
    Resume(TopicArgs),
}

/// Compare settings of topics now, before it is due.
///
/// Settings of all topics of the link are compared then: that is one request for many of them.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLE\n  tributary topics sync orders-dr orders")]
pub(in crate::cli) struct SyncArgs {
    /// The link
    link: String,

    /// Topics of the source
    #[arg(required = true)]
    topics: Vec<String>,

    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RefreshArgs {
    /// The link
    link: String,

    #[command(flatten)]
    reach: Reach,
}

/// The names, without the word for what they are.
pub(super) fn without_noun(names: &[String]) -> &[String] {
    match names {
        [noun, rest @ ..]
            if !rest.is_empty()
                && ["link", "links", "connector", "connectors"].contains(&noun.as_str()) =>
        {
            rest
        }
        names => names,
    }
}

/// Runs `pause`, `resume` or `stop`.
pub(in crate::cli) async fn steer(what: Steer, args: SteerArgs) -> Exit {
    let Some(workers) = args.reach.workers() else {
        return Exit::Usage;
    };
    let found = args
        .matching
        .links(&args.names, &workers, &args.reach)
        .await;
    let names = match found {
        Ok(names) => names,
        Err(exit) => return exit,
    };
    let mut exit = Exit::Done;
    for name in &names {
        let object = format!("link/{name}");
        match steered(what, &args, &workers, name).await {
            Ok(Some(action)) => args.reach.done(&object, action, args.dry_run),
            Ok(None) => {
                output::notice(&format!("{object} is not {} yet", what.state()));
                exit = Exit::TimedOut;
            }
            Err(failure) => {
                exit = args
                    .reach
                    .failed(&format!("cannot {} {object}", what.verb()), &failure);
            }
        }
    }
    exit
}

/// What was done; nothing where it is not so in time.
async fn steered(
    what: Steer,
    args: &SteerArgs,
    workers: &Workers,
    name: &str,
) -> Result<Option<&'static str>, Failure> {
    let base = format!("/connectors/{}", encode(name));
    let status = format!("{base}/status");
    let before = workers.get(&status).await?;
    if before["connector"]["state"] == what.state() {
        return Ok(Some("unchanged"));
    }
    if args.dry_run {
        return Ok(Some(what.done()));
    }
    workers
        .send("PUT", &format!("{base}/{}", what.verb()), None)
        .await?;
    let Some(limit) = args.wait else {
        return Ok(Some(what.done()));
    };
    let started = Instant::now();
    while started.elapsed() < limit {
        let now = workers.get(&status).await?;
        if now["connector"]["state"] == what.state() {
            return Ok(Some(what.done()));
        }
        // sleeps because the worker is asked again and again
        sleep(Duration::from_millis(200)).await;
    }
    Ok(None)
}

/// Tasks that are named `task LINK/N`.
fn tasks_of(args: &RestartArgs) -> Option<Vec<(String, u32)>> {
    let task = |name: &String| {
        let (_, number) = name.rsplit_once('/')?;
        let length = name.len() - number.len() - 1;
        Some((length, number.parse().ok()?))
    };
    if let [noun, rest @ ..] = &*args.names
        && matches!(&**noun, "task" | "tasks")
        && !rest.is_empty()
    {
        let tasks: Option<Vec<(usize, u32)>> = rest.iter().map(task).collect();
        let named = rest.iter().zip(tasks?);
        let named = named.map(|(name, (length, task))| (name[..length].to_owned(), task));
        return Some(named.collect());
    }
    None
}

/// Runs `restart`.
pub(in crate::cli) async fn restart(args: RestartArgs) -> Exit {
    let Some(workers) = args.reach.workers() else {
        return Exit::Usage;
    };
    let restarted: Vec<(String, Option<u32>)> = match tasks_of(&args) {
        Some(tasks) => tasks
            .into_iter()
            .map(|(link, task)| (link, Some(task)))
            .collect(),
        None => match args
            .matching
            .links(&args.names, &workers, &args.reach)
            .await
        {
            Ok(names) => names.into_iter().map(|name| (name, args.task)).collect(),
            Err(exit) => return exit,
        },
    };
    let mut exit = Exit::Done;
    for (name, task) in restarted {
        let base = format!("/connectors/{}", encode(&name));
        let (object, path) = match task {
            Some(task) => (
                format!("task/{name}/{task}"),
                format!("{base}/tasks/{task}/restart"),
            ),
            None => {
                let only = if args.failed { "&onlyFailed=true" } else { "" };
                (
                    format!("link/{name}"),
                    format!("{base}/restart?includeTasks=true{only}"),
                )
            }
        };
        let outcome = match args.dry_run {
            true => workers.get(&format!("{base}/status")).await,
            false => workers.send("POST", &path, None).await,
        };
        match outcome {
            Ok(_) => args.reach.done(&object, "restarted", args.dry_run),
            Err(failure) => {
                exit = args
                    .reach
                    .failed(&format!("{object} cannot be restarted"), &failure)
            }
        }
    }
    exit
}

/// Runs `topics`.
pub(in crate::cli) async fn topics(verb: TopicsVerb) -> Exit {
    let args = match verb {
        TopicsVerb::Refresh(args) => args,
        TopicsVerb::Resume(args) => return resume::topics(args).await,
        TopicsVerb::Sync(args) => return synchronise(args).await,
    };
    let Some(workers) = args.reach.workers() else {
        return Exit::Usage;
    };
    let path = format!("/api/v1/links/{}:refresh", encode(&args.link));
    match workers.send("POST", &path, None).await {
        Ok(_) => {
            args.reach
                .done(&format!("link/{}", args.link), "refreshed", false);
            Exit::Done
        }
        Err(failure) => args.reach.failed("topics are not looked at", &failure),
    }
}

async fn synchronise(args: SyncArgs) -> Exit {
    let Some(workers) = args.reach.workers() else {
        return Exit::Usage;
    };
    let mut exit = Exit::Done;
    for topic in &args.topics {
        let (link, name) = (encode(&args.link), encode(topic));
        let path = format!("/api/v1/links/{link}/topics/{name}:sync");
        let object = format!("topic/{}/{topic}", args.link);
        match workers.send("POST", &path, None).await {
            Ok(_) => args.reach.done(&object, "synchronised", false),
            Err(failure) => {
                let what = format!("settings of {object} are not compared");
                exit = args.reach.failed(&what, &failure);
            }
        }
    }
    exit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_may_be_named_with_its_link() {
        use clap::Parser as _;
        #[derive(Debug, clap::Parser)]
        struct Line {
            #[command(flatten)]
            args: RestartArgs,
        }
        let parsed = |all: &[&str]| {
            let line = Line::try_parse_from([&["restart"], all].concat()).expect("right");
            tasks_of(&line.args)
        };
        let one = |link: &str, task| (link.to_owned(), task);
        assert_eq!(
            parsed(&["task", "a/b/2", "c/0"]),
            Some(vec![one("a/b", 2), one("c", 0)])
        );
        assert_eq!(parsed(&["link", "a", "--task", "3"]), None);
        // Links of these names.
        assert_eq!(parsed(&["task", "a"]), None);
    }

    #[test]
    fn the_noun_may_be_left_out() {
        let names = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            without_noun(&names(&["link", "a", "b"])),
            names(&["a", "b"])
        );
        assert_eq!(without_noun(&names(&["a", "link"])), names(&["a", "link"]));
        assert_eq!(without_noun(&names(&["link"])), names(&["link"]));
    }
}
