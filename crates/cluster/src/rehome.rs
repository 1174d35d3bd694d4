//! What is for a member that has left for good, given to the present owners: it is appended to the
//! journal again, marked as passed on, and so goes by today's list.
//!
//! RESTARTABLE: appended before the cursor moves, so after a crash some of it may be there twice.

use std::time::{Duration, Instant};

use ident::{MemberName, Signal};
use journal::{AppendError, Filter, Journal, OpenError, ReadError, Record, Start};
use tokio_util::sync::CancellationToken;

use crate::cluster::Cluster;
use crate::lanes::cursor_of;

/// Why it is not done. It is tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// How long it goes on at once: what else is due must not wait for it.
const AT_ONCE: Duration = Duration::from_millis(500);

/// Gives away what is for a member to which nothing more may go, for a while; and forgets its
/// cursor if that was all.
pub(crate) async fn rehome(
    cluster: &Cluster,
    member: &MemberName,
    stop: &CancellationToken,
) -> Result<(), Fault> {
    let until = Instant::now() + AT_ONCE;
    let journal: &Journal = cluster.journal();
    let name = cursor_of(member);
    let end = journal.stats().newest;
    let mut consumer = journal
        .consumer(&name, Start::At(end))?
        .with_filter(Filter {
            signals: Some(vec![Signal::Traces, Signal::Logs]),
            ..Filter::default()
        });
    let mut part = Vec::new();
    while let Some(block) = consumer.advance().await? {
        if stop.is_cancelled() || Instant::now() >= until {
            return Ok(consumer.flush()?);
        }
        if block.position >= end {
            break;
        }
        let Some(items) = cluster.others(&block, member, &mut part) else {
            return Ok(());
        };
        if items > 0 {
            let record = Record {
                tenant: block.tenant.clone(),
                signal: block.signal,
                items,
                min_time_unix_nano: block.min_time_unix_nano,
                max_time_unix_nano: block.max_time_unix_nano,
                payload: part.clone().into(),
            };
            journal.append(record).await?;
            let count = &cluster.metrics().rehomed;
            count
                .with_label_values(&[block.signal.as_str()])
                .inc_by(items);
        }
        consumer.commit(block.next);
    }
    consumer.flush()?;
    drop(consumer);
    journal.remove_consumer(&name)?;
    tracing::info!(
        member = member.as_str(),
        "what was for a member that has left is with the present owners"
    );
    Ok(())
}
