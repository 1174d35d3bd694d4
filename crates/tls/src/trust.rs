//! How long the peer of an open connection is to be trusted.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, UnixTime};
use tokio::sync::watch;

use crate::reload::Reload;
use crate::server::Loaded;
use crate::{Reason, expiry};

/// The longest sleep; the system's clock may be set in the meantime.
const NAP: Duration = Duration::from_secs(3600);

/// Watches over one connection: its peer's certificate may expire, and new files may revoke it or
/// no longer trust its CA.
pub struct Trust {
    loaded: Arc<Reload<Loaded>>,
    changes: watch::Receiver<()>,
    /// The peer's chain; empty where it has shown none, which nothing can take away.
    chain: Vec<CertificateDer<'static>>,
    not_after: Option<i64>,
}

impl Trust {
    pub(crate) fn new(
        loaded: Arc<Reload<Loaded>>,
        changes: watch::Receiver<()>,
        chain: Vec<CertificateDer<'static>>,
        not_after: Option<i64>,
    ) -> Self {
        Trust {
            loaded,
            changes,
            chain,
            not_after,
        }
    }

    /// Waits until the peer is no longer to be trusted, and says why. May be dropped and called
    /// again.
    pub async fn lost(&mut self) -> Reason {
        loop {
            let Some(not_after) = self.not_after else {
                return std::future::pending().await;
            };
            let left = not_after.saturating_sub(expiry::now());
            let Ok(left) = u64::try_from(left) else {
                return Reason::Expired;
            };
            // `not_after` is the last second that counts.
            let nap = NAP.min(Duration::from_secs(left.saturating_add(1)));
            tokio::select! {
                () = tokio::time::sleep(nap) => {}
                changed = self.changes.changed() => {
                    if changed.is_err() {
                        return std::future::pending().await;
                    }
                    if let Err(reason) = self.verify() {
                        return reason;
                    }
                }
            }
        }
    }

    /// By the files that are in use now.
    fn verify(&self) -> Result<(), Reason> {
        let loaded = self.loaded.current();
        let (Some(verifier), Some((own, others))) = (&loaded.verifier, self.chain.split_first())
        else {
            return Ok(());
        };
        let verified = verifier.verify_client_cert(own, others, UnixTime::now());
        verified.map(|_| ()).map_err(|error| Reason::of(&error))
    }
}
