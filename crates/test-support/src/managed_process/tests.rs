//! Children end with their owner, whichever way it ends.

use super::*;
use crate::eventually::eventually_true;

const SOON: Duration = Duration::from_secs(10);

fn shell(script: &str) -> ManagedProcess {
    ManagedProcess::start(ProcessSpec::new("shell", "sh").arguments(["-c", script]))
        .expect("a shell")
}

fn exists(pid: u32) -> bool {
    // A process that was killed but not yet waited for by its new parent is gone for our purposes.
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        !stat
            .rsplit(')')
            .next()
            .is_some_and(|rest| rest.trim_start().starts_with('Z'))
    })
}

#[tokio::test]
async fn a_dropped_process_is_gone() {
    let process = shell("exec sleep 600");
    let pid = process.pid();
    assert!(exists(pid));
    drop(process);
    assert!(!exists(pid));
}

#[tokio::test]
async fn a_process_lives_on_when_the_thread_that_asked_for_it_ends() {
    let process = std::thread::spawn(|| shell("echo up; exec sleep 600"))
        .join()
        .expect("the thread ends");
    eventually_true("its first line", SOON, async || {
        process.lines().count() == 1
    })
    .await
    .expect("it runs");
    assert_eq!(process.status().expect("known"), None);
}

#[tokio::test]
async fn output_and_exit_status_are_captured() {
    let process = shell("echo out; echo err >&2; exit 3");
    let status = process.wait(SOON).await.expect("it ends");
    assert_eq!(status.code(), Some(3));
    eventually_true("both streams", SOON, async || process.lines().ended())
        .await
        .expect("streams end");
    assert_eq!(process.lines().text(Stream::Output), "out\n");
    assert_eq!(process.lines().text(Stream::Error), "err\n");
    assert!(matches!(
        process.signal(Signal::TERM),
        Err(ProcessError::Ended { .. })
    ));
}

#[tokio::test]
async fn input_reaches_the_process() {
    let spec = ProcessSpec::new("cat", "cat").input(b"one\ntwo\n".to_vec());
    let process = ManagedProcess::start(spec).expect("cat");
    process.wait(SOON).await.expect("its input ends");
    eventually_true("its output", SOON, async || process.lines().ended())
        .await
        .expect("streams end");
    assert_eq!(process.lines().text(Stream::Output), "one\ntwo\n");
}

#[tokio::test]
async fn a_stopped_process_goes_on_when_continued_and_can_be_killed_while_stopped() {
    let process = shell("exec sleep 600");
    process.signal(Signal::STOP).expect("running");
    process.signal(Signal::CONT).expect("running");
    process.signal(Signal::STOP).expect("running");
    process.kill();
    assert!(process.status().expect("known").is_some());
}

#[tokio::test]
async fn the_watchdog_kills_when_its_owner_lets_go() {
    let mut victim = std::process::Command::new("sleep")
        .arg("600")
        .spawn()
        .expect("sleep");
    let watchdog = keeper::watchdog(victim.id()).expect("a shell");
    let mut watchdog = watchdog;
    drop(watchdog.stdin.take());
    let status = victim.wait().expect("the watchdog killed it");
    assert!(!status.success());
    watchdog.wait().expect("it ends");
}
