//! What only this target has; what all must survive stands in `conformance`.
