//! Wrappings with a syntax of their own: formulas, HTML, JSON, encodings.
//!
//! Each function is one row of the table of wrappings: it returns the text inside, or `None` if the text is not
//! wrapped in this way. Then the next row is tried.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::words::has_address;
use crate::identifier::encodings;
use crate::identifier::inference::names_network;
use crate::identifier::text::strip_prefix_ci;

/// Removes the equals sign of a formula: `="…"` and `=…`.
pub(super) fn formula(text: &str) -> Option<Cow<'_, str>> {
    text.strip_prefix('=').map(|rest| Cow::Borrowed(rest.trim_start()))
}

/// The HTML tags that are removed. Any other text in angle brackets may be an address.
const TAGS: [&str; 18] = [
    "a", "b", "body", "br", "div", "em", "font", "html", "i", "li", "p", "span", "strong", "td", "th", "tr",
    "u", "ul",
];

/// Removes HTML tags and keeps the text between them. Text with an unknown tag is left alone,
/// because `<…>` may be an address.
pub(super) fn html_tags(text: &str) -> Option<Cow<'_, str>> {
    let mut plain = String::new();
    let mut rest = text;
    let mut found = false;
    while let Some((before, after)) = rest.split_once('<') {
        let name = after.trim_start_matches('/');
        let end = name.find(|c: char| !c.is_ascii_alphabetic())?;
        let (name, tail) = name.split_at_checked(end)?;
        if !TAGS.iter().any(|tag| tag.eq_ignore_ascii_case(name)) || !tail.starts_with([' ', '/', '>']) {
            return None;
        }
        plain.push_str(before);
        plain.push(' ');
        rest = tail.split_once('>')?.1;
        found = true;
    }
    plain.push_str(rest);
    found.then(|| Cow::Owned(plain.trim().to_owned()))
}

/// Decodes HTML entities: `&amp;`, `&#64;`, `&#x40;`.
pub(super) fn html_entities(text: &str) -> Option<Cow<'_, str>> {
    encodings::without_entities(text).map(Cow::Owned)
}

/// Decodes a value that is percent-encoded as a whole: `https%3A%2F%2F…`. Such a value has none of
/// an address's marks in plain form.
pub(super) fn percent(text: &str) -> Option<Cow<'_, str>> {
    if text.contains(['/', '@', ' ', ':', '?', '#', '=', '&']) {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    // If the value was encoded twice, the percent sign itself is encoded.
    if !["%2f", "%40", "%3a", "%2b", "%252f", "%2540", "%253a"].iter().any(|mark| lower.contains(mark)) {
        return None;
    }
    let decoded = percent_decode_str(text).decode_utf8().ok()?;
    (!decoded.chars().any(char::is_control)).then_some(decoded)
}

/// The address in `mailto:ana@acme.example?subject=…`, with or without `mailto:`.
pub(super) fn mailto(text: &str) -> Option<Cow<'_, str>> {
    let address = match (strip_prefix_ci(text, "mailto:"), text.split_once('?')) {
        (Some(link), _) => link.trim_start_matches('/').split('?').next()?,
        (None, Some((address, headers))) => {
            let is_header = |name: &&str| strip_prefix_ci(headers, name).is_some();
            let is_mail = address.contains('@') && !address.contains('/');
            (is_mail && ["subject=", "body=", "cc=", "bcc="].iter().any(is_header)).then_some(address)?
        }
        (None, None) => return None,
    };
    let decoded = percent_decode_str(address).decode_utf8().ok()?;
    (!decoded.chars().any(char::is_control)).then_some(decoded)
}

/// Decodes a JSON string that was left encoded: `\u003cana@acme.example\u003e`, `https:\/\/…`. A
/// line break that is written as `\n` at the end is removed, too.
pub(super) fn json_escapes(text: &str) -> Option<Cow<'_, str>> {
    let ends = ["\\n", "\\r", "\\t"].iter().find_map(|end| text.strip_suffix(end));
    if let Some(rest) = ends {
        return Some(Cow::Borrowed(rest));
    }
    if !text.contains("\\u") && !text.contains("\\/") && !text.contains("\\\"") {
        return None;
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, marked)) = rest.find('\\').and_then(|at| rest.split_at_checked(at)) {
        let (code, after) = encodings::escape(marked)?;
        let is_one = match marked.as_bytes().get(1)? {
            b'/' | b'"' => true,
            // Pairs of escapes are for emoji, which are in no address.
            b'u' => u16::try_from(code).is_ok(),
            _ => false,
        };
        plain.push_str(before);
        plain.push(char::from_u32(code).filter(|c| is_one && !c.is_control())?);
        rest = after;
    }
    plain.push_str(rest);
    Some(Cow::Owned(plain))
}

/// Removes a scheme that was damaged when it was copied: `ttps://www.…`, `https;//www.…`.
pub(super) fn worn_scheme(text: &str) -> Option<Cow<'_, str>> {
    let (scheme, rest) = text.split_once("//")?;
    let worn = !matches!(scheme.to_ascii_lowercase().as_str(), "" | "https:" | "http:" | "https" | "http");
    let is_scheme = scheme.len() <= 8 && scheme.chars().all(|c| "htpsHTPS:;. ".contains(c));
    let is_page = strip_prefix_ci(rest, "www.").is_some() || names_network(rest);
    (worn && is_scheme && is_page).then_some(Cow::Borrowed(rest))
}

/// The only address in a JSON value: `[{"value": "ana@acme.example", "primary": true}]`.
pub(super) fn json(text: &str) -> Option<Cow<'_, str>> {
    if !text.starts_with(['{', '[']) || !text.ends_with(['}', ']']) || !text.contains("{\"") {
        return None;
    }
    let mut values: Vec<Value> = vec![serde_json::from_str(text).ok()?];
    let mut found: Option<String> = None;
    while let Some(value) = values.pop() {
        match value {
            Value::String(text) if !has_address(&text) || found.as_ref() == Some(&text) => {}
            Value::String(text) if found.is_none() => found = Some(text),
            Value::String(_) => return None,
            Value::Array(items) => values.extend(items),
            Value::Object(fields) => values.extend(fields.into_iter().map(|(_, value)| value)),
            _ => {}
        }
    }
    found.filter(|text| !text.chars().any(char::is_control)).map(Cow::Owned)
}
