//! `tributary install-launchers`: links by whose names this program takes the place of others.

use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Exit, launcher};
use crate::output;

/// Make links to this program under the names of those whose place it takes.
///
/// Kafka's scripts have `.sh` behind their names and packages of it have not, so that those come in both forms. What lies there already under such a
/// name and is another program stays.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLE\n  tributary install-launchers /usr/local/bin")]
pub(super) struct LaunchersArgs {
    /// The folder; it is made where it is not there
    folder: PathBuf,
}

/// Runs the command.
pub(super) fn run(args: &LaunchersArgs) -> Exit {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => {
            output::error(&format!("it is not known where this program lies: {error}"));
            return Exit::Error;
        }
    };
    match install(&program, &args.folder) {
        Ok(made) => {
            let mut exit = Exit::Done;
            for (path, made) in made {
                let path = path.display();
                match made {
                    Made::Now => output::line(&format!("{path} created")),
                    Made::Before => output::line(&format!("{path} unchanged")),
                    Made::BySomebody => {
                        output::error(&format!("{path} is another program, and stays"));
                        exit = Exit::Error;
                    }
                }
            }
            exit
        }
        Err(error) => {
            output::error(&format!("{}: {error}", args.folder.display()));
            Exit::Error
        }
    }
}

/// Since when a link is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Made {
    Now,
    Before,
    BySomebody,
}

fn install(program: &Path, folder: &Path) -> std::io::Result<Vec<(PathBuf, Made)>> {
    std::fs::create_dir_all(folder)?;
    let ours = program.canonicalize().ok();
    let mut all = Vec::new();
    for name in launcher::names() {
        let path = folder.join(name);
        let made = match symlink(program, &path) {
            Ok(()) => Made::Now,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                // One that leads nowhere leads to no program of ours either.
                match path.canonicalize().ok() == ours {
                    true => Made::Before,
                    false => Made::BySomebody,
                }
            }
            Err(error) => return Err(error),
        };
        all.push((path, made));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_made_once_and_what_is_another_program_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("tributary");
        std::fs::write(&program, "ours").expect("written");
        let bin = folder.path().join("bin");
        let of = |name: &str, all: &[(PathBuf, Made)]| {
            let found = all.iter().find(|(path, _)| path.ends_with(name));
            found.map(|(_, made)| *made)
        };
        let made = install(&program, &bin).expect("a folder");
        for name in [
            "connect-distributed",
            "connect-distributed.sh",
            "replicator",
        ] {
            assert_eq!(of(name, &made), Some(Made::Now), "{name}");
            let read = std::fs::read_to_string(bin.join(name)).expect(name);
            assert_eq!(read, "ours");
        }
        std::fs::remove_file(bin.join("replicator")).expect("it is there");
        std::fs::write(bin.join("replicator"), "theirs").expect("written");
        let again = install(&program, &bin).expect("a folder");
        assert_eq!(of("connect-standalone", &again), Some(Made::Before));
        assert_eq!(of("replicator", &again), Some(Made::BySomebody));
        let left = std::fs::read_to_string(bin.join("replicator")).expect("there");
        assert_eq!(left, "theirs");
    }
}
