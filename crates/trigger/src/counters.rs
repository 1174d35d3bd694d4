//! What limits did: for metrics.

/// Items of one trigger that were not watched, since the last time they were asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Because there was no room for another tenant and service.
    pub no_room: u64,
    /// Because their resource has no `service.name` of 1 to 256 bytes without control characters.
    pub no_service: u64,
}
