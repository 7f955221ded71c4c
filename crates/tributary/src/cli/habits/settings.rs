//! Confluent's `link create` and `link update`: settings of its cluster links in the keys of links here. Pure.
//!
//! A setting that names a key of ours stays; one of a client is that of the source's; some have another name here. What nobody would read is
//! refused, with the key that was probably meant.

use config::keys::{Scope, nearest};

use super::{Habit, Turn, native, refused, taken, turned};

/// Settings that have another name here.
const RENAMED: &[(&str, &str)] = &[
    ("acl.sync.enable", "sync.topic.acls.enabled"),
    ("topic.config.sync.ms", "topic.config.sync.interval.ms"),
];

/// Settings that have none, and what there is instead.
const ABSENT: &[(&str, &str)] = &[
    (
        "auto.create.mirror.topics.",
        "topics are copied that a link selects: topic.regex, topic.whitelist",
    ),
    (
        "acl.filters",
        "tributary.acl.principals and tributary.acl.resources say whose access rights are copied, and to what",
    ),
    (
        "consumer.offset.",
        "offsets of groups are not copied: their own can be read with `tributary offsets get LINK`",
    ),
    (
        "link.mode",
        "a link copies from its source to its destination: one in the other direction is another link",
    ),
    (
        "connection.mode",
        "workers open connections to both clusters: run them where both can be reached",
    ),
];

/// A setting in our words, or why it would have no effect.
fn ours(key: &str, value: &str) -> Result<(String, String), String> {
    let same = |key: &str| Ok((key.to_owned(), value.to_owned()));
    if key == "cluster.link.prefix" {
        return Ok((
            "topic.rename.format".to_owned(),
            format!("{value}${{topic}}"),
        ));
    }
    if key == "acl.sync.ms" {
        let seconds = value.parse::<u64>().map(|millis| millis.div_ceil(1000));
        let seconds = seconds.map_err(|_| format!("{key}={value}: write milliseconds"))?;
        let ours = "sync.topic.acls.interval.seconds".to_owned();
        return Ok((ours, seconds.to_string()));
    }
    if let Some((_, renamed)) = RENAMED.iter().find(|(theirs, _)| *theirs == key) {
        return same(renamed);
    }
    if let Some((_, instead)) = ABSENT.iter().find(|(theirs, _)| key.starts_with(theirs)) {
        return Err(format!("{key} has no meaning here: {instead}"));
    }
    if Scope::Own.find(key).is_some() {
        return same(key);
    }
    // What is said of the cluster where Confluent's link lives is said of the destination.
    let (prefixes, name): (&[&str], &str) = match key.strip_prefix("local.") {
        Some(name) => (&["dest.kafka.", "producer.override."], name),
        None => (&["src.kafka.", "src.consumer."], key),
    };
    let known = prefixes.iter().map(|prefix| format!("{prefix}{name}"));
    let mut known = known.filter(|name| Scope::Own.find(name).is_some());
    if let Some(known) = known.next() {
        return same(&known);
    }
    let meant = nearest(Scope::Own, key).or_else(|| nearest(Scope::Client, key));
    Err(match meant {
        Some(meant) => {
            format!("nothing reads {key}: did you mean {meant} ? Nothing was changed")
        }
        None => format!(
            "nothing reads {key}: `tributary describe plugin Replicator` lists the keys of links. Nothing was changed"
        ),
    })
}

/// All settings of the options, in our words.
fn all(settings: &[String]) -> Result<Vec<(String, String)>, String> {
    let single = settings.iter().flat_map(|setting| pairs(setting));
    single
        .map(|one| match one.split_once('=') {
            Some((key, value)) => ours(key.trim(), value),
            None => Err(format!("--config {one}: write KEY=VALUE")),
        })
        .collect()
}

/// Confluent's `link create`: its settings are those of the client that reads the source.
pub(super) fn create(rest: &[String]) -> Habit {
    let names: &[(&str, Turn)] = &[
        ("--source-bootstrap-server", Turn::Named("--source")),
        (
            "--destination-bootstrap-server",
            Turn::Named("--destination"),
        ),
        ("--source-cluster", Turn::Valued),
        ("--destination-cluster", Turn::Valued),
        ("--config-file", Turn::Named("--source-config")),
    ];
    let (settings, rest) = taken(rest, &["--config"]);
    let mut words = turned(&rest, names);
    let (single, files): (Vec<String>, Vec<String>) = settings
        .into_iter()
        .partition(|setting| setting.contains('='));
    let single = match all(&single) {
        Ok(single) => single,
        Err(problem) => return Habit::Wrong(problem),
    };
    for (key, value) in single {
        words.extend(match key.as_str() {
            "topic.rename.format" => ["--rename".to_owned(), value],
            _ => ["--set".to_owned(), format!("{key}={value}")],
        });
    }
    for file in files {
        words.extend(["--source-config".to_owned(), file]);
    }
    native(&["create", "link"], &words)
}

/// Confluent's `link update`.
pub(super) fn update(rest: &[String]) -> Habit {
    let (settings, mut words) = taken(rest, &["--config"]);
    if settings.iter().any(|setting| !setting.contains('=')) {
        return refused(
            "a file of changes is not read: name them with --config KEY=VALUE, or change the link with `tributary edit link NAME`",
        );
    }
    match all(&settings) {
        Ok(all) => {
            for (key, value) in all {
                words.extend(["-s".to_owned(), format!("{key}={value}")]);
            }
            native(&["patch", "link"], &words)
        }
        Err(problem) => Habit::Wrong(problem),
    }
}

/// `K=V` of a list with commas; what has no key belongs to the value before it.
fn pairs(settings: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for part in settings.split(',') {
        match all.last_mut() {
            Some(last) if !part.contains('=') => {
                last.push(',');
                last.push_str(part);
            }
            _ => all.push(part.to_owned()),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_become_keys_that_somebody_reads() {
        for (theirs, value, key, becomes) in [
            ("tasks.max", "2", "tasks.max", "2"),
            ("src.kafka.client.id", "x", "src.kafka.client.id", "x"),
            (
                "bootstrap.servers",
                "a:1,b:1",
                "src.kafka.bootstrap.servers",
                "a:1,b:1",
            ),
            (
                "sasl.mechanism",
                "PLAIN",
                "src.kafka.sasl.mechanism",
                "PLAIN",
            ),
            ("fetch.max.bytes", "1", "src.consumer.fetch.max.bytes", "1"),
            (
                "local.ssl.truststore.type",
                "PEM",
                "dest.kafka.ssl.truststore.type",
                "PEM",
            ),
            (
                "cluster.link.prefix",
                "s.",
                "topic.rename.format",
                "s.${topic}",
            ),
            ("acl.sync.enable", "true", "sync.topic.acls.enabled", "true"),
            (
                "acl.sync.ms",
                "5000",
                "sync.topic.acls.interval.seconds",
                "5",
            ),
        ] {
            let expected = Ok((key.to_owned(), becomes.to_owned()));
            assert_eq!(ours(theirs, value), expected, "{theirs}");
            assert!(Scope::Own.find(key).is_some(), "{key}");
        }
    }

    #[test]
    fn what_nobody_reads_is_refused_with_the_nearest_key() {
        for (theirs, has) in [
            ("tasks.maxx", "tasks.max ?"),
            ("sasl.mechanisn", "sasl.mechanism ?"),
            ("consumer.offset.sync.enable", "offsets of groups"),
            ("link.mode", "another link"),
            ("acl.sync.ms", "milliseconds"),
            ("such.a.thing", "describe plugin"),
        ] {
            let problem = ours(theirs, "x").expect_err(theirs);
            assert!(problem.contains(has), "{problem}");
        }
    }
}
