//! `tributary resume partition`: tells a worker to let one partition go on that stands.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Exit;
use crate::output;

/// How long the worker may take.
const LIMIT: Duration = Duration::from_secs(30);
/// The longest answer that is read, in bytes.
const LONGEST: u64 = 1024 * 1024;

/// What is resumed.
#[derive(Debug, Subcommand)]
pub(crate) enum ResumeVerb {
    /// Let one partition go on that stands; nothing else is restarted
    Partition(PartitionArgs),
}

/// Which partition, and what is said to it.
#[derive(Debug, Args)]
#[command(
    after_help = "EXAMPLE\n  tributary resume partition west-to-central orders/3 --continue --expect-offset 1042"
)]
pub(crate) struct PartitionArgs {
    /// The link
    link: String,

    /// The source topic and the number of its partition
    #[arg(value_name = "TOPIC/P")]
    partition: String,

    /// Leave out what the destination does not take, or what cannot be read
    #[arg(long, group = "action")]
    skip_record: bool,

    /// Go on behind what is missing at the source
    #[arg(long, group = "action")]
    r#continue: bool,

    /// Copy a source topic that was made anew, from its first record
    #[arg(long, group = "action")]
    append: bool,

    /// Copy everything that the source still has
    #[arg(long, group = "action")]
    recopy: bool,

    /// Only if it stands at this offset
    #[arg(long, value_name = "N")]
    expect_offset: Option<i64>,

    /// Address of the worker's REST API
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8083")]
    worker: String,

    /// A file with the value of the Authorization header, where the worker wants one
    #[arg(long, value_name = "FILE")]
    authorization_file: Option<std::path::PathBuf>,
}

impl PartitionArgs {
    fn action(&self) -> &'static str {
        let actions = [
            (self.skip_record, "skip-record"),
            (self.r#continue, "continue"),
            (self.append, "append"),
            (self.recopy, "recopy"),
        ];
        let chosen = actions.into_iter().find(|(chosen, _)| *chosen);
        chosen.map_or("resume", |(_, name)| name)
    }
}

/// Runs the command.
pub(super) async fn run(verb: ResumeVerb) -> Exit {
    let ResumeVerb::Partition(args) = verb;
    let Some((topic, number)) = args.partition.rsplit_once('/') else {
        output::error("a partition is written TOPIC/P, for instance orders/3");
        return Exit::Usage;
    };
    let Ok(number) = number.parse::<u32>() else {
        output::error(&format!("{number} is not the number of a partition"));
        return Exit::Usage;
    };
    let path = format!(
        "/api/v1/links/{}/topics/{}/partitions/{number}:resume",
        encoded(&args.link),
        encoded(topic)
    );
    let body = json!({"action": args.action(), "expected_offset": args.expect_offset});
    let body = body.to_string();
    let authorization = match &args.authorization_file {
        None => None,
        Some(file) => match std::fs::read_to_string(file) {
            Ok(text) => Some(text.trim().to_owned()),
            Err(error) => {
                output::error(&format!("{}: {error}", file.display()));
                return Exit::Error;
            }
        },
    };
    let asked = ask(&args.worker, &path, &body, authorization.as_deref());
    match timeout(LIMIT, asked).await {
        Ok(Ok((202, _))) => {
            output::line(&format!("{} of {} goes on", args.partition, args.link));
            Exit::Done
        }
        Ok(Ok((status, answer))) => {
            let message = serde_json::from_str::<Value>(&answer).ok();
            let message = message.and_then(|value| Some(value["message"].as_str()?.to_owned()));
            output::error(&message.unwrap_or_else(|| format!("the worker answers {status}")));
            Exit::Error
        }
        Ok(Err(error)) => {
            output::error(&format!(
                "{}: {error}; --worker names the address of the worker's REST API",
                args.worker
            ));
            Exit::Error
        }
        Err(_) => {
            output::error(&format!("{} did not answer within {LIMIT:?}", args.worker));
            Exit::Error
        }
    }
}

/// Characters that stand for themselves in a path stay; all others are written as numbers.
fn encoded(text: &str) -> String {
    let mut path = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path
}

/// One request in HTTP/1.0, whose answer ends with its connection.
async fn ask(
    worker: &str,
    path: &str,
    body: &str,
    authorization: Option<&str>,
) -> std::io::Result<(u16, String)> {
    let address = worker.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(address).await?;
    let authorization = authorization
        .map(|value| format!("Authorization: {value}\r\n"))
        .unwrap_or_default();
    let request = format!(
        "POST {path} HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/json\r\n{authorization}Content-Length: {}\r\n\r\n\
         {body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|text| text.parse().ok());
    let status = status.ok_or_else(|| std::io::Error::other("it does not speak HTTP"))?;
    Ok((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_so_that_they_are_one_part_of_a_path() {
        assert_eq!(encoded("orders.eu-1"), "orders.eu-1");
        assert_eq!(encoded("a->b/c d"), "a-%3Eb%2Fc%20d");
    }
}
