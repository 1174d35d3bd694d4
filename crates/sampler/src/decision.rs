//! What was decided about a trace, and the few bits that it takes to remember it.

/// Why a trace is kept or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// No policy samples it.
    NoPolicy,
    /// Its spans could not be tracked.
    Untracked,
    /// This policy of the configuration, by index: the first that samples it, or the `drop` that
    /// does.
    Policy(u16),
    /// This override, by its number.
    Override(u8),
}

/// What becomes of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Decision {
    /// Whether it goes on to long-term storage.
    pub kept: bool,
    /// Why.
    pub reason: Reason,
}

const FIRST_OVERRIDE: u16 = 16;
const FIRST_POLICY: u16 = 32;
const KEPT: u16 = 1 << 12;

impl Decision {
    /// No policy samples it.
    pub(crate) const NOT_SAMPLED: Decision = Decision {
        kept: false,
        reason: Reason::NoPolicy,
    };

    /// The decision in 13 bits. Checkpoints hold them: they never change.
    pub(crate) fn code(self) -> u16 {
        let reason = match self.reason {
            Reason::NoPolicy => 0,
            Reason::Untracked => 1,
            Reason::Override(number) => FIRST_OVERRIDE + u16::from(number & 15),
            Reason::Policy(at) => FIRST_POLICY + at.min(KEPT - FIRST_POLICY - 1),
        };
        if self.kept { reason | KEPT } else { reason }
    }

    /// The decision of a code.
    pub(crate) fn from_code(code: u16) -> Decision {
        let reason = match code & (KEPT - 1) {
            0 => Reason::NoPolicy,
            reason @ FIRST_POLICY.. => Reason::Policy(reason - FIRST_POLICY),
            reason @ FIRST_OVERRIDE.. => Reason::Override((reason - FIRST_OVERRIDE) as u8),
            _ => Reason::Untracked,
        };
        Decision {
            kept: code & KEPT != 0,
            reason,
        }
    }
}

/// What a table says of a trace: that it is open and where, or how it was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// Not decided: the state of its spans is in this slot of the ring.
    Open(u32),
    /// Decided.
    Decided {
        tenant: u16,
        decision: Decision,
        /// The epoch in which it was decided, modulo 4; for one that was decided before the epoch
        /// of its last span, any other.
        epoch: u8,
    },
    /// It has moved on to this place of the next generation.
    Moved(u32),
}

const MOVED: u32 = 1 << 30;
const OPEN: u32 = 1 << 31;
/// Tenants that fit.
pub(crate) const MAX_TENANTS: usize = 1 << 15;

impl Entry {
    pub(crate) fn pack(self) -> u32 {
        match self {
            Entry::Open(slot) => OPEN | slot,
            Entry::Moved(place) => MOVED | place,
            Entry::Decided {
                tenant,
                decision,
                epoch,
            } => {
                u32::from(tenant) & (MAX_TENANTS as u32 - 1)
                    | u32::from(decision.code()) << 15
                    | u32::from(epoch & 3) << 28
            }
        }
    }

    pub(crate) fn unpack(bits: u32) -> Entry {
        if bits & OPEN != 0 {
            return Entry::Open(bits & !OPEN);
        }
        if bits & MOVED != 0 {
            return Entry::Moved(bits & !MOVED);
        }
        Entry::Decided {
            tenant: (bits & (MAX_TENANTS as u32 - 1)) as u16,
            decision: Decision::from_code((bits >> 15) as u16 & 0x1fff),
            epoch: (bits >> 28) as u8 & 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_decision_survives_packing() {
        let reasons = [Reason::NoPolicy, Reason::Untracked].into_iter();
        let reasons = reasons
            .chain((0..16).map(Reason::Override))
            .chain((0..256).map(Reason::Policy));
        for reason in reasons {
            for kept in [false, true] {
                let decision = Decision { kept, reason };
                assert_eq!(Decision::from_code(decision.code()), decision);
                let entry = Entry::Decided {
                    tenant: 32_767,
                    decision,
                    epoch: 3,
                };
                assert_eq!(Entry::unpack(entry.pack()), entry);
            }
        }
        let open = Entry::Open((1 << 31) - 1);
        assert_eq!(Entry::unpack(open.pack()), open);
        let moved = Entry::Moved((1 << crate::generation::PLACE_BITS) - 1);
        assert_eq!(Entry::unpack(moved.pack()), moved);
    }
}
