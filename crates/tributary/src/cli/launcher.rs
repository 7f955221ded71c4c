//! The names of other products' programs: called by one of them, this program takes its place, with its arguments and
//! its exit codes.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::Exit;

/// A program whose place is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Launcher {
    /// `connect-standalone`.
    Standalone,
    /// `connect-distributed`.
    Distributed,
    /// `connect-mirror-maker`.
    MirrorMaker,
    /// `replicator`.
    Replicator,
    /// `replicator-verifier`.
    Verifier,
}

const ALL: [(&str, &str, Launcher); 5] = [
    ("connect-standalone", "standalone", Launcher::Standalone),
    ("connect-distributed", "distributed", Launcher::Distributed),
    (
        "connect-mirror-maker",
        "mirror-maker",
        Launcher::MirrorMaker,
    ),
    ("replicator", "replicator", Launcher::Replicator),
    ("replicator-verifier", "preflight", Launcher::Verifier),
];

/// What the verifier calls a worker's address and a link.
const VERIFIED: [(&str, Option<&str>); 2] =
    [("--connect-url", Some("--url")), ("--connector-name", None)];

/// Names of all programs whose place is taken; Kafka's scripts have an ending, which its packages leave out.
pub(super) fn names() -> impl Iterator<Item = String> {
    ALL.iter().flat_map(|(name, _, launcher)| {
        let is_script = !matches!(launcher, Launcher::Replicator | Launcher::Verifier);
        let script = is_script.then(|| format!("{name}.sh"));
        std::iter::once((*name).to_owned()).chain(script)
    })
}

/// The program's arguments as it has them itself, if it was called by another one's name.
pub(super) fn launched() -> Option<(Launcher, Vec<OsString>)> {
    of(std::env::args_os())
}

fn of(mut arguments: impl Iterator<Item = OsString>) -> Option<(Launcher, Vec<OsString>)> {
    let name = arguments.next()?;
    let stem = Path::new(&name).file_name()?.to_str()?;
    let stem = stem
        .strip_suffix(".sh")
        .or_else(|| stem.strip_suffix(".exe"))
        .unwrap_or(stem);
    let (_, command, launcher) = ALL.into_iter().find(|(known, _, _)| *known == stem)?;
    let own = [name, command.into()].into_iter();
    let arguments = match launcher {
        Launcher::Verifier => verified(arguments),
        _ => arguments.collect(),
    };
    Some((launcher, own.chain(arguments).collect()))
}

/// The verifier's arguments as those of the command that takes its place.
fn verified(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut all = Vec::new();
    for argument in arguments {
        let text = argument.to_str().unwrap_or_default();
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        match VERIFIED.iter().find(|(theirs, _)| *theirs == name) {
            Some((_, ours)) => {
                all.extend(ours.map(OsString::from));
                all.extend(value.map(OsString::from));
            }
            None => all.push(argument),
        }
    }
    all
}

impl Launcher {
    /// The code for wrong arguments, and for a request for help.
    pub(super) fn wrong_arguments(self) -> u8 {
        match self {
            Self::MirrorMaker => 255,
            Self::Standalone | Self::Distributed | Self::Replicator | Self::Verifier => 1,
        }
    }

    /// The code for an end: 3 where something could not start or a connector cannot be made, 2 for any other error.
    pub(super) fn code(self, exit: Exit) -> u8 {
        match (self, exit) {
            (_, Exit::Done) => 0,
            (_, Exit::NotStarted | Exit::LinkUsage) => 3,
            // Its own arguments, and files that cannot be used.
            (Self::Replicator, Exit::Usage) => 1,
            // It starts nothing: its codes are those of the command.
            (Self::Verifier, Exit::NotReady) => 3,
            (Self::Verifier, Exit::Error) => 1,
            (_, Exit::Error | Exit::Usage | Exit::NotReady | Exit::TimedOut) => 2,
        }
    }

    /// Whether it can run in the background by itself, which this program leaves to who starts it.
    pub(super) fn refuses_daemon(arguments: &[OsString]) -> bool {
        arguments
            .iter()
            .any(|argument| argument == OsStr::new("-daemon"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_programs_name_says_whose_place_is_taken() {
        let check = |call: &[&str], expected: Option<(Launcher, &[&str])>| {
            let found = of(call.iter().map(OsString::from));
            let expected = expected.map(|(launcher, arguments)| {
                let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
                (launcher, arguments)
            });
            assert_eq!(found, expected);
        };
        check(
            &[
                "/opt/kafka/bin/connect-standalone.sh",
                "w.properties",
                "l.json",
            ],
            Some((
                Launcher::Standalone,
                &[
                    "/opt/kafka/bin/connect-standalone.sh",
                    "standalone",
                    "w.properties",
                    "l.json",
                ],
            )),
        );
        check(
            &["replicator", "--cluster.id", "r"],
            Some((
                Launcher::Replicator,
                &["replicator", "replicator", "--cluster.id", "r"],
            )),
        );
        check(
            &[
                "replicator-verifier",
                "--connect-url",
                "http://a:1",
                "--connector-name=dr",
            ],
            Some((
                Launcher::Verifier,
                &[
                    "replicator-verifier",
                    "preflight",
                    "--url",
                    "http://a:1",
                    "dr",
                ],
            )),
        );
        check(&["/usr/bin/tributary", "standalone"], None);
        check(&[], None);
    }
}
