//! OTLP listeners over gRPC and HTTP in front of the journal.
