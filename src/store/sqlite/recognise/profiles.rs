//! Social profiles in running text.

use crate::identifier::{FieldType, Rules, identify};

use super::Sought;

/// The most earlier ends of an address that are tried in one word.
const MOST_ENDS: usize = 12;

/// Whether the text contains one of the profiles sought, or a page below it.
pub(super) fn any(text: &str, sought: &impl Sought) -> bool {
    let apart = |c: char| {
        c.is_whitespace()
            || matches!(
                c,
                '"' | '<' | '>' | '`' | '{' | '}' | '|' | '^' | '\u{201c}' | '\u{201d}' | '\u{ab}' | '\u{bb}'
            )
    };
    text.split(apart).filter(|word| word.contains('.')).any(|word| {
        begins(word).any(|begin| word.get(begin..).is_some_and(|address| is_address(address, sought)))
    })
}

/// Where an address may begin: at the start of the word, or after a character that does not continue an
/// address, such as the colon of a label or the slash of another address. A host or a scheme must follow.
fn begins(word: &str) -> impl Iterator<Item = usize> {
    let is_host = |text: &str| {
        let end = text.find(['/', '\\', '?', '#', ':', '=', '&']).unwrap_or(text.len());
        let host = text.get(..end).unwrap_or_default();
        host.trim_end_matches('.').contains('.') || text.starts_with("http") || text.starts_with("HTTP")
    };
    let mut last = None;
    word.char_indices().filter_map(move |(at, c)| {
        let before = last.replace(c);
        let rest = word.get(at..).unwrap_or_default();
        let begins = before.is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '-' | '_' | '.' | '%' | '~'));
        // After `://` it is the same address again.
        let again = word.get(..at).is_some_and(|before| before.ends_with("://"));
        (begins && !again && c.is_alphanumeric() && is_host(rest)).then_some(at)
    })
}

/// Whether the text begins with one of the addresses sought. Every place where it could end is tried.
fn is_address(text: &str, sought: &impl Sought) -> bool {
    // A profile has a path, or a name before the network's domain.
    if !text.contains(['/', '\\']) && text.matches('.').count() < 2 {
        return false;
    }
    let whole = text.trim_end_matches(['.', '!', '?', ':', '\'', ',', ';', ')', ']', '*', '_']);
    // At any other character, the address may end or go on.
    let goes_on = |c: char| {
        c.is_alphanumeric()
            || matches!(c, '-' | '_' | '~' | '%' | '.' | '/' | '\\' | ':' | '?' | '=' | '#' | '@' | '+' | '!')
            || matches!(c, '\u{300}'..='\u{36f}' | '\u{200c}' | '\u{200d}')
    };
    let ends = whole.char_indices().filter(|(_, c)| !goes_on(*c)).map(|(end, _)| end).take(MOST_ENDS);
    std::iter::once(text.len()).chain([whole.len()]).chain(ends).any(|end| {
        let address = text.get(..end).unwrap_or_default();
        let Ok(read) = identify(address, Some(FieldType::SocialProfile), &Rules::default()) else {
            return false;
        };
        let whole = read.canonical();
        let mut parts = whole.match_indices('/').skip(1).map(|(end, _)| end).chain([whole.len()]);
        parts.any(|end| whole.get(..end).is_some_and(|part| sought.has(FieldType::SocialProfile, &[part])))
    })
}
