//! What looks like personal data or a secret within a string value.
//!
//! Every string value of every span, log record and metric point passes through
//! [`Detectors::scan`], so almost all of its time goes into finding nothing. A first look at the
//! classes of bytes (`glance`) dismisses most values; a second pass over the bytes
//! (`prefilter`) says which detectors are worth running on the others.
//!
//! Guarantees: no panic and no unsafe, whatever the value; time linear in the value's length; no
//! allocation but what `found` grows by; ranges lie on character boundaries, are sorted and do
//! not overlap, and no byte of any detector's match is outside of them.
//!
//! Does not know of attributes' names, of what happens to a finding, or of OTLP: that is the
//! redaction's.

mod error;
mod glance;
mod pattern;
mod prefilter;
mod scan;
mod spec;
mod validate;

#[cfg(test)]
mod tests;

pub use error::CompileError;
pub use spec::{Builtin, Spec};

use glance::Glances;
use pattern::Patterns;
use prefilter::Signs;
use scan::{Out, Scanner};
use std::cmp::Reverse;

/// The most detectors a set may have.
pub const MAX_DETECTORS: usize = 512;

/// A range of a value that a detector has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Where it begins, in bytes, on a character boundary.
    pub start: usize,
    /// Where it ends, in bytes, on a character boundary.
    pub end: usize,
    /// The detector's index within its set.
    pub detector: u16,
}

/// A compiled set of detectors.
#[derive(Clone)]
pub struct Detectors {
    names: Vec<String>,
    /// The shipped ones of the set.
    steps: Vec<(u16, Scanner)>,
    /// The signs that any of them is interested in, and for each sign, which of them are: a bit
    /// each.
    signs: Signs,
    by_sign: [u64; Signs::BITS as usize],
    /// What any of them shows at a glance, and which of them may show nothing but dots.
    glances: Glances,
    dotted: u64,
    patterns: Option<Patterns>,
}

// A shipped detector has one bit in `by_sign`.
const _: () = assert!(Builtin::ALL.len() <= u64::BITS as usize);

impl std::fmt::Debug for Detectors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Detectors").field(&self.names).finish()
    }
}

/// What a first look at a value shows, before any detector runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// There is surely nothing to find.
    Nothing,
    /// Nothing but dots between digits.
    Dotted,
    /// These signs.
    Signs(Signs),
}

impl Detectors {
    /// Compiles a set. A detector's index is its place in `specs`.
    ///
    /// # Errors
    /// Says which entry is wrong, where, and what to do about it.
    pub fn compile(specs: &[Spec]) -> Result<Detectors, CompileError> {
        let too_many = CompileError::TooMany {
            count: specs.len(),
            limit: MAX_DETECTORS,
        };
        if specs.len() > MAX_DETECTORS {
            return Err(too_many);
        }
        let mut set = Detectors::none();
        let mut sources = Vec::new();
        for (detector, spec) in (0u16..).zip(specs) {
            let name = match spec {
                Spec::Builtin(builtin) => {
                    set.add(detector, scan::scanner(*builtin));
                    builtin.name()
                }
                Spec::Pattern { name, regex } => {
                    sources.push((detector, name.as_str(), regex.as_str()));
                    name
                }
            };
            if set.names.iter().any(|known| known == name) {
                return Err(CompileError::Duplicate {
                    name: name.to_owned(),
                });
            }
            set.names.push(name.to_owned());
        }
        set.patterns = Patterns::compile(&sources)?;
        Ok(set)
    }

    fn add(&mut self, detector: u16, scanner: Scanner) {
        // A second of the same kind would have no bit left; it is refused by its name.
        if self.steps.len() < u64::BITS as usize {
            for (i, steps) in self.by_sign.iter_mut().enumerate() {
                *steps |= u64::from(scanner.any >> i & 1) << self.steps.len();
            }
            self.signs |= scanner.any;
            self.glances |= scanner.glances;
            self.dotted |= u64::from(scanner.glances & glance::DOTTED != 0) << self.steps.len();
            self.steps.push((detector, scanner));
        }
    }

    /// The set that finds nothing.
    #[must_use]
    pub fn none() -> Detectors {
        Detectors {
            names: Vec::new(),
            steps: Vec::new(),
            signs: 0,
            by_sign: [0; Signs::BITS as usize],
            glances: 0,
            dotted: 0,
            patterns: None,
        }
    }

    /// Whether the set has no detector.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// How many detectors the set has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// A detector's name; empty if the set has no such detector.
    #[must_use]
    pub fn name(&self, detector: u16) -> &str {
        self.names
            .get(usize::from(detector))
            .map_or("", String::as_str)
    }

    /// Whether [`scan`](Self::scan) may find something in the decimal text of a number.
    #[inline]
    #[must_use]
    pub fn may_find_number(&self, number: i64) -> bool {
        self.patterns.is_some() || number.unsigned_abs() >= glance::LEAST_NUMBER
    }

    /// Appends what is found, sorted by start and without overlaps. Where matches overlap, one
    /// range covers them all and carries the detector of the leftmost, then longest, then first
    /// in the set. Returns whether anything was found.
    pub fn scan(&self, value: &str, found: &mut Vec<Found>) -> bool {
        let value = value.as_bytes();
        match self.look(value) {
            Look::Nothing => false,
            look => self.scan_closer(value, look, found),
        }
    }

    /// A first look at a value, which costs less than proving that it is UTF-8.
    #[inline]
    pub(crate) fn look(&self, value: &[u8]) -> Look {
        match self.look_for_shipped(value) {
            // Patterns have no signs.
            Look::Nothing if self.patterns.is_some() => Look::Signs(0),
            look => look,
        }
    }

    /// The rest of [`scan`](Self::scan) after a first look at the same value. Where anything is
    /// found in a value that is not UTF-8, its ranges may lie within characters.
    pub(crate) fn scan_closer(&self, value: &[u8], look: Look, found: &mut Vec<Found>) -> bool {
        let before = found.len();
        match look {
            Look::Nothing => return false,
            Look::Dotted => self.run(value, self.dotted, Signs::MAX, found),
            Look::Signs(seen) => self.run_signed(value, seen, found),
        }
        if let Some(patterns) = &self.patterns
            && let Ok(value) = std::str::from_utf8(value)
        {
            patterns.scan(value, found);
        }
        if found.len() == before {
            return false;
        }
        merge(found, before);
        true
    }

    /// The two passes that dismiss most values.
    #[inline]
    fn look_for_shipped(&self, value: &[u8]) -> Look {
        let glances = glance::glances(value) & self.glances;
        if glances == 0 {
            return Look::Nothing;
        }
        if glances == glance::DOTTED {
            return Look::Dotted;
        }
        self.look_for_signs(value)
    }

    #[inline(never)]
    fn look_for_signs(&self, value: &[u8]) -> Look {
        if glance::is_hex_id(value) {
            return Look::Nothing;
        }
        match prefilter::signs(value) {
            seen if seen & self.signs == 0 => Look::Nothing,
            seen => Look::Signs(seen),
        }
    }

    /// Runs the shipped detectors whose signs have been seen.
    fn run_signed(&self, value: &[u8], seen: Signs, found: &mut Vec<Found>) {
        let mut wanted = 0;
        let mut signs = seen & self.signs;
        while signs != 0 {
            wanted |= self.by_sign[signs.trailing_zeros() as usize];
            signs &= signs - 1;
        }
        self.run(value, wanted, seen, found);
    }

    /// Runs those of the `wanted` whose other signs have been seen too.
    fn run(&self, value: &[u8], mut wanted: u64, seen: Signs, found: &mut Vec<Found>) {
        while wanted != 0 {
            let (detector, scanner) = &self.steps[wanted.trailing_zeros() as usize];
            wanted &= wanted - 1;
            if seen & scanner.all == scanner.all {
                let mut out = Out {
                    found,
                    detector: *detector,
                };
                (scanner.scan)(value, &mut out);
            }
        }
    }
}

/// Sorts what follows `from` and joins what overlaps.
fn merge(found: &mut Vec<Found>, from: usize) {
    let Some(new) = found.get_mut(from..) else {
        return;
    };
    new.sort_unstable_by_key(|one| (one.start, Reverse(one.end), one.detector));
    let mut last = 0;
    for i in 1..new.len() {
        if new[i].start < new[last].end {
            new[last].end = new[last].end.max(new[i].end);
        } else {
            last += 1;
            new[last] = new[i];
        }
    }
    found.truncate(from + last + 1);
}
