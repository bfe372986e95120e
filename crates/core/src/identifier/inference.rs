//! Infers the field type of a value that came without one. It looks only at the form; whether the
//! value is valid is checked afterwards.

use super::FieldType;
use super::invalid::Invalid;
use super::phone;
use super::social;
use super::text;

/// Schemes, and the field types that they show. `https//` is a frequent typing error.
const SCHEMES: [(&str, FieldType); 9] = [
    ("https:", FieldType::SocialProfile),
    ("http:", FieldType::SocialProfile),
    ("https//", FieldType::SocialProfile),
    ("http//", FieldType::SocialProfile),
    ("//", FieldType::SocialProfile),
    ("mailto:", FieldType::Email),
    ("tel:", FieldType::Phone),
    ("callto:", FieldType::Phone),
    ("sms:", FieldType::Phone),
];

/// The field type that `value` looks like.
///
/// The surest marks come first: a link of a messenger, a scheme, the host of a known network, an `@`, and only
/// then the form of a phone number.
///
/// # Errors
/// [`Invalid::Unrecognised`], or [`Invalid::SocialWithoutNetwork`] for a handle such as `@ana`, which any
/// network may have.
pub(super) fn infer(value: &str) -> Result<FieldType, Invalid> {
    if phone::links::number(value).is_some() {
        return Ok(FieldType::Phone);
    }
    if let Some((_, field_type)) =
        SCHEMES.iter().find(|(scheme, _)| text::strip_prefix_ci(value, scheme).is_some())
    {
        return Ok(*field_type);
    }
    if names_network(value) {
        return Ok(FieldType::SocialProfile);
    }
    let at = memchr::memchr(b'@', value.as_bytes());
    match at {
        Some(0) => return Err(Invalid::SocialWithoutNetwork),
        Some(at) => {
            let in_path =
                text::strip_prefix_ci(value, "www.").is_some() && value.find('/').is_some_and(|s| s < at);
            return Ok(if in_path { FieldType::SocialProfile } else { FieldType::Email });
        }
        None => {}
    }
    // Several addresses in brackets are read as a profile, because the reason then says that there
    // are several.
    if text::strip_prefix_ci(value, "www.").is_some() || value.matches("://").count() > 1 {
        return Ok(FieldType::SocialProfile);
    }
    if phone::is_likely(value) { Ok(FieldType::Phone) } else { Err(Invalid::Unrecognised) }
}

/// Whether `value` begins with the host of a known network and the host ends there.
pub(super) fn names_network(value: &str) -> bool {
    let end = value.find(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '-').unwrap_or(value.len());
    let (host, tail) = value.split_at_checked(end).unwrap_or((value, ""));
    (tail.is_empty() || tail.starts_with(['/', '\\', '?', '#', ':', ' ', ',', ';', '>', '"', '\'']))
        && host.contains('.')
        && social::is_network(host.trim_end_matches('.'))
}
