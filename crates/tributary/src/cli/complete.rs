//! `tributary complete WORDS`: names that could stand where the last word begins. Completion scripts ask for them while somebody types.
//!
//! Flow: words typed so far → which names are wanted (pure, by the same description that parses them) → a worker is asked for at most
//! a second, or what it said less than ten seconds ago is taken → names, one a line.
//!
//! Invariant: it asks nobody for anything at the terminal, prints nothing but names, and always ends with 0.

use clap::{Arg, Args, Command, CommandFactory as _};
use config::keys::Scope;

use super::ask::{Named, names};
use super::{Cli, Exit};
use crate::output;

/// Names that could stand where the last word begins; for completion scripts.
#[derive(Debug, Args)]
pub(super) struct CompleteArgs {
    /// The words of the command line behind `tributary`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Names of what could stand in a place.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Wanted {
    /// Of what a worker knows, or what is kept here.
    Names(Named),
    /// Keys of links, with what comes behind each.
    Keys(&'static str),
}

/// Prints names, or nothing.
pub(super) async fn run(args: CompleteArgs) -> Exit {
    let mut command = Cli::command();
    command.build();
    let found = match wanted(&command, &args.words) {
        None => Vec::new(),
        Some(Wanted::Names(named)) => {
            let url = given(&args.words, "--url").or_else(|| given(&args.words, "--worker"));
            names(&named, url, given(&args.words, "--context")).await
        }
        Some(Wanted::Keys(behind)) => {
            let scopes = [Scope::Replicator, Scope::Mirror, Scope::Own].into_iter();
            let mut keys: Vec<String> = scopes.flat_map(Scope::names).collect();
            keys.sort_unstable();
            keys.dedup();
            let whole = keys.into_iter().filter(|key| !key.contains('*'));
            whole.map(|key| format!("{key}{behind}")).collect()
        }
    };
    for name in found {
        output::line(&name);
    }
    Exit::Done
}

/// The value of an option among words.
fn given(words: &[String], option: &str) -> Option<String> {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == option {
            return words.next().cloned();
        }
        if let Some(value) = word
            .strip_prefix(option)
            .and_then(|rest| rest.strip_prefix('='))
        {
            return Some(value.to_owned());
        }
    }
    None
}

/// Which names could stand where the last word is.
fn wanted(root: &Command, words: &[String]) -> Option<Wanted> {
    let (last, before) = words.split_last()?;
    let mut command = root;
    let mut verbs: Vec<&str> = Vec::new();
    let mut places: Vec<&str> = Vec::new();
    let mut option: Option<&Arg> = None;
    for word in before {
        if option.take().is_some() {
            continue;
        }
        if word.len() > 1 && word.starts_with('-') {
            let takes = |arg: &&Arg| arg.get_action().takes_values() && !word.contains('=');
            option = find(command, word).filter(takes);
            continue;
        }
        match command.find_subcommand(word) {
            Some(below) if places.is_empty() => {
                verbs.push(below.get_name());
                command = below;
            }
            _ => places.push(word),
        }
    }
    if let Some(option) = option {
        return of_option(option.get_id().as_str(), &verbs, &places);
    }
    match last.starts_with('-') {
        true => None,
        false => of_place(&verbs, &places),
    }
}

/// The option that a word is.
fn find<'a>(command: &'a Command, word: &str) -> Option<&'a Arg> {
    let name = word.split('=').next().unwrap_or(word);
    command.get_arguments().find(|arg| {
        let long = name.strip_prefix("--");
        let short = name.strip_prefix('-').filter(|name| name.len() == 1);
        match (long, short.and_then(|name| name.chars().next())) {
            (Some(long), _) => {
                let aliases = arg.get_all_aliases().unwrap_or_default();
                arg.get_long() == Some(long) || aliases.contains(&long)
            }
            (None, Some(short)) => arg.get_short() == Some(short),
            (None, None) => false,
        }
    })
}

fn of_option(option: &str, verbs: &[&str], places: &[&str]) -> Option<Wanted> {
    let named = match (option, verbs) {
        ("links", _) => Named::Links,
        ("context", _) => Named::Contexts,
        ("topic" | "why", ["get" | "lag" | "preview" | "offsets", ..]) => {
            let link = places.iter().rfind(|place| **place != "partitions")?;
            Named::Topics((*link).to_owned())
        }
        ("set", ["patch"]) => return Some(Wanted::Keys("=")),
        ("remove", ["patch"]) => return Some(Wanted::Keys("")),
        _ => return None,
    };
    Some(Wanted::Names(named))
}

fn of_place(verbs: &[&str], places: &[&str]) -> Option<Wanted> {
    let is_noun = |word: &&str| matches!(*word, "link" | "links" | "connector" | "connectors");
    let mut rest = places;
    if places.first().is_some_and(is_noun) && !matches!(verbs, ["get" | "describe"]) {
        rest = &places[1..];
    }
    let named = match (verbs, rest) {
        (["restart"], ["task", ..]) => Named::Tasks,
        (["resume", "partition"], []) => Named::Links,
        (["resume", "partition"], [link]) => Named::Topics((*link).to_owned()),
        (
            [
                "status" | "lag" | "events" | "pause" | "resume" | "stop" | "restart" | "delete"
                | "patch",
            ],
            _,
        ) => Named::Links,
        (["edit" | "export" | "preview" | "explain"], []) => Named::Links,
        (["offsets", _] | ["config", "effective"], []) => Named::Links,
        (["topics", _], []) => Named::Links,
        (["topics", "resume" | "sync"], [link, ..]) => Named::Topics((*link).to_owned()),
        (["loggers", "set"], []) => Named::Loggers,
        (["config", "use-context" | "remove-context" | "set-context"], []) => Named::Contexts,
        (["get"], [noun, ..]) => of_noun(noun)?,
        (["describe"], ["topic" | "topics" | "partition" | "partitions", link]) => {
            Named::Topics((*link).to_owned())
        }
        (["describe"], [noun]) => of_noun(noun)?,
        _ => return None,
    };
    Some(Wanted::Names(named))
}

/// What stands behind the word for a kind of things.
fn of_noun(noun: &str) -> Option<Named> {
    match noun {
        "link" | "links" | "connector" | "connectors" | "config" => Some(Named::Links),
        "topic" | "topics" | "partition" | "partitions" | "task" | "tasks" => Some(Named::Links),
        "worker" | "workers" => Some(Named::Workers),
        "cluster" | "clusters" => Some(Named::Clusters),
        "logger" | "loggers" => Some(Named::Loggers),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_the_place_where_they_are_to_stand() {
        let mut command = Cli::command();
        command.build();
        let check = |line: &str, expected: Option<Named>| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let expected = expected.map(Wanted::Names);
            assert_eq!(wanted(&command, &words), expected, "{line}");
        };
        let topics = |link: &str| Some(Named::Topics(link.to_owned()));
        check("pause ", Some(Named::Links));
        check("pause a b", Some(Named::Links));
        check("pause link or", Some(Named::Links));
        check("lag --max-records 0 ", Some(Named::Links));
        check("lag --max-records ", None);
        check("lag --max-records=0 ", Some(Named::Links));
        check("lag -", None);
        check("edit a ", None);
        check("restart task ", Some(Named::Tasks));
        check("resume partition ", Some(Named::Links));
        check("resume partition a ", topics("a"));
        check("topics resume a t", topics("a"));
        check("topics refresh a ", None);
        check("get ", None);
        check("get topics ", Some(Named::Links));
        check("get partitions a --topic ", topics("a"));
        check("get workers ", Some(Named::Workers));
        check("get activity --link ", Some(Named::Links));
        check("describe topic a ", topics("a"));
        check("describe cluster ", Some(Named::Clusters));
        check("offsets reset ", Some(Named::Links));
        check("loggers set ", Some(Named::Loggers));
        check("config use-context ", Some(Named::Contexts));
        check("status --context ", Some(Named::Contexts));
        check("replicate --from ", None);
        check("", None);
        let words = ["patch", "a", "-s", "tasks"].map(str::to_owned);
        assert_eq!(wanted(&command, &words), Some(Wanted::Keys("=")));
    }

    #[test]
    fn an_option_is_found_in_both_spellings() {
        let words = ["status", "--url=http://a", "--context", "b"].map(str::to_owned);
        assert_eq!(given(&words, "--url").as_deref(), Some("http://a"));
        assert_eq!(given(&words, "--context").as_deref(), Some("b"));
        assert_eq!(given(&words, "--worker"), None);
    }
}
