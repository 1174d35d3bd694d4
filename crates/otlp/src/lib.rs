//! OTLP on the wire: check, view, edit, split and convert without building trees.
