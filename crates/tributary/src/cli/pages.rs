//! What the command line says of itself to shells and to `man`: completion scripts and manual pages.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Cli, Exit};
use crate::output;

/// Print the completion of commands and options for a shell; in bash, zsh and fish also of names that the worker knows.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLE\n  \
    tributary completion bash > /etc/bash_completion.d/tributary\n  \
    tributary completion zsh > \"${fpath[1]}/_tributary\"")]
pub(super) struct CompletionArgs {
    /// For which shell
    shell: Shell,
}

/// Write a manual page for each command.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLE\n  tributary man /usr/local/share/man/man1 && man tributary-lag")]
pub(super) struct ManArgs {
    /// The folder; it is made where it is not there
    folder: PathBuf,
}

/// Prints a completion script.
pub(super) fn completion(args: &CompletionArgs) -> Exit {
    output::text(&script(args.shell));
    Exit::Done
}

/// Behind what bash is told of commands and options: where the program knows names, these are meant.
const NAMES_IN_BASH: &str = r#"
_tributary_names() {
    _tributary "$@"
    local name
    # What a link is called is somebody else's text: it is compared and quoted, and never expanded.
    while IFS= read -r name; do
        if [[ $name == "${COMP_WORDS[COMP_CWORD]}"* ]]; then
            COMPREPLY+=("$(printf '%q' "$name")")
        fi
    done < <(tributary complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _tributary_names -o bashdefault -o default tributary
"#;

/// The same for zsh, in front of what clap has written: it stands there under another name, since a file of `fpath` is called by its own.
const NAMES_IN_ZSH: &str = r#"
_tributary() {
    local -a names
    names=(${(f)"$(tributary complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)"})
    # Where none fits, there may be commands, options and files.
    (( $#names )) && compadd -a names && return 0
    _tributary_words "$@"
}
"#;

/// What clap calls its function for zsh, where it is written and where it is told to the shell.
const FUNCTION_IN_ZSH: &str = "_tributary() {";
const TOLD_TO_ZSH: &str = "if [ \"$funcstack[1]\" = \"_tributary\" ]";

/// The same for fish.
const NAMES_IN_FISH: &str = r#"
function __tributary_names
    set -l typed (commandline -opc)
    set -e typed[1]
    set -l last (commandline -ct)
    tributary complete -- $typed "$last" 2>/dev/null
end
complete -c tributary -a '(__tributary_names)'
"#;

fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "tributary", &mut script);
    let mut script = String::from_utf8_lossy(&script).into_owned();
    match shell {
        Shell::Bash => script.push_str(NAMES_IN_BASH),
        Shell::Zsh => {
            script = script.replacen(FUNCTION_IN_ZSH, "_tributary_words() {", 1);
            let told = format!("{NAMES_IN_ZSH}\n{TOLD_TO_ZSH}");
            script = script.replacen(TOLD_TO_ZSH, &told, 1);
        }
        Shell::Fish => script.push_str(NAMES_IN_FISH),
        _ => {}
    }
    script
}

/// Writes manual pages.
pub(super) fn man(args: &ManArgs) -> Exit {
    match write(&args.folder) {
        Ok(()) => Exit::Done,
        Err(error) => {
            let folder = args.folder.display();
            output::error(&format!(
                "manual pages cannot be written to {folder}: {error}"
            ));
            Exit::Error
        }
    }
}

fn write(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Cli::command(), folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All commands below one, with their names as they are typed.
    fn walk(command: &mut clap::Command, name: &str, all: &mut String) {
        all.push_str(&format!("==== {name}\n{}\n", command.render_long_help()));
        let below: Vec<String> = command
            .get_subcommands()
            .map(|one| one.get_name().to_owned())
            .filter(|one| one != "help")
            .collect();
        for one in below {
            let found = command.find_subcommand_mut(&one).expect("listed");
            walk(found, &format!("{name} {one}"), all);
        }
    }

    #[test]
    fn what_every_command_says_of_itself_is_as_it_was_approved() {
        let mut command = Cli::command();
        command.build();
        let mut found = String::new();
        walk(&mut command, "tributary", &mut found);
        found.push_str("==== words of other tools\n");
        found.push_str(&super::super::habits::page(""));
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/help.txt");
        let approved = std::fs::read_to_string(&path).unwrap_or_default();
        if found != approved {
            let now = path.with_extension("new");
            std::fs::write(&now, &found).expect("writable");
            panic!(
                "help has changed: look at the difference between {} and {}, and move the latter over the former",
                path.display(),
                now.display()
            );
        }
    }

    /// Commands whose answers are approved nowhere, and why.
    const UNSEEN: &[(&str, &str)] = &[
        (
            "complete",
            "it is for shells, and tests of completion compare what it prints",
        ),
        (
            "config reference",
            "a page of the documentation, compared by `cargo xtask docs`",
        ),
        (
            "config openapi",
            "a page of the documentation, compared by `cargo xtask docs`",
        ),
        (
            "config metrics",
            "a page of the documentation, compared by `cargo xtask docs`",
        ),
    ];
    /// Commands that take `-o json` and print no document, and why.
    const UNDESCRIBED: &[(&str, &str)] = &[
        ("top", "it draws one document after the other"),
        (
            "topics resume",
            "nothing stands where answers are approved, so that it is refused",
        ),
        (
            "resume partition",
            "nothing stands where answers are approved, so that it is refused",
        ),
    ];
    /// What is listed and cannot be described.
    const LISTED: [&str; 3] = ["activity", "config", "loggers"];

    /// Commands that can be run, by the words they are typed with; each with what it is asked for, where that is one of some words.
    fn runnable(command: &clap::Command, words: &str, all: &mut Vec<(String, bool)>) {
        for below in command.get_subcommands() {
            if below.get_name() == "help" {
                continue;
            }
            let words = format!("{words} {}", below.get_name());
            let words = words.trim_start();
            runnable(below, words, all);
            if below.is_subcommand_required_set() {
                continue;
            }
            let documents = below.get_arguments().find(|arg| arg.get_id() == "output");
            let documents = documents.is_some_and(|arg| {
                let values = arg.get_possible_values();
                values.iter().any(|value| value.get_name() == "json")
            });
            let nouns = below.get_arguments().find(|arg| arg.get_id() == "what");
            let nouns = nouns.map(clap::Arg::get_possible_values);
            match nouns.filter(|_| ["get", "describe"].contains(&words)) {
                None => all.push((words.to_owned(), documents)),
                Some(nouns) => all.extend(nouns.iter().map(|noun| {
                    let names: Vec<&str> = noun.get_name_and_aliases().collect();
                    (format!("{words} {}", names.join("|")), documents)
                })),
            }
        }
    }

    #[test]
    fn every_command_has_an_approved_answer_or_a_reason_for_having_none() {
        let approved = include_str!("../../tests/answers.txt");
        let sections: Vec<(&str, bool)> = approved
            .split("==== tributary ")
            .skip(1)
            .map(|section| {
                let line = section.lines().next().unwrap_or_default();
                (line, section.contains("\n---- json\n"))
            })
            .collect();
        let of = |words: &str| -> Vec<bool> {
            let words: Vec<&str> = words.split(' ').collect();
            let is = |line: &str| {
                let typed: Vec<&str> = line.split(' ').collect();
                let both = words.iter().zip(&typed);
                typed.len() > words.len()
                    && both
                        .into_iter()
                        .all(|(word, typed)| word.split('|').any(|one| one == *typed))
            };
            let found = sections.iter().filter(|(line, _)| is(line));
            found.map(|(_, documents)| *documents).collect()
        };
        let mut command = Cli::command();
        command.build();
        let mut all = Vec::new();
        runnable(&command, "", &mut all);
        assert!(all.len() > 60, "{all:?}");
        let listed = LISTED.map(|noun| format!("describe {noun}"));
        for (words, documents) in all {
            if listed.iter().any(|listed| words.starts_with(listed)) {
                continue;
            }
            let answers = of(&words);
            let unseen = UNSEEN.iter().any(|(known, _)| *known == words);
            assert_ne!(answers.is_empty(), !unseen, "tributary {words}");
            let undescribed = UNDESCRIBED.iter().any(|(known, _)| *known == words);
            if documents && !unseen {
                assert_ne!(
                    answers.contains(&true),
                    undescribed,
                    "tributary {words} -o json"
                );
            }
        }
    }

    #[test]
    fn every_shell_has_a_script_and_every_command_a_page() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = script(shell);
            assert!(script.contains("max-records"), "{shell}");
            assert!(script.contains("tributary complete -- "), "{shell}");
        }
        // Names are asked for by the function that zsh calls.
        let zsh = script(Shell::Zsh);
        for once in ["\n_tributary() {", "_tributary_words() {", TOLD_TO_ZSH] {
            assert_eq!(zsh.matches(once).count(), 1, "{once}");
        }
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path()).expect("writable");
        for page in [
            "tributary.1",
            "tributary-lag.1",
            "tributary-topics-refresh.1",
        ] {
            let text = std::fs::read_to_string(folder.path().join(page)).expect(page);
            assert!(text.contains(".TH"), "{page}");
        }
    }
}
