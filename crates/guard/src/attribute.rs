//! The attribute `tenant.id`: where data names a tenant, it names the sender's.

use bytes::Bytes;
use ident::Signal;
use memchr::memmem::Finder;
use otlp::CheckError;
use otlp::edit::{AttributeChange, Edited, Editor, NewValue, Place, Sight, edit};
use otlp::schema::Message;
use otlp::view::KeyValue;
use policy::identity::{Resolved, TenantAttribute};

/// Finds requests that have the attribute at all; most have not and are not walked.
pub(crate) struct TenantAttributes {
    finder: Finder<'static>,
}

impl TenantAttributes {
    pub(crate) fn new() -> Self {
        TenantAttributes {
            finder: Finder::new(Resolved::ATTRIBUTE.as_bytes()),
        }
    }

    /// TENANT-BY-IDENTITY: overwrites each attribute `tenant.id` that says anything but the
    /// tenant. `None` if none did. Tells too whether the sender had no right to say it.
    pub(crate) fn overwrite(
        &self,
        signal: Signal,
        payload: &Bytes,
        resolved: &Resolved,
    ) -> Result<Option<(Bytes, bool)>, CheckError> {
        if self.finder.find(payload).is_none() {
            return Ok(None);
        }
        let mut editor = Overwrite {
            resolved,
            attempt: false,
        };
        let mut out = Vec::new();
        Ok(match edit(signal, payload, &mut editor, &mut out)? {
            Edited::Unchanged => None,
            Edited::Changed => Some((Bytes::from(out), editor.attempt)),
        })
    }
}

struct Overwrite<'r> {
    resolved: &'r Resolved,
    attempt: bool,
}

impl Editor for Overwrite<'_> {
    fn asks_about(&self, _: &'static Message) -> u32 {
        0
    }

    #[inline]
    fn at_sight(&mut self, _: &'static Message, pair: &[u8]) -> Sight<'_> {
        if KeyValue::new(pair).key_bytes() == Resolved::ATTRIBUTE.as_bytes() {
            Sight::Ask
        } else {
            Sight::Keep
        }
    }

    fn attribute(&mut self, place: Place, attribute: KeyValue<'_>) -> AttributeChange<'_> {
        // An entry of a map in a value is not an attribute of anything.
        if place.depth > 0 || attribute.key_bytes() != Resolved::ATTRIBUTE.as_bytes() {
            return AttributeChange::Keep;
        }
        match self.resolved.attribute(attribute.value()) {
            TenantAttribute::Keep if !is_ambiguous(attribute) => AttributeChange::Keep,
            decision => {
                self.attempt |= decision == TenantAttribute::Overwrite { attempt: true };
                AttributeChange::Value(NewValue::String(self.resolved.tenant.as_str()))
            }
        }
    }
}

/// Whether two parsers could read different values: it has more than one.
fn is_ambiguous(attribute: KeyValue<'_>) -> bool {
    otlp::wire::Fields::new(attribute.body())
        .filter(|field| field.number == 2)
        .count()
        > 1
}
