//! From bytes to an acknowledgement: check, guard, journal.

use std::sync::Arc;

use bytes::Bytes;
use ident::Signal;
use journal::{AppendError, Journal, Record};

use crate::budget::Lease;
use crate::metrics::ListenerMetrics;
use crate::{Guard, Kind, Peer, Refusal, Request};

/// What both transports do with a request once they have its bytes.
pub(crate) struct Intake {
    pub(crate) guard: Arc<dyn Guard>,
    pub(crate) journal: Journal,
}

/// What the sender is told of a request that was taken.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) items: u64,
    pub(crate) rejected_items: u64,
    pub(crate) message: Option<String>,
}

impl Intake {
    /// ACK-DURABLE: returns only once the journal has the request as safe as its `durability`
    /// says. REDACT-FIRST: nothing but what the guard returns goes on.
    pub(crate) async fn take(
        &self,
        peer: &Peer,
        lease: &mut Lease,
        signal: Signal,
        payload: Bytes,
        metrics: &ListenerMetrics,
    ) -> Result<Taken, Refusal> {
        let summary = otlp::check(signal, &payload).map_err(|error| {
            Refusal::new(Kind::Malformed, format!("not OTLP {signal}: {error}"))
        })?;
        let offered = summary.items;
        let admitted = lease
            .admit(Request {
                peer,
                signal,
                summary,
                payload,
            })
            .map_err(|refusal| refusal.with_items(offered))?;
        let taken = Taken {
            items: admitted.summary.items,
            rejected_items: admitted.rejected_items,
            message: admitted.message,
        };
        // A request without items is a success without effect (OTLP specification, "Empty
        // Telemetry Envelopes").
        if admitted.summary.items > 0 {
            let record = Record {
                tenant: admitted.tenant,
                signal,
                items: admitted.summary.items,
                min_time_unix_nano: admitted.summary.min_time_unix_nano,
                max_time_unix_nano: admitted.summary.max_time_unix_nano,
                payload: admitted.payload,
            };
            let appended = self.journal.append(record).await;
            appended.map_err(|error| refusal(&error).with_items(offered))?;
        }
        if taken.rejected_items > 0 {
            metrics.reject(signal, taken.rejected_items);
        }
        Ok(taken)
    }
}

/// What the sender is told where the journal does not take a record: nothing of paths or disks,
/// which the gateway's own log has.
fn refusal(error: &AppendError) -> Refusal {
    match error {
        AppendError::Full { retry_after, .. } => {
            Refusal::retry(Kind::Busy, "the journal is full", *retry_after)
        }
        AppendError::Unavailable {
            retry_after,
            reason,
        } => {
            tracing::debug!(%reason, "the journal cannot write");
            Refusal::retry(
                Kind::Unavailable,
                "the journal cannot write at present",
                *retry_after,
            )
        }
        AppendError::TooLarge { limit, .. } => Refusal::too_large("request", *limit),
        _ => Refusal::retry(
            Kind::Unavailable,
            "the gateway is stopping",
            std::time::Duration::from_secs(1),
        ),
    }
}
