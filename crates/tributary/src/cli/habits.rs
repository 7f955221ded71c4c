//! Words of other tools: who types what kcctl, Confluent's command line or rpk take gets the same done here, and is told how it is called.
//!
//! Flow: words of the command line → the words of this program for them (pure, before anything is parsed) → one line on stderr with
//! them → they are parsed as if they had been typed. What is typed rightly already is not touched.
//!
//! Deliberately absent: forms that this program cannot do as they are meant. They are answered with what there is instead.

mod settings;

use std::ffi::OsString;

use config::key::{holds_secret, shown_to_readers};

use super::Exit;
use crate::output;

/// What was typed, in the words of this program.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Habit {
    /// The words behind `tributary`.
    Native(Vec<String>),
    /// Somebody asks which words there are.
    Asked(String),
    /// It cannot be done, and what can.
    Refused(String),
    /// It is not how others write it either.
    Wrong(String),
}

/// Forms of others, and what they become.
const FORMS: &[(&str, &str)] = &[
    ("info", "version"),
    ("get offsets NAME", "offsets get NAME"),
    ("delete offsets NAME", "offsets reset NAME"),
    ("patch offsets NAME -f FILE", "offsets set NAME -f FILE"),
    (
        "patch logger NAME -l LEVEL [-s cluster]",
        "loggers set NAME LEVEL [--cluster]",
    ),
    (
        "restart connector NAME -t all|failed",
        "restart connector NAME [--failed]",
    ),
    (
        "config set-context NAME --cluster URL --username USER",
        "config set-context NAME --url URL --user USER",
    ),
    ("connector list", "get connectors"),
    (
        "connector describe|delete|pause|resume|stop|restart NAME",
        "describe|delete|… connector NAME",
    ),
    ("connector create|update -f FILE", "create|apply -f FILE"),
    ("link list", "get links"),
    ("link describe|delete NAME", "describe|delete link NAME"),
    (
        "link create NAME --source-bootstrap-server HOST:PORT --destination-bootstrap-server HOST:PORT --config K=V|FILE --topics REGEX",
        "create link NAME --source HOST:PORT --destination HOST:PORT --set src.kafka.K=V|--source-config FILE --topics REGEX",
    ),
    (
        "link update NAME --config K=V",
        "patch link NAME -s src.kafka.K=V",
    ),
    ("link configuration list NAME", "get config NAME"),
    (
        "link configuration update NAME --config K=V",
        "patch link NAME -s src.kafka.K=V",
    ),
    (
        "mirror list [--link LINK] [--mirror-status WORD]",
        "get topics [LINK], with Confluent's headings",
    ),
    (
        "mirror describe TOPIC --link LINK",
        "describe partitions LINK TOPIC, with Confluent's headings",
    ),
    (
        "mirror resume TOPIC --link LINK",
        "topics resume LINK TOPIC",
    ),
    ("shadow list", "get links"),
    (
        "shadow describe|delete|update NAME",
        "describe|delete|edit link NAME",
    ),
    ("shadow status NAME", "status NAME"),
];

/// What an option of others becomes.
#[derive(Clone, Copy)]
enum Turn {
    /// Another name; its value, where it has one, stays.
    Named(&'static str),
    /// Nothing, with its value.
    Valued,
    /// Nothing.
    Bare,
}

/// Options of Confluent's command line and of rpk that mean the same everywhere.
const COMMON: &[(&str, Turn)] = &[
    ("--format", Turn::Named("--output")),
    ("--force", Turn::Named("--yes")),
    ("--no-confirm", Turn::Named("--yes")),
    ("--no-validate", Turn::Bare),
    ("--include-topics", Turn::Bare),
    ("--environment", Turn::Valued),
    ("--cluster", Turn::Valued),
];

/// Options of kcctl's contexts; what they say of Kafka itself is not needed here.
const CONTEXT: &[(&str, Turn)] = &[
    ("--cluster", Turn::Named("--url")),
    ("--username", Turn::Named("--user")),
    ("--bootstrap-servers", Turn::Valued),
    ("--offset-topic", Turn::Valued),
    ("--client-config", Turn::Valued),
    ("--client-config-file", Turn::Valued),
    ("-o", Turn::Valued),
    ("-f", Turn::Valued),
];

const CONNECTORS: [&str; 4] = ["connector", "connectors", "link", "links"];

/// Puts the words of this program in the place of others, and says so. How it ends, where nothing is left to be done.
pub(super) fn turn(arguments: &mut Vec<OsString>) -> Option<Exit> {
    let words = arguments.iter().skip(1);
    let words: Option<Vec<String>> = words.map(|word| word.to_str().map(str::to_owned)).collect();
    match habit(&words?)? {
        Habit::Native(native) => {
            say(&native);
            arguments.truncate(1);
            arguments.extend(native.into_iter().map(OsString::from));
            None
        }
        Habit::Asked(page) => {
            output::text(&page);
            Some(Exit::Done)
        }
        Habit::Refused(answer) => {
            output::error(&answer);
            Some(Exit::Error)
        }
        Habit::Wrong(answer) => {
            output::error(&answer);
            Some(Exit::Usage)
        }
    }
}

/// One line beside the result: how it is called here.
fn say(native: &[String]) {
    if !has(native, &["-q", "--quiet"]) {
        output::notice(&format!("here it is: {}", typed(native)));
    }
}

/// What the words behind `tributary` stand for where another tool has taught them; nothing where they are our own.
fn habit(words: &[String]) -> Option<Habit> {
    let (first, behind) = words.split_first()?;
    let (second, rest) = match behind.split_first() {
        Some((second, rest)) => (second.as_str(), rest),
        None => ("", behind),
    };
    match (first.as_str(), second) {
        ("info", _) => Some(native(&["version"], behind)),
        ("get", "offsets" | "offset") => Some(native(&["offsets", "get"], rest)),
        ("delete", "offsets") if !rest.is_empty() => Some(native(&["offsets", "reset"], rest)),
        ("patch", "offsets") if has(rest, &["-f", "--file"]) => {
            Some(native(&["offsets", "set"], rest))
        }
        ("patch", "logger" | "loggers") if has(rest, &["-l", "--level"]) => Some(logger(rest)),
        ("restart", noun) if CONNECTORS.contains(&noun) && has(rest, &["-t", "--tasks"]) => {
            Some(restart(noun, rest))
        }
        ("config", "set-context") if has(rest, &["--password"]) => Some(refused(
            "a password on the command line can be seen by everybody on this machine: name a file that has it with --password-file",
        )),
        ("config", "set-context") if CONTEXT.iter().any(|(name, _)| has(rest, &[*name])) => {
            Some(native(&["config", "set-context"], &turned(rest, CONTEXT)))
        }
        ("connector" | "link" | "shadow", _) => Some(of_noun(first, second, rest)),
        ("mirror", "list" | "describe") => None,
        ("mirror", _) => Some(mirror(second, rest)),
        _ => None,
    }
}

fn native(words: &[&str], rest: &[String]) -> Habit {
    let words = words.iter().map(|word| (*word).to_owned());
    Habit::Native(words.chain(rest.iter().cloned()).collect())
}

fn refused(text: &str) -> Habit {
    Habit::Refused(text.to_owned())
}

/// Whether one of these options is among the words.
fn has(words: &[String], options: &[&str]) -> bool {
    words.iter().any(|word| {
        let name = word.split('=').next().unwrap_or(word);
        options.contains(&name)
    })
}

/// The words with options turned.
fn turned(words: &[String], turns: &[(&str, Turn)]) -> Vec<String> {
    let mut all = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word.as_str(), None),
        };
        match turns.iter().find(|(known, _)| *known == name) {
            None => all.push(word.clone()),
            Some((_, Turn::Named(native))) => match value {
                Some(value) => all.push(format!("{native}={value}")),
                None => all.push((*native).to_owned()),
            },
            Some((_, Turn::Valued)) if value.is_none() => drop(words.next()),
            Some((_, Turn::Valued | Turn::Bare)) => {}
        }
    }
    all
}

/// The values of an option, and the words without it.
fn taken(words: &[String], options: &[&str]) -> (Vec<String>, Vec<String>) {
    let (mut values, mut others) = (Vec::new(), Vec::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (word.as_str(), None),
        };
        match options.contains(&name) {
            true => values.extend(value.or_else(|| words.next().cloned())),
            false => others.push(word.clone()),
        }
    }
    (values, others)
}

/// kcctl's `patch logger`: the level stands behind the name here.
fn logger(rest: &[String]) -> Habit {
    let (levels, rest) = taken(rest, &["-l", "--level"]);
    let (scopes, mut rest) = taken(&rest, &["-s", "--scope"]);
    rest.extend(levels);
    if scopes.iter().any(|scope| scope == "cluster") {
        rest.push("--cluster".to_owned());
    }
    native(&["loggers", "set"], &rest)
}

/// kcctl's `restart connector -t`.
fn restart(noun: &str, rest: &[String]) -> Habit {
    let (tasks, mut rest) = taken(rest, &["-t", "--tasks"]);
    match tasks
        .last()
        .map(|which| which.to_ascii_lowercase())
        .as_deref()
    {
        Some("all") => {}
        Some("failed") => rest.push("--failed".to_owned()),
        _ => return Habit::Wrong("-t takes all or failed".to_owned()),
    }
    native(&["restart", noun], &rest)
}

/// A noun that others say first.
fn of_noun(noun: &str, verb: &str, rest: &[String]) -> Habit {
    let common = turned(rest, COMMON);
    match (noun, verb) {
        (_, "" | "help" | "-h" | "--help") => Habit::Asked(page(noun)),
        ("connector", "list") => native(&["get", "connectors"], &common),
        ("link" | "shadow", "list") => native(&["get", "links"], &common),
        ("connector", "restart") if has(&common, &["-t", "--tasks"]) => restart(noun, &common),
        ("connector", "describe" | "delete" | "pause" | "resume" | "stop" | "restart") => {
            native(&[verb, "connector"], &common)
        }
        ("connector", "create") => native(&["create"], &common),
        ("connector", "update") => native(&["apply"], &common),
        ("link" | "shadow", "describe" | "delete") => native(&[verb, "link"], &common),
        ("link", "create") => settings::create(&common),
        ("link", "update") => settings::update(&common),
        ("link", "configuration") => match rest.first().map(String::as_str) {
            Some("list" | "describe") => native(&["get", "config"], &common[1..]),
            Some("update") => settings::update(&common[1..]),
            _ => Habit::Asked(page(noun)),
        },
        ("link", "task") => refused(
            "a link has no tasks of these kinds: `tributary describe link NAME` shows its checks, `tributary get tasks --link NAME` who copies",
        ),
        ("shadow", "status") => native(&["status"], &common),
        ("shadow", "update") => native(&["edit", "link"], &common),
        ("shadow", "create" | "config") => refused(
            "rpk's file is not read: write `tributary create link NAME --source … --destination … --topics …`, with --dry-run for a file",
        ),
        (_, "promote" | "failover") => refused(LATER),
        _ => Habit::Wrong(format!("there is no {noun} {verb} here\n{}", page(noun))),
    }
}

const LATER: &str = "nothing has to be promoted: copies are topics like others. Wait with `tributary lag LINK --max-records 0 --wait 10m` \
                     until all is copied, then `tributary stop LINK`";

/// Confluent's `mirror`, but for what is listed under its headings.
fn mirror(verb: &str, rest: &[String]) -> Habit {
    let (links, topics) = taken(&turned(rest, COMMON), &["--link"]);
    let link = links.last().map_or("LINK", String::as_str);
    match verb {
        "" | "help" | "-h" | "--help" => Habit::Asked(page("mirror")),
        "resume" if !links.is_empty() => native(&["topics", "resume", link], &topics),
        "resume" => Habit::Wrong("say of which link: mirror resume TOPIC --link LINK".to_owned()),
        "pause" => Habit::Refused(format!(
            "single topics cannot be paused: `tributary pause {link}` lets the whole link stand still"
        )),
        "promote" | "failover" => refused(LATER),
        "reverse-and-start" | "reverse-and-pause" | "truncate-and-restore" => {
            Habit::Refused(format!(
                "there is no {verb} here: stop the link when all is copied, and create one in the other direction with `tributary create \
             link`; what a former source has and its copy has not, `tributary verify` names"
            ))
        }
        _ => Habit::Wrong(format!(
            "there is no mirror {verb} here\n{}",
            page("mirror")
        )),
    }
}

/// What there is of a noun of others; of the empty one, everything.
pub(super) fn page(noun: &str) -> String {
    let of_noun = FORMS
        .iter()
        .filter(|(form, _)| noun.is_empty() || form.split(' ').next() == Some(noun));
    let lines =
        of_noun.map(|(form, native)| format!("  tributary {form}\n      tributary {native}\n"));
    lines.collect()
}

/// The words as somebody could type them, without secrets.
fn typed(words: &[String]) -> String {
    let plain = |word: &String| {
        // `--set=KEY=VALUE` has the key behind the option.
        let (option, setting) = match word.split_once('=') {
            Some((option, rest)) if option.starts_with('-') => (Some(option), rest),
            _ => (None, word.as_str()),
        };
        let named = option.map_or("", |option| option.trim_start_matches('-'));
        let shown = match setting.split_once('=') {
            Some((key, value)) if !holds_secret(named) => {
                format!("{key}={}", shown_to_readers(key, value))
            }
            _ => shown_to_readers(named, setting),
        };
        let word = option.map_or_else(|| shown.clone(), |option| format!("{option}={shown}"));
        let is_plain = |one: char| one.is_alphanumeric() || "-_./:=,@%+".contains(one);
        match !word.is_empty() && word.chars().all(is_plain) {
            true => word,
            false => format!("'{}'", word.replace('\'', "'\\''")),
        }
    };
    let words: Vec<String> = words.iter().map(plain).collect();
    format!("tributary {}", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn words_of_others_become_ours_and_ours_stay() {
        let check = |line: &str, expected: &str| {
            let expected = Habit::Native(words(expected));
            assert_eq!(habit(&words(line)), Some(expected), "{line}");
        };
        check("info -o json", "version -o json");
        check("get offsets a", "offsets get a");
        check("delete offsets a --stop", "offsets reset a --stop");
        check("patch logger root -l DEBUG", "loggers set root DEBUG");
        check(
            "patch logger a --level=INFO -s cluster",
            "loggers set a INFO --cluster",
        );
        check(
            "restart connector a -t failed",
            "restart connector a --failed",
        );
        check(
            "restart connectors -e .* --tasks ALL",
            "restart connectors -e .*",
        );
        check(
            "config set-context here --cluster=http://a:1 --bootstrap-servers b:2",
            "config set-context here --url=http://a:1",
        );
        check("connector list -o json", "get connectors -o json");
        check("connector restart a", "restart connector a");
        check(
            "connector restart a -t failed",
            "restart connector a --failed",
        );
        check("connector delete a --force", "delete connector a --yes");
        check("link list", "get links");
        check("link delete a --force", "delete link a --yes");
        check(
            "link create a --source-bootstrap-server s:1 --destination-bootstrap-server d:1 --topics t --no-validate \
             --config client.id=x,cluster.link.prefix=s. --config c.properties",
            "create link a --source s:1 --destination d:1 --topics t --set src.kafka.client.id=x --rename s.${topic} \
             --source-config c.properties",
        );
        check(
            "link update a --config tasks.max=2,bootstrap.servers=c:1,d:1 --config=cluster.link.prefix=x.",
            "patch link a -s tasks.max=2 -s src.kafka.bootstrap.servers=c:1,d:1 -s topic.rename.format=x.${topic}",
        );
        check("link configuration list a", "get config a");
        check(
            "link configuration update a --config sasl.mechanism=PLAIN",
            "patch link a -s src.kafka.sasl.mechanism=PLAIN",
        );
        check("mirror resume t --link a", "topics resume a t");
        check("shadow status a --format json", "status a --output json");
        check("shadow delete a --no-confirm", "delete link a --yes");
        for own in [
            "",
            "get links",
            "delete link offsets",
            "delete offsets",
            "patch logger -s a=b",
            "restart connector a",
            "config set-context here --url http://a:1",
            "mirror list --link a",
            "status link",
        ] {
            assert_eq!(habit(&words(own)), None, "{own}");
        }
    }

    #[test]
    fn what_cannot_be_done_is_answered_with_what_can() {
        for line in [
            "restart connector a -t some",
            "config set-context a --password x",
            "link task list a",
            "link update a --config file.properties",
            "link update a --config b=c",
            "link create a --source s:1 --config task.max=2",
            "link reverse a",
            "mirror pause t --link a",
            "mirror truncate-and-restore t --link a",
            "mirror promote t --link a",
            "shadow create -c file.yaml",
            "shadow failover a --all",
        ] {
            let answered = matches!(
                habit(&words(line)),
                Some(Habit::Refused(_) | Habit::Wrong(_))
            );
            assert!(answered, "{line}: {:?}", habit(&words(line)));
        }
        for line in ["link", "shadow --help", "connector help", "mirror -h"] {
            let answered = matches!(habit(&words(line)), Some(Habit::Asked(text)) if text.contains("tributary"));
            assert!(answered, "{line}");
        }
    }

    #[test]
    fn what_is_said_of_words_can_be_typed_and_has_no_secrets() {
        let line = typed(&words(
            "create link a --set src.kafka.sasl.password=x --topics a.*'b",
        ));
        assert_eq!(
            line,
            r"tributary create link a --set 'src.kafka.sasl.password=[hidden]' --topics 'a.*'\''b'"
        );
        for (asked, told) in [
            (
                "patch link a --set=sasl.password=x",
                "patch link a '--set=sasl.password=[hidden]'",
            ),
            (
                "patch link a --password=x=y",
                "patch link a '--password=[hidden]'",
            ),
            (
                "status --url=http://u:p@h:1",
                "status '--url=http://[hidden]@h:1'",
            ),
            (
                "status --url http://u:p@h:1",
                "status --url 'http://[hidden]@h:1'",
            ),
            ("status --url=http://h:1", "status --url=http://h:1"),
        ] {
            assert_eq!(typed(&words(asked)), format!("tributary {told}"));
        }
    }

    #[test]
    fn every_form_stands_in_the_documentation() {
        let documentation = include_str!("../../../../docs/commands.md");
        for (form, native) in FORMS {
            for words in [form, native] {
                let words = words.replace('|', "\\|");
                assert!(documentation.contains(&words), "{words}");
            }
        }
    }
}
