//! A worker's redactor.

use ident::Signal;
use otlp::CheckError;
use otlp::edit::{Edited, edit};
use otlp::schema::MESSAGES;

use super::counts::Counts;
use super::engine::{Buffers, Engine, Observer, Tally, Unobserved};
use super::memo::{NOWHERE, Tag};
use super::place::{Context, Place};
use super::policy::Policy;
use crate::detect::Look;

/// Carries policies out on wire bytes. One for each worker: it holds buffers and remembers what
/// was decided about keys that came before.
pub struct Redactor {
    buffers: Buffers,
}

impl Default for Redactor {
    fn default() -> Self {
        Redactor::new()
    }
}

impl std::fmt::Debug for Redactor {
    // Its buffers hold telemetry.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor")
    }
}

impl Redactor {
    /// A redactor that remembers nothing yet.
    pub fn new() -> Self {
        Redactor {
            buffers: Buffers::new(),
        }
    }

    /// Redacts a checked request into `out`, which is cleared first; a request in which nothing
    /// changes is not copied. What each rule changed is added to `counts`. Items are never
    /// dropped, only what they say.
    ///
    /// # Errors
    /// If the bytes are malformed where the walk went. What `out` holds is then of no use, and
    /// nothing may be kept of the request.
    pub fn redact(
        &mut self,
        policy: &Policy,
        signal: Signal,
        bytes: &[u8],
        out: &mut Vec<u8>,
        counts: &mut Counts,
    ) -> Result<Edited, CheckError> {
        let mut engine = self.engine(policy, signal, counts, Unobserved);
        edit(signal, bytes, &mut engine, out)
    }

    /// The editor that redacts one request.
    pub(super) fn engine<'r, O: Observer>(
        &'r mut self,
        policy: &'r Policy,
        signal: Signal,
        counts: &'r mut Counts,
        observer: O,
    ) -> Engine<'r, O> {
        self.buffers.clean.begin(policy.id);
        Engine {
            policy,
            signal,
            buffers: &mut self.buffers,
            tally: Tally {
                counts,
                observer,
                changes: 0,
            },
            tags: tags(policy, signal),
            expected: NOWHERE,
            looked: Look::Nothing,
        }
    }
}

/// The tags of the keys that messages bear, by the message's id.
fn tags(policy: &Policy, signal: Signal) -> [Tag; MESSAGES.len()] {
    let mut tags = [Tag::NONE; MESSAGES.len()];
    for message in MESSAGES {
        if let Some(tag) = tags.get_mut(message.id as usize) {
            let context = Context::new(signal, Place::of(message.id));
            *tag = Tag::new(policy.id, context.index());
        }
    }
    tags
}
