//! Why a policy is not taken.

/// What is wrong with a policy, with its place in the document and what to do about it.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct PolicyError(#[from] document::Error);

impl PolicyError {
    /// What the person could do about it.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint()
    }

    /// The line and the column, both from 1, where there is one.
    pub fn line_and_column(&self) -> Option<(usize, usize)> {
        self.0.line_and_column()
    }

    /// The error as one that shows the lines around the place.
    pub fn into_document_error(self) -> document::Error {
        self.0
    }
}
