//! The seam between the outbox and the targets: what is sent, and what an answer means.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use egress::one_line;

use crate::Event;

/// A future in a box, for the seam.
pub(crate) type Sending<'a> = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'a>>;

/// Who is told.
pub(crate) trait Target: Send + Sync + 'static {
    /// Tells it once. `Ok` means that it has taken the message for good. Whoever calls limits the
    /// time; a future that is dropped leaves nothing running.
    fn send<'a>(&'a self, message: &'a Message) -> Sending<'a>;
}

/// An event with the words for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// What happened.
    pub event: Event,
    /// One line without control characters.
    pub title: String,
    /// Lines of text; no control characters but line breaks and tabs.
    pub text: String,
}

/// What a failure is about, which decides what happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The way there, or the target for now: try again later.
    Transient,
    /// It told us to wait.
    Throttled,
    /// It would refuse any message, for instance for a missing token: try again later, since
    /// somebody may mend it.
    Misconfigured,
    /// This message: it goes to the dead letters at once.
    Refused,
}

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What it is about.
    pub class: Class,
    /// How long the target asks us to wait.
    pub retry_after: Option<Duration>,
    /// What happened, on one line, without secrets.
    pub message: String,
}

impl Failure {
    pub(crate) fn new(class: Class, message: impl fmt::Display) -> Self {
        Failure {
            class,
            retry_after: None,
            message: one_line(&message.to_string()),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// A target's name: it stands in metrics and names folders.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetName(String);

impl TargetName {
    /// The longest name in bytes.
    pub const MAX_BYTES: usize = 63;

    /// Reads a name: a lower-case letter, then at most 62 of `a-z 0-9 - _`.
    pub fn parse(text: &str) -> Option<TargetName> {
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        let first = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        let fits = text.len() <= Self::MAX_BYTES;
        (first && fits && text.bytes().all(good)).then(|| TargetName(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TargetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
