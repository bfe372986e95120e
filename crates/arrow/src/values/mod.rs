//! Builds the values of one column: JSON in, an Arrow array out.

pub(crate) mod column;
pub(crate) mod kind;
pub(crate) mod moments;
pub(crate) mod numbers;
pub(crate) mod texts;
