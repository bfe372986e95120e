//! How a request is spelled.
//!
//! The only worked example of the vendor's (`contact-enrichment/bulk-enrichment-api`, read
//! 2026-11-23) sends a form whose two fields hold JSON *text*: that is the default. A JSON body is
//! the plausible alternative, and an option.

use crate::identifier::Identifier;

use super::transport::Request;

/// How the body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BodyFormat {
    /// `application/x-www-form-urlencoded`, each field JSON text.
    #[default]
    Form,
    /// `application/json`.
    Json,
}

/// Spells one request for these identifiers.
#[must_use]
pub fn encode<'a>(
    _identifiers: impl ExactSizeIterator<Item = &'a Identifier>,
    _required_fields: &[Box<str>],
    _format: BodyFormat,
) -> Request {
    Request { body: bytes::Bytes::new(), content_type: "application/json" }
}
