//! When changed files are taken: only once they have stood still from one look to the next.
//!
//! A certificate and its key are two files, so a look can fall between two writes. Files that are
//! the same at two looks in a row are finished, whichever way they were written.

type Digest = [u8; 32];

/// What is known of the files' contents.
#[derive(Debug)]
pub(crate) struct Settle {
    /// The contents that were last taken or refused; both need no second try.
    judged: Digest,
    /// Other contents, seen once.
    seen: Option<Digest>,
}

impl Settle {
    pub(crate) fn new(judged: Digest) -> Self {
        Settle { judged, seen: None }
    }

    /// Whether contents that are found now are to be taken. Whoever is told so does it at once,
    /// and whatever comes of it, the same contents are not offered again.
    pub(crate) fn found(&mut self, now: Digest) -> bool {
        if now == self.judged {
            self.seen = None;
            return false;
        }
        if self.seen.replace(now) != Some(now) {
            return false;
        }
        self.judged = now;
        self.seen = None;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn content(byte: u8) -> Digest {
        [byte; 32]
    }

    #[test]
    fn contents_are_taken_once_they_stand_still() {
        let mut settle = Settle::new(content(0));
        let looks = [
            (0, false), // nothing new
            (1, false), // half written
            (2, false), // finished
            (2, true),  // still the same
            (2, false), // taken, or refused, already
            (3, false),
            (2, false), // put back before anyone took it
            (3, false),
            (3, true),
            (0, false),
            (0, true), // what was good before is good again
        ];
        for (step, (now, taken)) in looks.into_iter().enumerate() {
            assert_eq!(settle.found(content(now)), taken, "step {step}");
        }
    }
}
