//! `tributary replicator`: Confluent's executable with its three files, also under the name `replicator`.
//!
//! Files and flags become the configuration of one link and one worker: flag > replication file > client files. Flags are
//! those of the executable, so they are read here and not by the command line's own rules: any flag that is a key of a
//! link is that key.

use std::path::{Path, PathBuf};

use clap::Args;
use config::RawConfig;
use config::keys::{Scope, nearest};
use config::raw::RawEntry;

use super::Exit;
use super::prepare::prepared;
use crate::worker::{self, Plan, RunOptions};
use crate::{output, settings, variables};

const CLASS: &str = "io.confluent.connect.replicator.ReplicatorSourceConnector";

/// Run Confluent Replicator's executable form: one link, described by three files.
///
/// FLAGS are those of the executable: --cluster.id ID, --consumer.config FILE, --producer.config FILE,
/// --replication.config FILE, --whitelist A,B, --blacklist A,B, --topic.regex REGEX, --cluster.threads N, and any key of
/// a link. Each may be written as --flag value or --flag=value.
#[derive(Debug, Args)]
#[command(
    disable_help_flag = true,
    after_help = "EXAMPLE\n  tributary replicator --cluster.id dc1-to-dc2 --consumer.config consumer.properties \\\n    \
                  --producer.config producer.properties --replication.config replication.properties"
)]
pub(crate) struct ReplicatorArgs {
    /// Flags of the executable
    #[arg(
        value_name = "FLAGS",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    flags: Vec<String>,
}

/// Flags that are no keys, and what becomes of them.
const IGNORED: [&str; 4] = [
    "confluent.license",
    "confluent.license.config",
    "consumer.monitoring.config",
    "producer.monitoring.config",
];

/// Keys of a Kafka client that both sides share; anything else is a consumer's or a producer's own.
fn is_shared(key: &str) -> bool {
    Scope::Client.find(key).is_some()
}

/// Runs the command.
pub(super) async fn run(args: ReplicatorArgs, level: String) -> Exit {
    if args.flags.is_empty()
        || args
            .flags
            .iter()
            .any(|flag| flag == "--help" || flag == "-h")
    {
        output::line(
            "tributary replicator --cluster.id ID --consumer.config FILE --producer.config FILE \
             [--replication.config FILE] [--whitelist A,B] [--topic.regex REGEX] [--cluster.threads N] [--KEY VALUE …]",
        );
        return Exit::Usage;
    }
    let plan = match pairs(&args.flags).and_then(|pairs| plan(&pairs, level)) {
        Ok(Some(plan)) => plan,
        Ok(None) => return Exit::Usage,
        Err(problem) => {
            output::error(&problem);
            return Exit::Usage;
        }
    };
    let options = RunOptions {
        until_caught_up: None,
        stop_after: None,
        progress: None,
        answers: Vec::new(),
    };
    Box::pin(worker::run(plan, options)).await
}

/// `--flag value` and `--flag=value`.
fn pairs(flags: &[String]) -> Result<Vec<(String, String)>, String> {
    let mut pairs = Vec::new();
    let mut rest = flags.iter();
    while let Some(flag) = rest.next() {
        let name = flag
            .strip_prefix("--")
            .ok_or_else(|| format!("{flag} is no flag; flags begin with --"))?;
        match name.split_once('=') {
            Some((name, value)) => pairs.push((name.to_owned(), value.to_owned())),
            None => {
                let value = rest
                    .next()
                    .ok_or_else(|| format!("--{name} has no value"))?;
                pairs.push((name.to_owned(), value.clone()));
            }
        }
    }
    Ok(pairs)
}

fn plan(pairs: &[(String, String)], level: String) -> Result<Option<Plan>, String> {
    let get = |name: &str| {
        let found = pairs.iter().rev().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    };
    let required = |name: &str| get(name).ok_or_else(|| format!("--{name} is required"));
    let id = required("cluster.id")?;
    let consumer = settings::read(Path::new(required("consumer.config")?))?;
    let producer = settings::read(Path::new(required("producer.config")?))?;
    let (mut link, mut worker_raw) = (RawConfig::new(), RawConfig::new());
    link.set_flag("--cluster.id", "name", id);
    worker_raw.set_flag("--cluster.id", "group.id", id);
    worker_raw.set_flag("default", "offset.storage.topic", "connect-offsets");
    let mut set = |entry: &RawEntry, shared: &str, own: &str| {
        let side = if is_shared(&entry.key) { shared } else { own };
        link.set(
            format!("{side}{}", entry.key),
            entry.value.clone(),
            entry.origin.clone(),
        );
    };
    for entry in consumer.entries() {
        set(entry, "src.kafka.", "src.consumer.");
    }
    // A producer has no group.
    for entry in producer
        .entries()
        .iter()
        .filter(|entry| entry.key != "group.id")
    {
        set(entry, "dest.kafka.", "producer.override.");
        if is_shared(&entry.key) && Scope::Worker.find(&entry.key).is_some() {
            worker_raw.set(entry.key.clone(), entry.value.clone(), entry.origin.clone());
        }
    }
    if let Some(path) = get("replication.config") {
        for entry in settings::read(&PathBuf::from(path))?.entries() {
            // A worker's own keys; what a client has too is meant for the link.
            let of_worker = Scope::Worker.find(&entry.key).is_some()
                && Scope::Replicator.find(&entry.key).is_none();
            let target = if of_worker {
                &mut worker_raw
            } else {
                &mut link
            };
            target.set(entry.key.clone(), entry.value.clone(), entry.origin.clone());
        }
    }
    for (name, value) in pairs {
        flag(name, value, &mut link)?;
    }
    link.set_flag("replicator", "connector.class", CLASS);
    let Some(variables) = variables::give_own(&mut worker_raw, "--replication.config") else {
        return Ok(None);
    };
    link.set_variables(variables.clone());
    let Some(worker) = settings::worker(&worker_raw, "replicator") else {
        return Ok(None);
    };
    let Some(settings) = settings::link(&link, &worker, "replicator") else {
        return Ok(None);
    };
    Ok(Some(Plan {
        rest: Some(worker.rest.clone()),
        links: vec![(prepared(&link, settings, worker.clone()), None)],
        worker,
        variables: Some(variables),
        level,
    }))
}

/// One flag beyond the files.
fn flag(name: &str, value: &str, link: &mut RawConfig) -> Result<(), String> {
    let key = match name {
        "cluster.id" | "consumer.config" | "producer.config" | "replication.config" => {
            return Ok(());
        }
        "whitelist" => "topic.whitelist",
        "blacklist" => "topic.blacklist",
        "cluster.threads" => "tasks.max",
        ignored if IGNORED.contains(&ignored) => {
            tracing::info!("--{ignored} has no effect");
            return Ok(());
        }
        other if Scope::Replicator.find(other).is_some() => other,
        unknown => {
            let meant = nearest(Scope::Replicator, unknown);
            let meant = meant
                .map(|key| format!("; did you mean --{key} ?"))
                .unwrap_or_default();
            return Err(format!("there is no flag --{unknown}{meant}"));
        }
    };
    link.set_flag(&format!("--{name}"), key, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_take_their_value_behind_a_sign_or_as_the_next_argument() {
        let flags = ["--a.b=c=d", "--e", "f"].map(str::to_owned);
        let expected = [("a.b", "c=d"), ("e", "f")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(pairs(&flags), Ok(expected.to_vec()));
        pairs(&["a".to_owned()]).expect_err("no flag");
        pairs(&["--a".to_owned()]).expect_err("no value");
        let mut link = RawConfig::new();
        flag("whitelist", "a,b", &mut link).expect("known");
        assert_eq!(
            link.get("topic.whitelist")
                .map(|entry| entry.value.as_str()),
            Some("a,b")
        );
        let unknown = flag("topic.regx", "a", &mut link).expect_err("unknown");
        assert!(unknown.contains("did you mean --topic.regex"), "{unknown}");
    }
}
