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
use bytes::Bytes;

use crate::identifier::Identifier;

use super::transport::Request;

/// Encodes one request for these identifiers, in their order.
///
/// If `required_fields` is empty, the field is left out: for the service, absent and empty mean the
/// same.
#[must_use]
pub fn encode<'a>(
    identifiers: impl ExactSizeIterator<Item = &'a Identifier>,
    required_fields: &[Box<str>],
    format: BodyFormat,
) -> Request {
    // In a form, a record adds 51 to 67 bytes to its value; in JSON, fewer. Canonical forms of more
    // than 45 bytes are rare. If the guess is too small, the buffer is copied once.
    let mut body = Vec::with_capacity(128 + identifiers.len() * 112);
    let content_type = match format {
        BodyFormat::Form => {
            body.extend_from_slice(b"query_list=");
            write_records(&mut body, identifiers, &FORM);
            if !required_fields.is_empty() {
                body.extend_from_slice(b"&required_fields=");
                write_fields(&mut body, required_fields, &FORM);
            }
            "application/x-www-form-urlencoded"
        }
        BodyFormat::Json => {
            body.push(b'{');
            if !required_fields.is_empty() {
                body.extend_from_slice(br#""required_fields":"#);
                write_fields(&mut body, required_fields, &JSON);
                body.push(b',');
            }
            body.extend_from_slice(br#""query_list":"#);
            write_records(&mut body, identifiers, &JSON);
            body.push(b'}');
            "application/json"
        }
    };
    Request { body: Bytes::from(body), content_type }
}

/// The pieces of JSON that surround the values, as one format spells them, and how it spells the
/// bytes of a string. Fixed pieces are written whole.
struct Spelling {
    /// What comes before the first record.
    open_list: &'static str,
    /// What comes after the last record.
    close_list: &'static str,
    comma: &'static str,
    open_field: &'static str,
    open_value: &'static str,
    close_record: &'static str,
    /// The encoding of each byte of a string.
    bytes: &'static [Spelled; 256],
}

/// The pieces of a JSON body.
static JSON: Spelling = Spelling {
    open_list: "[",
    close_list: "]",
    comma: ",",
    open_field: r#"{"field_type":""#,
    open_value: r#"","value":""#,
    close_record: r#""}"#,
    bytes: &JSON_BYTES,
};

/// The same pieces inside a form, where JSON's punctuation is percent-encoded.
static FORM: Spelling = Spelling {
    open_list: "%5B",
    close_list: "%5D",
    comma: "%2C",
    open_field: "%7B%22field_type%22%3A%22",
    open_value: "%22%2C%22value%22%3A%22",
    close_record: "%22%7D",
    bytes: &FORM_BYTES,
};

/// One record for each identifier, in order: the service answers in this order.
fn write_records<'a>(
    out: &mut Vec<u8>,
    identifiers: impl Iterator<Item = &'a Identifier>,
    spelling: &Spelling,
) {
    out.extend_from_slice(spelling.open_list.as_bytes());
    for (position, identifier) in identifiers.enumerate() {
        if position > 0 {
            out.extend_from_slice(spelling.comma.as_bytes());
        }
        out.extend_from_slice(spelling.open_field.as_bytes());
        // The names of field types are letters and underscores, which both formats leave as they are.
        out.extend_from_slice(identifier.field_type().as_str().as_bytes());
        out.extend_from_slice(spelling.open_value.as_bytes());
        write_text(out, identifier.canonical(), spelling);
        out.extend_from_slice(spelling.close_record.as_bytes());
    }
    out.extend_from_slice(spelling.close_list.as_bytes());
}

/// The same form as records, without values.
fn write_fields(out: &mut Vec<u8>, fields: &[Box<str>], spelling: &Spelling) {
    out.extend_from_slice(spelling.open_list.as_bytes());
    for (position, field) in fields.iter().enumerate() {
        if position > 0 {
            out.extend_from_slice(spelling.comma.as_bytes());
        }
        out.extend_from_slice(spelling.open_field.as_bytes());
        write_text(out, field, spelling);
        out.extend_from_slice(spelling.close_record.as_bytes());
    }
    out.extend_from_slice(spelling.close_list.as_bytes());
}

/// Writes the inside of a JSON string. Runs of bytes that need no escape are copied whole.
fn write_text(out: &mut Vec<u8>, text: &str, spelling: &Spelling) {
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        let run = rest.iter().position(|&b| spelled(spelling, b).length > 0).unwrap_or(rest.len());
        let (plain, after) = rest.split_at(run);
        out.extend_from_slice(plain);
        let Some((&byte, after)) = after.split_first() else { return };
        let spelled = spelled(spelling, byte);
        out.extend_from_slice(spelled.text.get(..usize::from(spelled.length)).unwrap_or_default());
        rest = after;
    }
}

/// A look-up in a table, for each byte that is sent.
#[expect(clippy::indexing_slicing, reason = "a byte always fits a table of 256")]
fn spelled(spelling: &Spelling, byte: u8) -> &Spelled {
    &spelling.bytes[usize::from(byte)]
}

/// The encoding of one byte of a string. A length of 0 means that the byte stands for itself.
///
/// The longest is a control character inside a form, such as `%5Cu001f`.
#[derive(Clone, Copy)]
struct Spelled {
    text: [u8; 8],
    length: u8,
}

static JSON_BYTES: [Spelled; 256] = table(false);
static FORM_BYTES: [Spelled; 256] = table(true);

/// The encoding of each byte, computed when this crate is compiled.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler: out of bounds does not build")]
const fn table(form: bool) -> [Spelled; 256] {
    let mut table = [Spelled { text: [0; 8], length: 0 }; 256];
    let mut index = 0;
    while index < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "below 256")]
        let byte = index as u8;
        let (escaped, count) = json_escape(byte);
        table[index] = if form {
            percent(escaped, count)
        } else if count == 1 {
            Spelled { text: [0; 8], length: 0 }
        } else {
            let mut text = [0; 8];
            let mut place = 0;
            while place < count as usize {
                text[place] = escaped[place];
                place += 1;
            }
            Spelled { text, length: count }
        };
        index += 1;
    }
    table
}

/// Escapes a byte as Python's `json.dumps(…, ensure_ascii=False)` does.
const fn json_escape(byte: u8) -> ([u8; 6], u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x09 => b't',
        0x0a => b'n',
        0x0c => b'f',
        0x0d => b'r',
        0x00..=0x1f => {
            #[expect(clippy::indexing_slicing, reason = "a nibble always fits a table of 16")]
            let (high, low) = (HEX[(byte >> 4) as usize], HEX[(byte & 15) as usize]);
            return ([b'\\', b'u', b'0', b'0', high, low], 6);
        }
        _ => return ([byte, 0, 0, 0, 0, 0], 1),
    };
    ([b'\\', short, 0, 0, 0, 0], 2)
}

/// Escapes text as Python's `urllib.parse.quote_plus` does. At most two bytes of the escaped text
/// need percent signs (a backslash, and a quote or a second backslash), so eight bytes are enough.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler: out of bounds does not build")]
const fn percent(escaped: [u8; 6], count: u8) -> Spelled {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut spelled = Spelled { text: [0; 8], length: 0 };
    if count == 1 && stands_for_itself(escaped[0]) {
        return spelled;
    }
    let (mut index, mut length) = (0, 0);
    while index < count as usize {
        let byte = escaped[index];
        if stands_for_itself(byte) {
            spelled.text[length] = byte;
            length += 1;
        } else if byte == b' ' {
            spelled.text[length] = b'+';
            length += 1;
        } else {
            spelled.text[length] = b'%';
            spelled.text[length + 1] = HEX[(byte >> 4) as usize];
            spelled.text[length + 2] = HEX[(byte & 15) as usize];
            length += 3;
        }
        index += 1;
    }
    #[expect(clippy::cast_possible_truncation, reason = "at most 8")]
    {
        spelled.length = length as u8;
    }
    spelled
}

/// Whether `quote_plus` leaves this byte unchanged.
const fn stands_for_itself(byte: u8) -> bool {
    matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~')
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
