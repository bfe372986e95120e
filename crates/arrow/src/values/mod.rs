//! The values of one column under construction: JSON in, an array of Arrow out.

pub(crate) mod column;
pub(crate) mod kind;
pub(crate) mod moments;
pub(crate) mod numbers;
pub(crate) mod texts;
