//! Items with too many attributes, or too large ones, found on the wire bytes (NO-TREE).
//!
//! The pass reads the heads of messages and of attributes. It looks into an attribute only if the
//! whole of it is longer than a value may be, so what is within the limits costs least.

use std::sync::LazyLock;

use ident::Signal;
use otlp::schema::{self, Kind, Message, MessageId};
use otlp::wire::{Fields, Raw};

/// What one item may have. `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ItemLimits {
    /// The most attributes of one resource, scope, span, event, link, point, exemplar or record.
    pub attributes: Option<u32>,
    /// The largest value of an attribute.
    pub value_bytes: Option<u64>,
}

/// Which limit of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ShapeLimit {
    /// The number of attributes.
    Attributes,
    /// The bytes of a value.
    ValueBytes,
}

impl ShapeLimit {
    /// The word in metrics and in the audit log.
    pub const fn as_str(self) -> &'static str {
        match self {
            ShapeLimit::Attributes => "attributes_per_item",
            ShapeLimit::ValueBytes => "attribute_value_bytes",
        }
    }
}

/// Where an item is over a limit. It holds nothing of the item's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message {message} has {found} over the limit of {allowed} ({})\nhint: send fewer or shorter attributes", .limit.as_str())]
pub struct Violation {
    /// The message that has the attributes, such as `opentelemetry.proto.trace.v1.Span`.
    pub message: &'static str,
    /// Which limit.
    pub limit: ShapeLimit,
    /// How much there is: attributes, or bytes of the value.
    pub found: u64,
    /// How much there may be.
    pub allowed: u64,
}

/// The first place in a checked request that is over a limit.
pub fn first_violation(signal: Signal, request: &[u8], limits: ItemLimits) -> Option<Violation> {
    if limits == ItemLimits::default() {
        return None;
    }
    let pass = Pass {
        attributes: limits.attributes.map_or(u64::MAX, u64::from),
        value_bytes: limits.value_bytes.unwrap_or(u64::MAX),
        steps: &STEPS,
    };
    pass.message(schema::request(signal), request, 0).err()
}

/// What to do at a field.
#[derive(Clone, Copy)]
enum Step {
    Skip,
    Attribute,
    /// Whether it is repeated: what is not is merged where it comes more than once.
    Enter(&'static Message, bool),
}

/// By message and number of the field, which OTLP keeps below 32.
type Steps = [[Step; 32]; schema::MESSAGES.len()];

static STEPS: LazyLock<Steps> = LazyLock::new(|| {
    let mut steps = [[Step::Skip; 32]; schema::MESSAGES.len()];
    for message in schema::MESSAGES {
        for field in message.fields {
            let Kind::Message(inner) = field.kind else {
                continue;
            };
            let row = steps.get_mut(message.id as usize);
            if let Some(step) = row.and_then(|row| row.get_mut(field.number as usize)) {
                *step = match inner.id {
                    MessageId::KeyValue => Step::Attribute,
                    _ if has_attributes(inner) => Step::Enter(inner, field.repeated),
                    _ => Step::Skip,
                };
            }
        }
    }
    steps
});

/// Whether there can be attributes in it. Values hold entries of maps, which are not attributes.
fn has_attributes(message: &Message) -> bool {
    let value = matches!(
        message.id,
        MessageId::AnyValue | MessageId::ArrayValue | MessageId::KeyValueList
    );
    !value
        && (message.attributes_field().is_some()
            || message.fields.iter().any(|field| match field.kind {
                Kind::Message(inner) => has_attributes(inner),
                _ => false,
            }))
}

struct Pass<'s> {
    attributes: u64,
    value_bytes: u64,
    steps: &'s Steps,
}

impl Pass<'_> {
    /// How many attributes the message has, with those that it had `before` in the same place. As
    /// deep as OTLP's messages are nested outside of values.
    fn message(
        &self,
        message: &'static Message,
        body: &[u8],
        before: u64,
    ) -> Result<u64, Violation> {
        let Some(row) = self.steps.get(message.id as usize) else {
            return Ok(before);
        };
        let mut attributes = before;
        // No message has two singular fields with attributes of their own.
        let mut singular = 0;
        for field in Fields::new(body) {
            let Raw::Bytes(inner) = field.value else {
                continue;
            };
            match row.get(field.number as usize) {
                Some(Step::Attribute) => {
                    attributes += 1;
                    if inner.len() as u64 > self.value_bytes
                        && let Some(found) = too_large(inner, self.value_bytes)
                    {
                        return Err(Violation {
                            message: message.name,
                            limit: ShapeLimit::ValueBytes,
                            found,
                            allowed: self.value_bytes,
                        });
                    }
                }
                Some(Step::Enter(child, true)) => {
                    self.message(child, inner, 0)?;
                }
                Some(Step::Enter(child, false)) => {
                    singular = self.message(child, inner, singular)?
                }
                Some(Step::Skip) | None => {}
            }
        }
        if attributes > self.attributes {
            return Err(Violation {
                message: message.name,
                limit: ShapeLimit::Attributes,
                found: attributes,
                allowed: self.attributes,
            });
        }
        Ok(attributes)
    }
}

/// The size of an attribute's value if it is over the limit. Values that come twice each count:
/// parsers do not agree on which one it is.
fn too_large(pair: &[u8], limit: u64) -> Option<u64> {
    let values = Fields::new(pair).filter(|field| field.number == 2);
    let members = values.filter_map(|field| match field.value {
        Raw::Bytes(value) => Some(Fields::new(value)),
        _ => None,
    });
    members.flatten().find_map(|member| match member.value {
        Raw::Bytes(bytes) if bytes.len() as u64 > limit => Some(bytes.len() as u64),
        _ => None,
    })
}
