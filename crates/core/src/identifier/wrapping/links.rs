//! Links: the address that a link leads to, and the text that it shows. The text may be another
//! address.
//!
//! Whether the text and the address lead to the same person is decided elsewhere: here both are returned.

use std::borrow::Cow;

use crate::identifier::text::strip_prefix_ci;

/// A link, with its markup removed.
pub(super) struct Link<'t> {
    pub(super) address: Cow<'t, str>,
    pub(super) shown: Cow<'t, str>,
}

impl<'t> Link<'t> {
    fn new(address: &'t str, shown: impl Into<Cow<'t, str>>) -> Self {
        Self { address: Cow::Borrowed(address), shown: shown.into() }
    }
}

/// The starts of addresses, for wrappings that do not otherwise show that they contain a link.
const SCHEMES: [&str; 5] = ["mailto:", "tel:", "sms:", "https://", "http://"];

/// Whether `text` begins like the address of a link.
fn is_address(text: &str) -> bool {
    SCHEMES.iter().any(|scheme| strip_prefix_ci(text, scheme).is_some())
}

/// The names of Excel's function HYPERLINK in the languages of spreadsheets.
const HYPERLINK: [&str; 6] =
    ["HYPERLINK", "HIPERLINK", "HIPERVINCULO", "LIEN_HYPERTEXTE", "COLLEG.IPERTESTUALE", "HYPERLÄNK"];

/// The first text in `=HYPERLINK("https://…","Ana")`, unless the formula joins it with another
/// text.
pub(super) fn hyperlink(text: &str) -> Option<Link<'_>> {
    let call = text.strip_prefix('=').unwrap_or(text);
    let arguments =
        HYPERLINK.iter().find_map(|name| strip_prefix_ci(call, name))?.trim_start().strip_prefix('(')?;
    let (_, rest) = arguments.split_once('"')?;
    // Quotes are doubled if the whole formula was quoted.
    let rest = rest.strip_prefix('"').unwrap_or(rest);
    let (link, rest) = rest.split_once('"')?;
    let rest = rest.trim_start_matches('"').trim_start();
    let shown = rest.split('"').map(str::trim).find(|part| !part.is_empty() && *part != "," && *part != ";");
    let shown = shown.filter(|part| !part.starts_with(')')).unwrap_or_default();
    rest.starts_with([',', ';', ')']).then_some(Link::new(link, shown))
}

/// The link in `<a href="…">…</a>`, if there is only one.
pub(super) fn html(text: &str) -> Option<Link<'_>> {
    if !text.contains('<') || !text.contains('=') {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    let mut links = lower.match_indices("href").filter_map(|(at, name)| {
        let value = text.get(at + name.len()..)?.trim_start().strip_prefix('=')?.trim_start();
        match value.chars().next()? {
            quote @ ('"' | '\'') => value.get(1..)?.split(quote).next(),
            _ => value.split([' ', '>']).next(),
        }
    });
    let link = links.next()?;
    links.all(|other| other == link).then(|| Link::new(link, without_tags(text)))
}

/// The text between tags of any name.
fn without_tags(text: &str) -> String {
    let shown = text.split('<').map(|part| part.split_once('>').map_or(part, |(_, shown)| shown));
    shown.collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// The link in `https://…">Ana</a>`, which was cut out of a page together with its quote.
pub(super) fn html_rest(text: &str) -> Option<Link<'_>> {
    if !text.ends_with("</a>") && !text.ends_with("</A>") {
        return None;
    }
    let (address, rest) = text.split_once("\">").or_else(|| text.split_once("'>"))?;
    is_address(address).then(|| Link::new(address, without_tags(rest)))
}

/// The link in `<https://…|Ana>`, as chat programs write it.
pub(super) fn chat(text: &str) -> Option<Link<'_>> {
    let (address, shown) = text.strip_prefix('<')?.strip_suffix('>')?.split_once('|')?;
    let is_one = is_address(address) && !shown.contains(['<', '|']);
    is_one.then_some(Link::new(address, shown))
}

/// The link in `Ana <mailto:…>`, as mail programs write it in plain text.
pub(super) fn after_text(text: &str) -> Option<Link<'_>> {
    [('<', '>'), ('[', ']'), ('(', ')')].iter().find_map(|&(open, close)| {
        let (shown, address) = text.strip_suffix(close)?.split_once(open)?;
        let is_one = !shown.trim().is_empty() && is_address(address) && !address.contains([open, close, ' ']);
        is_one.then(|| Link::new(address, shown.trim()))
    })
}

/// The link in `Ana#https://…#`, as Microsoft Access exports a column of links.
pub(super) fn access(text: &str) -> Option<Link<'_>> {
    let (shown, address) = text.strip_suffix('#')?.split_once('#')?;
    let is_one = is_address(address) && !address.contains('#');
    is_one.then_some(Link::new(address, shown))
}

/// The link in `[Ana](https://…)`. A title may follow the address.
pub(super) fn markdown(text: &str) -> Option<Link<'_>> {
    let (label, rest) = text.strip_prefix("![").or_else(|| text.strip_prefix('['))?.split_once("](")?;
    let link = rest.strip_suffix(')')?;
    let is_one = !label.contains("](") && !link.contains("](");
    is_one.then(|| Link::new(link.split(' ').next().unwrap_or(link), label))
}

/// The link in `[[https://…][Ana]]`, as Org files of Emacs write it.
pub(super) fn org(text: &str) -> Option<Link<'_>> {
    let (address, shown) = text.strip_prefix("[[")?.strip_suffix("]]")?.split_once("][")?;
    let is_one = !address.contains(['[', ']']) && !shown.contains(['[', ']']);
    is_one.then_some(Link::new(address, shown))
}

/// The link in `[url=https://…]Ana[/url]` or `[email]…[/email]`.
pub(super) fn bbcode(text: &str) -> Option<Link<'_>> {
    ["url", "email"].iter().find_map(|tag| {
        let rest = strip_prefix_ci(text.strip_prefix('[')?, tag)?;
        let (start, inside) = rest.split_once(']')?;
        let (inside, end) = inside.rsplit_once("[/")?;
        let is_whole = end.strip_suffix(']').is_some_and(|end| end.eq_ignore_ascii_case(tag));
        is_whole.then(|| Link::new(start.strip_prefix('=').unwrap_or(inside), inside))
    })
}
