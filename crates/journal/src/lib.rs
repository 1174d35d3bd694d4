//! The durable log of telemetry: blocks, segments, group commit, cursors, recovery.
