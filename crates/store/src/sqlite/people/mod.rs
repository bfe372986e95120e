//! The user's calls about people: find, purge and allow, and the same decisions of a copy that is merged.
//!
//! Owns what is erased and from where. Knows nothing of how a person is recognised: `recognise` does that.

mod copies;
mod find;
mod purge;

pub use find::Contact;
pub use purge::Purged;
