//! `limits`: what the gateway takes at the most (BOUNDED).

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Bytes, Time};

/// What the gateway takes at the most before it tells senders to wait, or refuses.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The largest request as sent, compressed or not.
    pub request_bytes: Bytes,
    /// The largest request after decompression.
    pub decompressed_bytes: Bytes,
    /// Bytes of all requests that are being received or written.
    pub in_flight_bytes: Bytes,
    /// The same for one connection.
    pub connection_in_flight_bytes: Bytes,
    /// Open connections of one listener.
    pub connections: usize,
    /// Concurrent requests of one HTTP/2 connection.
    pub streams: u32,
    /// How long a sender may take over a request's head or pause within its body.
    pub read_timeout: Time,
    /// How long a connection may be idle.
    pub idle_timeout: Time,
    /// How long requests in flight may take to finish once the gateway is told to stop.
    pub drain_timeout: Time,
}

impl Default for Limits {
    fn default() -> Self {
        let seconds = |seconds| Time(Duration::from_secs(seconds));
        Limits {
            request_bytes: Bytes(16 << 20),
            decompressed_bytes: Bytes(16 << 20),
            in_flight_bytes: Bytes(32 << 20),
            connection_in_flight_bytes: Bytes(32 << 20),
            connections: 1024,
            streams: 128,
            read_timeout: seconds(10),
            idle_timeout: seconds(300),
            drain_timeout: seconds(10),
        }
    }
}
