//! The user's calls about people: find, purge and allow, and the same decisions of a copy that is merged.
//!
//! Owns what is erased and from where. Knows nothing of how a person is recognised: `recognise` does that.
//!
//! | call | looks for | writes |
//! |---|---|---|
//! | `find` | a person, in all blocks and kept replies; or a text, in all blocks | nothing |
//! | `purge` of a person | the person, in blocks, kept replies and intents | bars the person, erases what was found, empties the log |
//! | `purge` by age | requests that were answered before a moment | erases their answers, and bars lookups in doubt |
//! | `allow` | one key | unbars it; a dropped doubt may be sent again |
//! | a merge (`copies`) | keys that are barred in the copy | as a purge, with hashes instead of identifiers |

mod copies;
mod find;
mod purge;

pub use find::Contact;
pub use purge::Purged;
