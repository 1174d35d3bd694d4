//! What the program reads: the same line as in a file of notifications.

pub(super) use crate::targets::file::line;
