//! Bytes in flight, in total and for each connection (BOUNDED).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use meter::Gauge;

use crate::{Admitted, Pass, Refusal, Request};

/// An amount of bytes of which parts can be taken and given back.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: usize,
    used: AtomicUsize,
    shown: Option<Gauge>,
}

impl Budget {
    pub(crate) fn new(limit: usize, shown: Option<Gauge>) -> Arc<Self> {
        Arc::new(Budget {
            limit,
            used: AtomicUsize::new(0),
            shown,
        })
    }

    fn take(&self, bytes: usize) -> bool {
        let taken = self
            .used
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
                used.checked_add(bytes).filter(|sum| *sum <= self.limit)
            });
        if let (Ok(_), Some(gauge)) = (taken, &self.shown) {
            gauge.add(bytes as f64);
        }
        taken.is_ok()
    }

    fn give(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::AcqRel);
        if let Some(gauge) = &self.shown {
            gauge.sub(bytes as f64);
        }
    }

    #[cfg(test)]
    fn used(&self) -> usize {
        self.used.load(Ordering::Acquire)
    }
}

/// What one request has taken of two budgets; given back when it is dropped.
pub(crate) struct Lease {
    total: Arc<Budget>,
    connection: Arc<Budget>,
    /// What the guard let the request in with; it may have limits of its own.
    pass: Box<dyn Pass>,
    bytes: usize,
}

impl Lease {
    pub(crate) fn new(total: &Arc<Budget>, connection: &Arc<Budget>, pass: Box<dyn Pass>) -> Self {
        Lease {
            total: Arc::clone(total),
            connection: Arc::clone(connection),
            pass,
            bytes: 0,
        }
    }

    /// Takes `bytes` more of both, if the guard allows.
    ///
    /// # Errors
    /// The sender is to wait where others are in the way; where the request alone is more than a
    /// limit, waiting would not help and it is too large.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Refusal> {
        let limit = self.total.limit.min(self.connection.limit);
        if self.bytes.saturating_add(bytes) > limit {
            return Err(Refusal::too_large("request with its decoded forms", limit));
        }
        self.pass.hold(bytes)?;
        if !self.connection.take(bytes) {
            return Err(Refusal::busy("bytes in flight on this connection"));
        }
        if !self.total.take(bytes) {
            self.connection.give(bytes);
            return Err(Refusal::busy("bytes in flight"));
        }
        self.bytes += bytes;
        Ok(())
    }

    /// The guard's decision about the request.
    pub(crate) fn admit(&mut self, request: Request<'_>) -> Result<Admitted, Refusal> {
        self.pass.admit(request)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.connection.give(self.bytes);
        self.total.give(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, OpenGuard};
    use ident::TenantId;

    fn pass() -> Box<dyn Pass> {
        Box::new(OpenGuard::new(TenantId::default_tenant()))
    }

    #[test]
    fn bounded_by_both_and_given_back() {
        let total = Budget::new(10, None);
        let (one, two) = (Budget::new(8, None), Budget::new(8, None));
        let mut first = Lease::new(&total, &one, pass());
        assert_eq!(first.grow(9).unwrap_err().kind, Kind::TooLarge);
        assert!(first.grow(8).is_ok());
        assert_eq!(first.grow(1).unwrap_err().kind, Kind::TooLarge);
        let mut second = Lease::new(&total, &two, pass());
        assert_eq!(second.grow(3).unwrap_err().kind, Kind::Busy);
        assert_eq!((total.used(), two.used()), (8, 0));
        drop(first);
        assert!(second.grow(8).is_ok());
        drop(second);
        assert_eq!((total.used(), one.used(), two.used()), (0, 0, 0));
    }
}
