//! Quotes, brackets and other marks at the ends of a value.

use std::borrow::Cow;

use crate::identifier::text::strip_prefix_ci;

/// Pairs of brackets in several scripts.
const BRACKETS: [(char, char); 9] = [
    ('(', ')'),
    ('[', ']'),
    ('{', '}'),
    ('<', '>'),
    ('«', '»'),
    ('‹', '›'),
    ('「', '」'),
    ('『', '』'),
    ('【', '】'),
];

/// Pairs of quotes in several languages.
const QUOTES: [(char, char); 10] = [
    ('"', '"'),
    ('\'', '\''),
    ('`', '`'),
    ('´', '´'),
    ('“', '”'),
    ('”', '”'),
    ('„', '“'),
    ('‘', '’'),
    ('’', '’'),
    ('‚', '‘'),
];

/// Marks that no value begins with.
const BEFORE: &str = "'’‘‚´`\"“”„»›>}*•·▪,;|:!?✉📧📨📩☎📞📱";
/// Marks that no value ends with.
const BEHIND: &str = "'’‘´`\"“”«‹<{*•·,;|:!?";

/// Removes a pair of quotes or brackets around the whole value.
pub(super) fn pair(text: &str) -> Option<Cow<'_, str>> {
    // A data frame shows Python's bytes and raw strings with a letter before the quote.
    let quoted =
        text.strip_prefix(['b', 'u', 'r']).filter(|rest| rest.starts_with(['\'', '"'])).unwrap_or(text);
    let inside_quotes = QUOTES.iter().find_map(|&(open, close)| {
        let inside = quoted.strip_prefix(open)?.strip_suffix(close)?;
        let doubled = inside.starts_with(open) && inside.ends_with(close);
        (!inside.contains([open, close]) || doubled).then_some(inside)
    });
    let brackets = || BRACKETS.iter().find_map(|&(open, close)| inside(text, open, close));
    inside_quotes.or_else(brackets).map(Cow::Borrowed).or_else(|| around_name(text).map(Cow::Owned))
}

/// Removes a pair of quotes around the part before the `@`: `'ana'@acme.example`. With one of them left, it would be
/// another address. RFC 5321's own quotes are part of the syntax and are kept.
fn around_name(text: &str) -> Option<String> {
    let (name, domain) = text.rsplit_once('@')?;
    let quotes = QUOTES.iter().filter(|(open, _)| *open != '"');
    let name = quotes.into_iter().find_map(|&(open, close)| name.strip_prefix(open)?.strip_suffix(close))?;
    (!name.contains('@')).then(|| format!("{name}@{domain}"))
}

/// The text between a matching pair of brackets at both ends of `text`.
fn inside(text: &str, open: char, close: char) -> Option<&str> {
    let inside = text.strip_prefix(open)?.strip_suffix(close)?;
    let mut depth = 0_i32;
    let balanced = inside.chars().all(|c| {
        depth += i32::from(c == open) - i32::from(c == close);
        depth >= 0
    });
    (balanced && depth == 0).then_some(inside)
}

/// Removes a mark at one end that has no counterpart.
pub(super) fn stray(text: &str) -> Option<Cow<'_, str>> {
    let alone = |open: char, close: char| text.matches(open).count() > text.matches(close).count();
    let starts = |c: char| {
        BEFORE.contains(c)
            || BRACKETS.iter().any(|&(open, close)| c == close || c == open && alone(open, close))
    };
    let ends = |c: char| {
        BEHIND.contains(c)
            || BRACKETS.iter().any(|&(open, close)| c == open || c == close && alone(close, open))
    };
    // The quotes of a mailbox name are part of it: `"ana lopez"@acme.example`.
    let is_name = text.starts_with('"') && text.contains("\"@");
    let mut inside = text;
    if !is_name {
        inside = inside.strip_prefix(starts).unwrap_or(inside);
        inside = inside.strip_prefix("- ").unwrap_or(inside);
    }
    inside = inside.strip_suffix(ends).unwrap_or(inside);
    inside = inside.strip_suffix('.').unwrap_or(inside);
    (inside.len() < text.len()).then_some(Cow::Borrowed(inside))
}

/// Blanks, line breaks, quotes and brackets, percent-encoded as in URLs.
const ENCODED: [&str; 10] =
    ["%20", "%09", "%0a", "%0d", "%22", "%3c", "%3e", "%c2%a0", "%e2%80%8b", "%ef%bb%bf"];

/// Removes an encoded mark at one end.
pub(super) fn encoded(text: &str) -> Option<Cow<'_, str>> {
    if !ends_encoded(text.as_bytes()) {
        return None;
    }
    ENCODED.iter().find_map(|mark| {
        let before = || {
            let (inside, end) = text.split_at_checked(text.len().checked_sub(mark.len())?)?;
            end.eq_ignore_ascii_case(mark).then_some(inside)
        };
        strip_prefix_ci(text, mark).or_else(before).map(Cow::Borrowed)
    })
}

/// Whether a percent-encoded character may stand at an end of `text`.
pub(super) fn ends_encoded(text: &[u8]) -> bool {
    text.first() == Some(&b'%') || text.iter().rev().nth(2) == Some(&b'%')
}
