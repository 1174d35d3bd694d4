//! Redaction policies, and the editor that carries them out on wire bytes.
