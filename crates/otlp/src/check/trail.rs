//! The way to a fault, kept only by the second pass.

use super::{CheckError, ErrorKind};
use crate::schema::{Message, NONE};

/// What a pass tells about where it is.
pub(super) trait Trail {
    /// A field begins at `at`, which is the rest of its message.
    fn field(&mut self, at: &[u8]);
    /// The field of the current message is known to be this one.
    fn named(&mut self, message: &'static Message, field: u8);
    /// The field is done, without a fault.
    fn done(&mut self);
    /// A message begins.
    fn enter(&mut self);
    /// It has ended, without a fault.
    fn leave(&mut self);
}

/// Tells nothing and costs nothing.
pub(super) struct NoTrail;

impl Trail for NoTrail {
    #[inline(always)]
    fn field(&mut self, _: &[u8]) {}
    #[inline(always)]
    fn named(&mut self, _: &'static Message, _: u8) {}
    #[inline(always)]
    fn done(&mut self) {}
    #[inline(always)]
    fn enter(&mut self) {}
    #[inline(always)]
    fn leave(&mut self) {}
}

/// Remembers the fields that are open. Bounded by the nesting that the pass allows.
pub(super) struct PathTrail {
    base: usize,
    offset: usize,
    open: Vec<(&'static Message, u8, u32)>,
    counts: Vec<[u32; 32]>,
}

impl PathTrail {
    pub(super) fn new(bytes: &[u8]) -> Self {
        PathTrail {
            base: bytes.as_ptr() as usize,
            offset: 0,
            open: Vec::new(),
            counts: Vec::new(),
        }
    }

    pub(super) fn error(&self, kind: ErrorKind) -> CheckError {
        let mut path = String::new();
        for &(message, field, index) in &self.open {
            if !path.is_empty() {
                path.push('.');
            }
            match message.fields.get(usize::from(field)) {
                Some(field) => {
                    path.push_str(field.name);
                    if field.repeated {
                        path.push_str(&format!("[{index}]"));
                    }
                }
                None => path.push_str("(unknown)"),
            }
        }
        CheckError::new(path, self.offset, kind)
    }
}

impl Trail for PathTrail {
    fn field(&mut self, at: &[u8]) {
        self.offset = (at.as_ptr() as usize).saturating_sub(self.base);
    }

    fn named(&mut self, message: &'static Message, field: u8) {
        let index = match self
            .counts
            .last_mut()
            .and_then(|c| c.get_mut(usize::from(field)))
        {
            Some(count) => {
                *count += 1;
                *count - 1
            }
            None => 0,
        };
        debug_assert!(field == NONE || usize::from(field) < message.fields.len());
        self.open.push((message, field, index));
    }

    fn done(&mut self) {
        self.open.pop();
    }

    fn enter(&mut self) {
        self.counts.push([0; 32]);
    }

    fn leave(&mut self) {
        self.counts.pop();
    }
}
