//! Carries the journal to destinations from durable cursors.
