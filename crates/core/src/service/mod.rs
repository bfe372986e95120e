//! The only room that knows ExactBuyer's API. It knows nothing of runs, budgets or stores.
//!
//! | module | what it owns |
//! |---|---|
//! | [`limits`] | every number that the service decides |
//! | [`wire`] | how a request is encoded |
//! | [`transport`] | the network, as a trait with one method |
//! | [`decode`] | where the contacts of a reply are |
//! | [`align`] | which lookup each contact answers, and what the request cost |
//!
//! Decoding a reply and giving each lookup its answer:
//!
//! ```
//! use exactbuyer_core::identifier::{FieldType, Identifier};
//! use exactbuyer_core::outcome::Outcome;
//! use exactbuyer_core::service::{align, decode};
//!
//! let sent = ["ana@acme.example", "bo@acme.example"].map(|v| Identifier::from_canonical(FieldType::Email, v));
//! // The contacts come in another order than the queries.
//! let body = r#"{"records_enriched": 1, "contacts": [
//!     {"value": "bo@acme.example", "enriched_contact": null},
//!     {"value": "ana@acme.example", "enriched_contact": {"full_name": "Ana"}}]}"#.into();
//! let reply = align::settle(&sent, decode::decode(&body));
//! assert!(matches!(reply.outcomes[..], [Outcome::Hit(_), Outcome::Miss]));
//! assert_eq!((reply.credits, reply.in_doubt), (1, 0));
//! assert!(reply.note.is_some()); // the receipt mentions the order
//! ```

pub mod align;
pub mod decode;
pub mod limits;
pub mod transport;
pub mod wire;
