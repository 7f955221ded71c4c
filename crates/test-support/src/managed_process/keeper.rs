//! Starting children so that they end with this process.
//!
//! The kernel's "parent death signal" is sent when the *thread* that started the child ends. Test threads and the
//! runtime's threads come and go, so all children are started by one thread that lives as long as the process.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{SyncSender, sync_channel};

use super::Guarded;
use crate::environment;

type Answer = std::io::Result<Child>;

struct Request {
    command: Command,
    answer: SyncSender<Answer>,
}

/// A command for `program` that the kernel kills when we end, where the system can do that.
pub(super) fn dies_with_us(program: &Path) -> Guarded {
    match environment::program("setpriv") {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL", "--"]).arg(program);
            Guarded {
                command,
                needs_watchdog: false,
            }
        }
        None => Guarded {
            command: Command::new(program),
            needs_watchdog: true,
        },
    }
}

/// Starts a shell that kills `pid` when this process is gone. Without a shell there is no such guard.
pub(super) fn watchdog(pid: u32) -> Option<Child> {
    let mut command = Command::new("sh");
    command
        .args(["-c", "read -r _; kill -KILL \"$1\"", "sh", &pid.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    spawn(command).ok()
}

/// Starts a command from the thread that never ends.
pub(super) fn spawn(command: Command) -> Answer {
    static KEEPER: OnceLock<std::io::Result<SyncSender<Request>>> = OnceLock::new();
    let gone = || std::io::Error::other("the thread that starts processes is gone");
    let keeper = KEEPER.get_or_init(start).as_ref().map_err(|_| gone())?;
    let (answer, answered) = sync_channel(1);
    keeper
        .send(Request { command, answer })
        .map_err(|_| gone())?;
    answered.recv().map_err(|_| gone())?
}

fn start() -> std::io::Result<SyncSender<Request>> {
    let (sender, requests) = sync_channel::<Request>(1);
    std::thread::Builder::new()
        .name("process-keeper".to_owned())
        .spawn(move || {
            for mut request in requests {
                let _ = request.answer.send(request.command.spawn());
            }
        })?;
    Ok(sender)
}
