//! Builds the values of one column: JSON in, an Arrow array out.
//!
//! [`kind`] decides how the values of a column are read, [`numbers`] and [`moments`] read them
//! exactly, [`texts`] collects texts, and [`column`] puts them together and counts the values that
//! did not fit.

pub(crate) mod column;
pub(crate) mod kind;
pub(crate) mod moments;
pub(crate) mod numbers;
pub(crate) mod texts;
