//! Builds the values of one column: JSON in, an Arrow array out.
//!
//! [`kind`] decides how the values of a column are read, [`numbers`] and [`moments`] read them
//! exactly, [`texts`] collects texts, and [`column`] puts them together and counts the values that
//! did not fit.
//!
//! A value goes through two types. The *form* says how JSON is read, into one of a few Arrow builders; the
//! *type of the column* is what the builder's array is cast to at the end. `int16` is read as a whole number
//! within its bounds, built with 64 bits, and cast. So a new column type mostly needs a form that exists, and
//! one line in [`kind`].

pub(crate) mod column;
pub(crate) mod kind;
pub(crate) mod moments;
pub(crate) mod numbers;
pub(crate) mod texts;
