//! Tells people and machines of incidents.

mod event;
mod target;

pub use event::{Digest, Event, EventError, MAX_DATA_BYTES, Pattern};
pub use target::{Class, Failure, Message, TargetName};
