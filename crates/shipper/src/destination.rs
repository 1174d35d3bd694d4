//! The seam between the core and the destinations: what is sent, and what an answer means.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use egress::one_line;

use crate::batch::Batch;

/// A future in a box, for the seam.
pub(crate) type Answering<'a> =
    Pin<Box<dyn Future<Output = Result<Accepted, Failure>> + Send + 'a>>;

/// What a shipper carries to.
pub(crate) trait Destination: Send + Sync + 'static {
    /// Sends a batch once. `Ok` means that the destination has taken it for good.
    fn send<'a>(&'a self, batch: &'a Batch) -> Answering<'a>;

    /// The most batches that it makes sense to send at once.
    fn max_in_flight(&self) -> usize;

    /// Called about once a second, from a blocking thread.
    fn tick(&self) {}
}

/// The destination has taken the batch, maybe without some items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Accepted {
    /// Items that it rejected for good (OTLP's partial success).
    pub rejected: u64,
    /// What it said about them, if anything.
    pub message: String,
}

/// What a failure is about, which decides what happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// The way there, or the destination for now: try again later.
    Transient,
    /// It told us to wait: it is alive.
    Throttled,
    /// It would refuse any data, for instance for a missing token: try again later, loudly. Good
    /// data is never put aside for it.
    Misconfigured,
    /// It may be the data or the destination. It is taken to be the data if the destination takes
    /// other data in the meantime.
    Unclear,
    /// The data: narrow it down.
    Refused,
}

/// Why a batch was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub class: Class,
    /// How long the destination asks us to wait.
    pub retry_after: Option<Duration>,
    /// The code, such as `INVALID_ARGUMENT` or `HTTP 400`; safe for logs.
    pub code: String,
    /// What the destination or the system said. It may quote data, so where the failure is about
    /// the data it is kept from logs. Without secrets.
    pub message: String,
}

impl Failure {
    pub(crate) fn new(class: Class, code: impl Into<String>, message: &str) -> Self {
        Failure {
            class,
            retry_after: None,
            code: code.into(),
            message: one_line(message),
        }
    }

    /// For logs and for people: what happened, without what may quote data.
    pub(crate) fn summary(&self) -> String {
        let quotes_data = matches!(self.class, Class::Refused | Class::Unclear);
        match (self.code.is_empty(), quotes_data || self.message.is_empty()) {
            (_, true) => self.code.clone(),
            (true, false) => self.message.clone(),
            (false, false) => format!("{}: {}", self.code, self.message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_quote_data_stays_out_of_logs() {
        let failure = |class| Failure::new(class, "INVALID_ARGUMENT", "bad name `alice`").summary();
        assert_eq!(failure(Class::Refused), "INVALID_ARGUMENT");
        assert_eq!(
            failure(Class::Misconfigured),
            "INVALID_ARGUMENT: bad name `alice`"
        );
    }
}
