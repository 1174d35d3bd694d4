//! Pure decisions of the guard: what must not be kept, who is who, how much is too much.
//!
//! Everything here is a function of its input: no sockets, no files, no clock (callers pass the
//! time). [`redaction`] rewrites requests on their wire bytes (REDACT-FIRST, NO-TREE) and finds
//! secrets in values with [`detect`]; [`identity`] turns what a sender has proven into a tenant
//! (TENANT-BY-IDENTITY); [`quota`] says how much a tenant may send (BOUNDED).

pub mod detect;
pub mod identity;
pub mod quota;
pub mod redaction;
pub mod units;
