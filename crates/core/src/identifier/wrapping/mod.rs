//! Removes what programs put around a value, before the value is parsed. A table of wrappings is
//! tried in order until none matches. Pure. Of the three kinds it knows only how an address begins.

mod formats;
mod links;
mod marks;
mod words;

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::invalid::Invalid;
use super::text::strip_prefix_ci;
use links::Link;
pub use words::with_marks;

/// The most wrappings that are removed from one value. It bounds the work for a hostile value.
const MOST: usize = 12;

/// One kind of markup that is put around a value.
pub(super) struct Wrapping {
    /// The program or format that adds it.
    #[cfg_attr(not(test), allow(dead_code))] // the documentation shows it
    pub(super) name: &'static str,
    /// A wrapped value and the value inside it, for tests and documentation.
    #[cfg_attr(not(test), allow(dead_code))]
    pub(super) example: (&'static str, &'static str),
    take_off: TakeOff,
}

/// How a wrapping is removed.
#[derive(Clone, Copy)]
enum TakeOff {
    /// The function returns the value inside.
    Around(for<'t> fn(&'t str) -> Option<Cow<'t, str>>),
    /// The function returns the link, of which the address is the value.
    Link(for<'t> fn(&'t str) -> Option<Link<'t>>),
}

impl TakeOff {
    /// The value inside, and the text that a link shows.
    fn take_off(self, text: &str) -> Option<(Cow<'_, str>, Option<Cow<'_, str>>)> {
        match self {
            Self::Around(inside) => Some((inside(text)?, None)),
            Self::Link(link) => link(text).map(|link| (link.address, Some(link.shown))),
        }
    }
}

const fn wrapping(
    name: &'static str,
    example: (&'static str, &'static str),
    inside: for<'t> fn(&'t str) -> Option<Cow<'t, str>>,
) -> Wrapping {
    Wrapping { name, example, take_off: TakeOff::Around(inside) }
}

const fn link(
    name: &'static str,
    example: (&'static str, &'static str),
    link: for<'t> fn(&'t str) -> Option<Link<'t>>,
) -> Wrapping {
    Wrapping { name, example, take_off: TakeOff::Link(link) }
}

/// In the order in which they are tried. Wrappings with a syntax of their own come before single
/// marks.
pub(super) const WRAPPINGS: [Wrapping; 24] = [
    link(
        "Excel's HYPERLINK",
        ("=HYPERLINK(\"https://x.example/ana\",\"Ana\")", "https://x.example/ana"),
        links::hyperlink,
    ),
    wrapping("a formula that is a text", ("=\"+12015550123\"", "\"+12015550123\""), formats::formula),
    link("an HTML link", ("<a href=\"https://x.example/ana\">Ana</a>", "https://x.example/ana"), links::html),
    link(
        "the rest of an HTML link",
        ("https://x.example/ana\">Ana</a>", "https://x.example/ana"),
        links::html_rest,
    ),
    link("a Markdown link", ("[Ana](https://x.example/ana)", "https://x.example/ana"), links::markdown),
    link("a link of a chat", ("<tel:+12015550123|Ana>", "tel:+12015550123"), links::chat),
    link(
        "a link after its text",
        ("Ana<mailto:ana@acme.example>", "mailto:ana@acme.example"),
        links::after_text,
    ),
    link("a link of Access", ("Ana#https://x.example/ana#", "https://x.example/ana"), links::access),
    wrapping("HTML tags", ("<p>ana@acme.example</p>", "ana@acme.example"), formats::html_tags),
    wrapping("HTML entities", ("ana&#64;acme.example", "ana@acme.example"), formats::html_entities),
    wrapping(
        "escapes of JSON",
        ("\\u003cana@acme.example\\u003e", "<ana@acme.example>"),
        formats::json_escapes,
    ),
    wrapping(
        "JSON",
        ("[{\"value\":\"ana@acme.example\",\"primary\":true}]", "ana@acme.example"),
        formats::json,
    ),
    link("an Org link", ("[[https://x.example/ana][Ana]]", "https://x.example/ana"), links::org),
    link("a BBCode link", ("[url=https://x.example/ana]Ana[/url]", "https://x.example/ana"), links::bbcode),
    wrapping("percent-encoding of the whole", ("ana%40acme.example", "ana@acme.example"), formats::percent),
    wrapping(
        "percent-encoded marks at the ends",
        ("%20ana@acme.example", "ana@acme.example"),
        marks::encoded,
    ),
    wrapping(
        "a scheme that lost a letter",
        ("ttps://www.x.example/ana", "www.x.example/ana"),
        formats::worn_scheme,
    ),
    wrapping("`mailto:`", ("mailto:ana@acme.example?subject=Hi", "ana@acme.example"), formats::mailto),
    wrapping("`@` in words", ("ana[at]acme[dot]example", "ana@acme.example"), words::at_in_words),
    wrapping("quotes and brackets", ("['ana@acme.example']", "'ana@acme.example'"), marks::pair),
    wrapping("marks at the ends", ("'+12015550123", "+12015550123"), marks::stray),
    wrapping("a name beside an address", ("Ana (ana@acme.example)", "ana@acme.example"), words::name),
    wrapping("parts beside an address", ("Ana | ana@acme.example", "ana@acme.example"), words::parts),
    wrapping("a label", ("E-mail: ana@acme.example", "ana@acme.example"), words::label),
];

/// A value whose wrappings have been removed.
pub(super) struct Unwrapped<'t> {
    /// Borrowed if nothing was removed.
    pub(super) value: Cow<'t, str>,
    /// The texts of the links that were removed. Each may be another value.
    pub(super) shown: Vec<String>,
}

/// Removes all wrappings from `text`.
///
/// # Errors
/// [`Invalid::CutOff`] if letters at the end were left out, [`Invalid::EmailSeveral`] for a link to several mailboxes.
///
/// Most values are clean, and cost one pass. For the others each wrapping is tried in order, and again from the
/// first after each one that matched, so that wrappings inside wrappings are removed, too.
pub(super) fn unwrap(text: &str) -> Result<Unwrapped<'_>, Invalid> {
    let mut unwrapped = Unwrapped { value: Cow::Borrowed(text), shown: Vec::new() };
    if is_cut_off(text) {
        return Err(Invalid::CutOff);
    }
    if is_clean(text) {
        return Ok(unwrapped);
    }
    for _ in 0..MOST {
        let value = &*unwrapped.value;
        if has_second_recipient(value) {
            return Err(Invalid::EmailSeveral);
        }
        let Some((next, shown)) = WRAPPINGS.iter().find_map(|wrapping| wrapping.take_off.take_off(value))
        else {
            break;
        };
        let next = next.trim_matches(' ').to_owned();
        // If a value has only marks, nothing would be left. The marks are then the value.
        if next.is_empty() || next == value {
            break;
        }
        if is_cut_off(&next) {
            return Err(Invalid::CutOff);
        }
        let shown = shown.map(Cow::into_owned);
        unwrapped.shown.extend(shown);
        unwrapped.value = Cow::Owned(next);
    }
    Ok(unwrapped)
}

/// Whether `text` ends with an ellipsis, or with stars that mask letters. Stars at both ends are
/// emphasis.
///
/// The rest of the address is unknown, so it must not be looked up as it stands.
fn is_cut_off(text: &str) -> bool {
    // A path may end with two dots.
    let may_have_two = || text.ends_with("/..") || text.ends_with("\\..");
    text.ends_with(['…', '‥'])
        || text.ends_with("...")
        || text.ends_with("..") && !may_have_two()
        || text.ends_with("**") && !text.starts_with('*')
}

/// Whether `text` is a link with another recipient in its field `to` (RFC 6068, 2).
fn has_second_recipient(text: &str) -> bool {
    let Some((address, fields)) = strip_prefix_ci(text, "mailto:").and_then(|link| link.split_once('?'))
    else {
        return false;
    };
    let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().trim().to_lowercase();
    fields.split('&').any(|field| {
        let recipient = strip_prefix_ci(field, "to=").map(plain).unwrap_or_default();
        !address.is_empty() && !recipient.is_empty() && recipient != plain(address)
    })
}

/// Whether `text` is an address without any mark of a wrapping. Then no wrapping has to be tried.
fn is_clean(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
    let bytes = rest.as_bytes();
    let is_usual = |&byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_' | b'.' | b'/' | b'@' | b'?' | b'=' | b'&' | b'%' | b'+')
    };
    bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_'))
        && bytes.iter().all(is_usual)
        && (bytes.contains(&b'/') || bytes.contains(&b'@'))
        && bytes
            .iter()
            .position(|&byte| byte == b'=')
            .is_none_or(|at| rest.find('/').is_some_and(|slash| slash < at))
        && !rest.contains("//")
        && !marks::ends_encoded(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// No wrapping matches a text that counts as clean.
        #[test]
        fn what_is_clean_has_nothing_around_it(text in "(https?://)?(email=|mailto|tel)?[a-b@./?=&%2F+_-]{1,12}") {
            if is_clean(&text) && !is_cut_off(&text) {
                prop_assert_eq!(WRAPPINGS.iter().find_map(|wrapping| wrapping.take_off.take_off(&text)), None);
            }
        }
    }

    #[test]
    fn every_wrapping_takes_off_what_its_example_shows() {
        for Wrapping { name, example: (value, inside), take_off } in &WRAPPINGS {
            let taken = take_off.take_off(value).map(|(inside, _)| inside);
            assert_eq!(taken.as_deref(), Some(*inside), "{name}");
        }
    }

    #[test]
    fn the_documentation_has_every_wrapping() {
        let page = include_str!("../../../../../docs/reference/identifiers.md");
        for Wrapping { name, example: (value, inside), .. } in &WRAPPINGS {
            let cell = |text: &str| text.replace('|', "\\|");
            let row = format!("| {name} | `{}` | `{}` |", cell(value), cell(inside));
            assert!(page.contains(&row), "docs/reference/identifiers.md lacks the row\n{row}");
        }
    }

    #[test]
    fn wrappings_are_taken_off_one_after_the_other() {
        for (value, inside) in [
            ("=\"\"+12015550123\"\"", "+12015550123"),
            ("\"=\"\"+12015550123\"\"\"", "+12015550123"),
            ("<https://x.example/ana|Ana>", "https://x.example/ana"),
            ("<mailto:ana@acme.example|ana@acme.example>", "ana@acme.example"),
            ("{\"email\": \"ana@acme.example\"}", "ana@acme.example"),
            ("b'ana@acme.example'", "ana@acme.example"),
            ("&lt;ana@acme.example&gt;", "ana@acme.example"),
            ("Ana López <ana@acme.example>;", "ana@acme.example"),
            ("LinkedIn - https://linkedin.com/in/ana", "https://linkedin.com/in/ana"),
            ("E-Mail (privat): ana@acme.example", "ana@acme.example"),
            ("mailto%3Aana%40acme.example", "ana@acme.example"),
            ("**ana@acme.example**", "ana@acme.example"),
        ] {
            assert_eq!(unwrap(value).map(|unwrapped| unwrapped.value).as_deref(), Ok(inside), "{value}");
        }
    }

    #[test]
    fn what_is_a_part_of_the_value_stays() {
        for value in [
            "o'neil@acme.example",
            "(201) 555-0123",
            "+1 (201) 555-0123 (work)",
            "\"ana lopez\"@acme.example",
            "https://en.example/wiki/Ana_(singer)",
            "linkedin.com/in/jos%C3%A9",
            "linkedin.com:443/in/ana",
            "tel:+1-201-555-0123",
            "https://x.example/?a=1&b=2",
        ] {
            assert_eq!(unwrap(value).map(|unwrapped| unwrapped.value).as_deref(), Ok(value));
        }
    }
}
