//! The order in which a sampler is given blocks to observe and to cut.
//!
//! A block is cut when everything has been observed that was appended within the wait after it, and
//! nothing that was appended later. The caller has two cursors on the journal and asks which of
//! them goes on.

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Cut the block at the cutting cursor.
    Cut,
    /// Observe the block at the observing cursor.
    Observe,
    /// Neither can go on before another block is appended, or before this time if there is one.
    Wait {
        /// In nanoseconds since the Unix epoch, by the journal's clock.
        until_unix_nano: Option<u64>,
    },
}

/// Says whose turn it is.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub(crate) wait: u64,
}

impl Pace {
    /// `observe` and `cut` are the times at which the next block of either cursor was appended, if
    /// there is one. `now` is the journal's clock: no block will be appended with an earlier time
    /// from now on.
    pub fn next(&self, observe: Option<u64>, cut: Option<u64>, now: u64) -> Step {
        let due = cut.map(|time| time.saturating_add(self.wait));
        match (observe, due) {
            (Some(observe), Some(due)) if due <= observe => Step::Cut,
            (Some(_), _) => Step::Observe,
            (None, Some(due)) if due <= now => Step::Cut,
            (None, due) => Step::Wait {
                until_unix_nano: due,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_cut_as_soon_as_it_is_old_enough_and_no_later() {
        let pace = Pace { wait: 10 };
        let wait = |until_unix_nano| Step::Wait { until_unix_nano };
        assert_eq!(pace.next(Some(5), None, 0), Step::Observe);
        assert_eq!(pace.next(Some(5), Some(0), 0), Step::Observe);
        assert_eq!(pace.next(Some(10), Some(0), 0), Step::Cut);
        assert_eq!(pace.next(None, Some(0), 9), wait(Some(10)));
        assert_eq!(pace.next(None, Some(0), 10), Step::Cut);
        assert_eq!(pace.next(None, None, 10), wait(None));
        assert_eq!(pace.next(None, Some(u64::MAX), 10), wait(Some(u64::MAX)));
    }
}
