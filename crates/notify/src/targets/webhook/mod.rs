//! An HTTP endpoint that checks the signature of Standard Webhooks
//! (<https://www.standardwebhooks.com>): `webhook-id`, `webhook-timestamp`, `webhook-signature`.

mod client;
mod config;
mod encode;
#[cfg(test)]
mod tests;

pub(crate) use client::Webhook;
pub use config::{Config, SigningKey};
