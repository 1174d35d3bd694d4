//! Test support: where the installed servers and SDKs are.

pub mod places;
