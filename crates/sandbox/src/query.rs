//! Reads a request: a form whose two fields contain JSON text, or a JSON body. It borrows from the
//! body where it can.
//!
//! It is strict where the service is documented to be: an unknown field type, an unknown required field, an
//! empty value and a list that is too long are refused with 400. Further members of an entry are ignored.

use std::borrow::Cow;

use serde::Deserialize;

use exactbuyer_core::identifier::FieldType;
use exactbuyer_core::service::limits;

/// A set of field names, as one bit for each of [`limits::REQUIRED_FIELDS`], in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Required(u8);

impl Required {
    /// The fields of a person who has these kinds of identifiers.
    ///
    /// The first bit is for any address, private or at work.
    #[allow(clippy::fn_params_excessive_bools)] // One for each thing that can be required.
    pub(super) const fn of(work_email: bool, personal_email: bool, phone: bool, profile: bool) -> Self {
        Self(
            (work_email || personal_email) as u8
                | (work_email as u8) << 1
                | (personal_email as u8) << 2
                | (phone as u8) << 3
                | (profile as u8) << 4,
        )
    }

    /// Whether it contains all fields of `other`.
    pub(super) const fn covers(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The set of one field, given its name. `None` if the name is unknown.
    fn named(name: &str) -> Option<Self> {
        limits::REQUIRED_FIELDS.iter().position(|known| *known == name).map(|bit| Self(1 << bit))
    }
}

/// One entry of `query_list`. The field types have the names that the service uses.
///
/// Borrowed from the body unless its text has escapes.
#[derive(Debug, Deserialize)]
pub(super) struct Asked<'a> {
    pub(super) field_type: FieldType,
    /// Its value as the client wrote it.
    #[serde(borrow)]
    pub(super) value: Cow<'a, str>,
}

/// A request that was read.
///
/// It borrows from the body, or from the [`Form`] of it.
#[derive(Debug)]
pub(super) struct Query<'a> {
    /// The lookups, in order.
    pub(super) asked: Vec<Asked<'a>>,
    /// The fields that a match must have.
    pub(super) required: Required,
}

/// An entry of `required_fields` as it is written.
#[derive(Deserialize)]
struct Field<'a> {
    #[serde(borrow)]
    field_type: Cow<'a, str>,
}

/// A JSON body as it is written.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    query_list: Vec<Asked<'a>>,
    #[serde(borrow, default)]
    required_fields: Option<Vec<Field<'a>>>,
}

/// What a refusal says. It names the form and nothing of the body, which may have personal data.
const NOT_A_LIST: &str = "query_list must be a JSON list of {\"field_type\": name, \"value\": text}";
const NOT_FIELDS: &str = "required_fields must be a JSON list of {\"field_type\": name}";

/// The two decoded fields of a form. A [`Query`] borrows from them.
#[derive(Debug, Default)]
pub(super) struct Form<'a> {
    query_list: Option<Cow<'a, str>>,
    required_fields: Option<Cow<'a, str>>,
}

impl<'a> Form<'a> {
    /// Reads the body of a form.
    ///
    /// A field that occurs twice counts with its last text; unknown fields are ignored.
    pub(super) fn read(body: &'a [u8]) -> Self {
        let mut form = Self::default();
        for (name, text) in form_urlencoded::parse(body) {
            match &*name {
                "query_list" => form.query_list = Some(text),
                "required_fields" => form.required_fields = Some(text),
                _ => {}
            }
        }
        form
    }

    /// The request that the form contains.
    ///
    /// # Errors
    /// What is wrong with the form. The text does not contain any of it.
    pub(super) fn query(&self) -> Result<Query<'_>, &'static str> {
        let list = self.query_list.as_deref().ok_or("query_list is missing")?;
        let query_list = serde_json::from_str(list).map_err(|_| NOT_A_LIST)?;
        let required_fields = match self.required_fields.as_deref() {
            None | Some("") => None,
            Some(text) => serde_json::from_str(text).map_err(|_| NOT_FIELDS)?,
        };
        check(Body { query_list, required_fields })
    }
}

/// The request that a JSON body contains.
///
/// # Errors
/// What is wrong with the body. The text does not contain any of it.
pub(super) fn from_json(body: &[u8]) -> Result<Query<'_>, &'static str> {
    check(serde_json::from_slice(body).map_err(|_| NOT_A_LIST)?)
}

/// Checks the limits of the service: the number of lookups and the names of the required fields.
///
/// # Errors
/// What is not allowed.
fn check(body: Body<'_>) -> Result<Query<'_>, &'static str> {
    if body.query_list.is_empty() {
        return Err("query_list is empty");
    }
    if body.query_list.len() > limits::MAX_CHUNK {
        return Err("query_list has more than 1000 entries");
    }
    let mut required = Required::default();
    for field in body.required_fields.unwrap_or_default() {
        let named = Required::named(&field.field_type).ok_or("required_fields names an unknown field")?;
        required.0 |= named.0;
    }
    if body.query_list.iter().any(|asked| asked.value.trim().is_empty()) {
        return Err("query_list has an entry with an empty value");
    }
    Ok(Query { asked: body.query_list, required })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    const LIST: &str = r#"[{"field_type":"email","value":"a+b@x.example"},{"value":"\u002b1","field_type":"phone","more":1}]"#;

    fn form(list: &str, required: Option<&str>) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("query_list", list);
        if let Some(required) = required {
            form.append_pair("required_fields", required);
        }
        form.finish()
    }

    #[test]
    fn a_form_and_a_json_body_say_the_same() {
        let text = form(LIST, Some(r#"[{"field_type":"phone"},{"field_type":"work_email"}]"#));
        let form = Form::read(text.as_bytes());
        let json = format!(
            r#"{{"required_fields":[{{"field_type":"work_email"}},{{"field_type":"phone"}}],"query_list":{LIST}}}"#
        );
        for query in [form.query().unwrap(), from_json(json.as_bytes()).unwrap()] {
            assert_eq!(query.asked[0].value, "a+b@x.example");
            assert_eq!((query.asked[1].field_type, &*query.asked[1].value), (FieldType::Phone, "+1"));
            assert!(Required::of(true, false, true, false).covers(query.required));
            assert!(!Required::of(true, true, false, true).covers(query.required));
            assert!(!Required::of(false, true, true, true).covers(query.required));
        }
    }

    #[test]
    fn every_field_type_is_read() {
        for field_type in FieldType::ALL {
            let body =
                format!(r#"{{"query_list":[{{"field_type":"{}","value":"a"}}]}}"#, field_type.as_str());
            assert_eq!(from_json(body.as_bytes()).unwrap().asked[0].field_type, field_type);
        }
    }

    #[test]
    fn what_the_documentation_does_not_allow_is_refused() {
        let too_many = format!("[{}]", vec![r#"{"field_type":"email","value":"a@x"}"#; 1001].join(","));
        for list in [
            "[]",
            "{}",
            "[{]",
            r#"[{"field_type":"fax","value":"a"}]"#,
            r#"[{"field_type":"email","value":" "}]"#,
            r#"[{"field_type":"email"}]"#,
            r#"[{"field_type":"email","value":1}]"#,
            &too_many,
        ] {
            let text = form(list, None);
            assert!(Form::read(text.as_bytes()).query().is_err(), "{list:.60}");
            assert!(from_json(format!(r#"{{"query_list":{list}}}"#).as_bytes()).is_err(), "{list:.60}");
        }
        assert!(Form::read(form(LIST, Some(r#"[{"field_type":"shoe_size"}]"#)).as_bytes()).query().is_err());
        assert!(Form::read(b"required_fields=[]").query().is_err());
        assert!(Form::read(form(LIST, Some("")).as_bytes()).query().is_ok());
    }
}
