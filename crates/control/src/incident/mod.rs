//! What an incident is, and the transitions it goes through: pure, with the time given.

mod idempotency;
mod model;
mod refusal;
mod scope;
#[cfg(test)]
pub(crate) mod tests;
mod transition;

pub use idempotency::Key;
pub use model::{
    Capture, CaptureState, Count, Ended, Entry, Hold, Incident, IncidentId, Origin, ParseIdError,
    State, What, Why,
};
pub use refusal::{HeldBack, Refusal};
pub(crate) use scope::escaped;
pub use scope::{MAX_ATTRIBUTES, ParseScopeError, Scope};
pub use transition::{Limits, Open, captured, close, expire, extend, in_force, open, release};
pub(crate) use transition::{earlier, later};
