//! What a policy says about the strings that are no attributes, by where they stand: one look at a
//! table for each of them.

use ident::Signal;
use otlp::schema::{Kind as FieldKind, MESSAGES, MessageId};

use super::decide::{Decision, Kind};
use super::place::{TextField, signal_index};

/// How many messages and how many numbers of strings the table has room for.
const MESSAGES_LEN: usize = MESSAGES.len();
const NUMBERS: usize = 16;

/// What to do with a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextSay {
    /// It stays, whatever it is.
    Keep,
    /// The decision about this field is asked.
    Ask(TextField),
    /// It has no name.
    Unnamed,
}

/// The table.
#[derive(Clone, Debug)]
pub(super) struct Texts {
    says: Box<[[[TextSay; NUMBERS]; MESSAGES_LEN]; 3]>,
    /// A bit for the number of each string that does not surely stay.
    asked: Box<[[u32; MESSAGES_LEN]; 3]>,
    /// A bit for the number of each field that is a message.
    messages: Box<[u32; MESSAGES_LEN]>,
}

impl Texts {
    pub(super) fn new(fields: &[[Decision; TextField::COUNT]; 3]) -> Self {
        let mut says = Box::new([[[TextSay::Unnamed; NUMBERS]; MESSAGES_LEN]; 3]);
        let mut asked = Box::new([[0; MESSAGES_LEN]; 3]);
        for ((says, asked), decisions) in says.iter_mut().zip(asked.iter_mut()).zip(fields) {
            for message in MESSAGES {
                for field in message.fields {
                    if !matches!(field.kind, FieldKind::String) {
                        continue;
                    }
                    // Those that have no name too.
                    let bit = 1u32.checked_shl(field.number).unwrap_or_default();
                    asked[message.id as usize] |= bit;
                    let Some(name) = TextField::of(message.id, field.number) else {
                        continue;
                    };
                    // Keys of entities are looked up as keys too.
                    let key = matches!(
                        name,
                        TextField::EntityIdKeys | TextField::EntityDescriptionKeys
                    );
                    let passes = decisions[name as usize].kind == Kind::Pass && !key;
                    if let Some(say) = says
                        .get_mut(message.id as usize)
                        .and_then(|says| says.get_mut(field.number as usize))
                    {
                        *say = if passes {
                            asked[message.id as usize] &= !bit;
                            TextSay::Keep
                        } else {
                            TextSay::Ask(name)
                        };
                    }
                }
            }
        }
        let mut messages = Box::new([0; MESSAGES_LEN]);
        for message in MESSAGES {
            for field in message.fields {
                if matches!(field.kind, FieldKind::Message(_)) {
                    let bit = 1u32.checked_shl(field.number).unwrap_or_default();
                    messages[message.id as usize] |= bit;
                }
            }
        }
        Texts {
            says,
            asked,
            messages,
        }
    }

    /// The fields of a message that are messages: a bit for the number of each.
    pub(super) fn messages(&self, message: MessageId) -> u32 {
        let asked = self.messages.get(message as usize);
        asked.copied().unwrap_or(u32::MAX)
    }

    /// The strings of a message that are asked about: a bit for the number of each.
    #[inline(always)]
    pub(super) fn asked(&self, signal: Signal, message: MessageId) -> u32 {
        self.asked[signal_index(signal)]
            .get(message as usize)
            .copied()
            .unwrap_or(u32::MAX)
    }

    #[inline(always)]
    pub(super) fn get(&self, signal: Signal, message: MessageId, number: u32) -> TextSay {
        self.says[signal_index(signal)]
            .get(message as usize)
            .and_then(|says| says.get(number as usize))
            .copied()
            .unwrap_or(TextSay::Unnamed)
    }
}
