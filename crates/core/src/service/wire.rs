//! Encodes a request.
//!
//! The only worked example in the service's documentation
//! (`contact-enrichment/bulk-enrichment-api`, read 2026-11-23) sends a form with two fields that
//! contain JSON *text*. That is the default. A JSON body is the plausible alternative, and is an
//! option.
//!
//! The form equals byte for byte what Python's `requests` sends for that example (compact JSON,
//! UTF-8, `urlencode`). So the service receives what its own documentation recommends.
//! `tests/contract/requests.json` has pairs of input and body that show this.
//!
//! ```
//! use exactbuyer_core::config::BodyFormat;
//! use exactbuyer_core::identifier::{FieldType, Identifier};
//! use exactbuyer_core::service::wire::encode;
//!
//! let ana = Identifier::from_canonical(FieldType::Email, "ana@acme.example");
//! let request = encode([&ana].into_iter(), &[], BodyFormat::Json);
//! assert_eq!(request.content_type, "application/json");
//! ```

pub use crate::config::BodyFormat;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use crate::identifier::Identifier;

use super::transport::Request;

/// What a JSON body says.
#[derive(Serialize)]
struct Query<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    required_fields: Vec<Record<'a>>,
    /// One record for each identifier, in order: the service answers in this order.
    query_list: Vec<Record<'a>>,
}

/// An identifier, or a required field, which has no value.
#[derive(Serialize)]
struct Record<'a> {
    field_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
}

/// Encodes one request for these identifiers, in their order.
///
/// If `required_fields` is empty, the field is left out: for the service, absent and empty mean the
/// same.
#[must_use]
pub fn encode<'a>(
    identifiers: impl ExactSizeIterator<Item = &'a Identifier>,
    required_fields: &'a [Box<str>],
    format: BodyFormat,
) -> Request {
    let record = |identifier: &'a Identifier| Record {
        field_type: identifier.field_type().as_str(),
        value: Some(identifier.canonical()),
    };
    let field = |field: &'a str| Record { field_type: field, value: None };
    let query = Query {
        required_fields: required_fields.iter().map(AsRef::as_ref).map(field).collect(),
        query_list: identifiers.map(record).collect(),
    };
    let (body, content_type) = match format {
        BodyFormat::Form => {
            let mut form = format!("query_list={}", form_text(&query.query_list));
            if !query.required_fields.is_empty() {
                form.extend(["&required_fields=", &form_text(&query.required_fields)]);
            }
            (form, "application/x-www-form-urlencoded")
        }
        BodyFormat::Json => (json(&query), "application/json"),
    };
    Request { body: body.into(), content_type }
}

/// As Python's `json.dumps(…, ensure_ascii=False, separators=(",", ":"))`.
fn json(value: &impl Serialize) -> String {
    // Only texts and lists of them are written, so this cannot fail.
    serde_json::to_string(value).unwrap_or_default()
}

/// JSON in a form, as Python's `urllib.parse.quote_plus` escapes it.
fn form_text(records: &[Record<'_>]) -> String {
    const ESCAPED: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'_').remove(b'.').remove(b'-').remove(b'~').remove(b' ');
    utf8_percent_encode(&json(&records), ESCAPED).to_string().replace(' ', "+")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::identifier::FieldType;

    fn records(identifiers: &[Identifier]) -> Value {
        identifiers
            .iter()
            .map(|i| json!({"field_type": i.field_type().as_str(), "value": i.canonical()}))
            .collect()
    }

    fn fields(required: &[Box<str>]) -> Value {
        required.iter().map(|field| json!({"field_type": field})).collect()
    }

    #[test]
    fn contract() {
        let vectors: Value =
            serde_json::from_str(include_str!("../../../../tests/contract/requests.json")).unwrap();
        let vectors = vectors["requests"].as_array().unwrap();
        assert!(vectors.len() >= 10);
        for vector in vectors {
            let identifiers: Vec<Identifier> = vector["query_list"]
                .as_array()
                .unwrap()
                .iter()
                .map(|record| {
                    let field_type = FieldType::from_name(record["field_type"].as_str().unwrap()).unwrap();
                    Identifier::from_canonical(field_type, record["value"].as_str().unwrap())
                })
                .collect();
            let required: Vec<Box<str>> = vector["required_fields"]
                .as_array()
                .unwrap()
                .iter()
                .map(|field| field.as_str().unwrap().into())
                .collect();
            let format = BodyFormat::from_name(vector["body"].as_str().unwrap()).unwrap();
            let request = encode(identifiers.iter(), &required, format);
            let name = vector["name"].as_str().unwrap();
            assert_eq!(std::str::from_utf8(&request.body).unwrap(), vector["encoded"], "{name}");
            assert_eq!(request.content_type, vector["content_type"], "{name}");
        }
    }

    #[test]
    fn no_required_fields_leave_no_trace() {
        let one = [Identifier::from_canonical(FieldType::Phone, "+17734749362")];
        for format in [BodyFormat::Form, BodyFormat::Json] {
            let body = encode(one.iter(), &[], format).body;
            assert!(!String::from_utf8(body.to_vec()).unwrap().contains("required_fields"));
        }
    }

    fn any_identifier() -> impl Strategy<Value = Identifier> {
        let field_type = prop::sample::select(&FieldType::ALL[..]);
        // Any text at all, and text dense in what needs escaping.
        let text = prop_oneof![any::<String>(), "[ -~\"\\\\\u{0}-\u{1f}\u{7f}é漢😀+&=%*]{0,40}"];
        (field_type, text).prop_map(|(field_type, text)| Identifier::from_canonical(field_type, text))
    }

    proptest! {
        #[test]
        fn round_trip(
            identifiers in prop::collection::vec(any_identifier(), 0..20),
            required in prop::collection::vec(any::<String>().prop_map(String::into_boxed_str), 0..4),
        ) {
            let form = encode(identifiers.iter(), &required, BodyFormat::Form);
            let pairs: Vec<(String, Value)> = form_urlencoded::parse(&form.body)
                .map(|(key, text)| (key.into_owned(), serde_json::from_str(&text).unwrap()))
                .collect();
            let mut expected = vec![("query_list".to_owned(), records(&identifiers))];
            if !required.is_empty() {
                expected.push(("required_fields".to_owned(), fields(&required)));
            }
            prop_assert_eq!(pairs, expected);
            // The unescaped bytes of a form are ASCII. No other byte may be left unescaped.
            prop_assert!(form.body.is_ascii());

            let body = encode(identifiers.iter(), &required, BodyFormat::Json);
            let mut expected = json!({"query_list": records(&identifiers)});
            if !required.is_empty() {
                expected["required_fields"] = fields(&required);
            }
            prop_assert_eq!(serde_json::from_slice::<Value>(&body.body).unwrap(), expected);
        }
    }
}
