//! Starting it, and what its end means.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Child;

use super::{Config, encode};
use crate::config::ConfigError;
use crate::target::{Class, Failure, Message, Sending, Target};

/// The most that is kept of what it says on its standard error.
const MAX_SAID_BYTES: usize = 4 << 10;
/// `EX_DATAERR` of sysexits.h: the event is at fault.
const REFUSED: i32 = 65;
/// How long what it left running may hold its standard error open.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A program.
pub(crate) struct Command {
    config: Config,
}

impl Command {
    pub(crate) fn new(config: &Config) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Command {
            config: config.clone(),
        })
    }

    async fn send_once(&self, message: &Message) -> Result<(), Failure> {
        let Some((program, arguments)) = self.config.run.split_first() else {
            return Err(Failure::new(Class::Misconfigured, "no program"));
        };
        let started = tokio::process::Command::new(program)
            .args(arguments)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Of its own, so that what it starts ends with it.
            .process_group(0)
            .kill_on_drop(true)
            .spawn();
        let mut child = started.map_err(|error| {
            let text = format!("{program} does not start: {error}");
            Failure::new(Class::Misconfigured, text)
        })?;
        let _group = Group::of(&child);
        let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
        let line = encode::line(message);
        let feed = async {
            if let Some(mut stdin) = stdin {
                // A program need not read what it is given; its exit code speaks.
                let _ = stdin.write_all(&line).await;
            }
        };
        let mut said = Vec::new();
        let ended = {
            let listen = async {
                if let Some(stderr) = stderr {
                    let _ = drain(stderr, &mut said).await;
                }
            };
            let run = async {
                let (ended, ()) = tokio::join!(child.wait(), feed);
                ended
            };
            let mut listen = std::pin::pin!(listen);
            let mut run = std::pin::pin!(run);
            tokio::select! {
                ended = &mut run => {
                    let _ = tokio::time::timeout(LAST_WORDS, listen).await;
                    ended
                }
                () = &mut listen => run.await,
            }
        };
        verdict(ended, &String::from_utf8_lossy(&said))
    }
}

/// Reads to the end and keeps the beginning (BOUNDED).
async fn drain(mut from: impl AsyncRead + Unpin, kept: &mut Vec<u8>) -> io::Result<()> {
    let mut buffer = [0; 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        let room = MAX_SAID_BYTES - kept.len();
        let piece = buffer.get(..read.min(room)).unwrap_or_default();
        kept.extend_from_slice(piece);
    }
}

fn verdict(ended: io::Result<ExitStatus>, said: &str) -> Result<(), Failure> {
    let status = ended.map_err(|error| Failure::new(Class::Transient, error))?;
    if status.success() {
        return Ok(());
    }
    let class = match status.code() {
        Some(REFUSED) => Class::Refused,
        _ => Class::Transient,
    };
    let said = said.trim();
    let colon = if said.is_empty() { "" } else { ": " };
    Err(Failure::new(class, format!("{status}{colon}{said}")))
}

/// Ends the program and all that it started, also when the time is over and this is dropped.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Group {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Group(id.and_then(Pid::from_raw))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Nobody of it may be left.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Target for Command {
    fn send<'a>(&'a self, message: &'a Message) -> Sending<'a> {
        Box::pin(self.send_once(message))
    }
}
