//! The one way out, and what whoever sends on it has in common.
//!
//! # What it guarantees
//! - **SEALED-EGRESS**: [`Connector`] opens every socket that leads out, and asks the [`Seal`]
//!   before it even looks a name up.
//! - **BOUNDED**: of an answer to an HTTP request no more is read than [`http::MAX_READ_BYTES`].
//! - A [`Secret`] is never shown, and taken out of what the other side repeats of it.
//!
//! # What it does not do
//! It tries nothing again: [`Retry`] and [`Backoff`] only say when to. It knows nothing of what is
//! sent, and follows no redirect.

mod connector;
pub mod headers;
pub mod http;
mod place;
mod retry;
mod secret;
mod text;

pub use connector::{ConnectError, Connector, Seal, Stream};
pub use place::{Place, PlaceError, authority, shown};
pub use retry::{Backoff, MAX_SERVER_DELAY, MIN_SERVER_DELAY, Retry};
pub use secret::Secret;
pub use text::{CUT, one_line};
