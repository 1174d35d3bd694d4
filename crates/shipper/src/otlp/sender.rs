//! One request at a time, for the command line: no journal, no cursor, no retries.

use std::time::Duration;

use bytes::Bytes;
use ident::{Signal, TenantId};
use journal::Position;

use super::{Config, Otlp};
use crate::batch::{Batch, Chunk};
use crate::config::ConfigError;
use crate::destination::{Class, Destination};
use egress::Connector;

/// Sends single requests to an OTLP receiver.
pub struct Sender(Otlp);

/// What the receiver took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Items that it rejected for good (OTLP's partial success).
    pub rejected_items: u64,
    /// What it said about them, if anything.
    pub message: String,
}

/// Why the receiver did not take a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{}{message}", code, if code.is_empty() || message.is_empty() { "" } else { ": " })]
pub struct SendError {
    /// The code, such as `INVALID_ARGUMENT` or `HTTP 400`; empty where there was no answer.
    pub code: String,
    /// What the receiver or the system said.
    pub message: String,
    /// Whether the same request may be taken later.
    pub retryable: bool,
    /// How long the receiver asks to wait.
    pub retry_after: Option<Duration>,
}

impl Sender {
    /// A sender that connects when it first sends.
    ///
    /// # Errors
    /// If the endpoint or a header cannot be used.
    pub fn new(config: &Config, connector: Connector) -> Result<Self, ConfigError> {
        Ok(Sender(Otlp::new(config, connector)?))
    }

    /// Sends a serialized `Export…ServiceRequest` once.
    ///
    /// # Errors
    /// If the receiver did not take it.
    pub async fn send(&self, signal: Signal, payload: Bytes) -> Result<Receipt, SendError> {
        let batch = Batch {
            tenant: TenantId::default_tenant(),
            signal,
            chunks: vec![Chunk {
                bytes: payload,
                items: 0,
                entry: 0,
                position: Position::default(),
            }],
        };
        match self.0.send(&batch).await {
            Ok(accepted) => Ok(Receipt {
                rejected_items: accepted.rejected,
                message: accepted.message,
            }),
            Err(failure) => Err(SendError {
                retryable: matches!(failure.class, Class::Transient | Class::Throttled),
                retry_after: failure.retry_after,
                code: failure.code,
                message: failure.message,
            }),
        }
    }
}
