//! Social profiles in running text.

use exactbuyer_core::identifier::spelling::{is_joiner, is_mark};
use exactbuyer_core::identifier::{FieldType, Identifier, Rules, identify};

use super::{Sought, is_change_of_script};

/// The most characters of an address that are read. Later characters are usually only tracking parameters.
const LONGEST: usize = 2_048;

/// Characters before and after an address that do not belong to it.
const PUNCTUATION: [char; 12] = ['.', '!', '?', ':', '\'', ',', ';', '(', ')', '[', ']', '*'];

/// The most earlier ends of an address that are tried in one word.
const MOST_ENDS: usize = 12;

/// The most further beginnings that an address contains, such as those of addresses inside its query.
const MOST_INSIDE: usize = 8;

/// The most parts of a path that are tried as the address of a profile to which the others are pages.
const MOST_PARTS: usize = 16;

/// Whether the whole text may be an address with something around it. [`any`] finds one that stands alone.
pub(super) fn may_be_row(text: &str) -> bool {
    let is_part =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/' | b':' | b'@');
    let stands_alone = text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.bytes().all(is_part);
    let mut after_dots =
        text.match_indices(['.', '\u{3002}', '\u{ff61}']).filter_map(|(at, dot)| text.get(at + dot.len()..));
    !stands_alone && after_dots.any(|rest| rest.starts_with(|c: char| !c.is_whitespace()))
}

/// Whether the text contains one of the profiles sought, or a page below it.
pub(crate) fn any(text: &str, sought: &impl Sought) -> bool {
    addresses(text).any(|address| is_one(address, sought))
}

/// Everything in the text that may be the address of a profile. Its length is a constant times that of the text,
/// because each character is in few of them.
fn addresses(text: &str) -> impl Iterator<Item = &str> {
    let apart = |c: char| {
        c.is_whitespace()
            || matches!(
                c,
                '"' | '<' | '>' | '`' | '{' | '}' | '|' | '^' | '\u{201c}' | '\u{201d}' | '\u{ab}' | '\u{bb}'
            )
    };
    // Some people write `_see linkedin.com/in/ana_`. Without italics before it, a name that ends with `_` is another name.
    let mut in_italics = false;
    let words = text.split(apart).flat_map(move |word| {
        in_italics |= word.trim_start_matches(PUNCTUATION).starts_with('_');
        [Some(word), in_italics.then(|| without_italics(word)).flatten()]
    });
    words.flatten().filter(|word| word.contains('.')).flat_map(|word| {
        let begins = begins(word);
        (0..begins.len()).flat_map(move |number| {
            let begin = begins.get(number).copied().unwrap_or(word.len());
            let next = begins.get(number + 1 + MOST_INSIDE).copied().unwrap_or(word.len());
            let end = word.floor_char_boundary(next.min(begin.saturating_add(LONGEST)));
            ends(word.get(begin..end).unwrap_or_default())
        })
    })
}

/// The word without the `_` of italics, or without as many at its end as at its beginning. `None` if it has none at its
/// end.
fn without_italics(word: &str) -> Option<&str> {
    let word = word.trim_matches(PUNCTUATION);
    let inner = word.trim_start_matches('_');
    let marks = (word.len() - inner.len()).max(1);
    let end = inner.len().checked_sub(marks)?;
    inner.get(end..)?.bytes().all(|byte| byte == b'_').then(|| inner.get(..end)).flatten()
}

/// Where an address may begin, in order: at the start of the word, or after a character that does not continue an
/// address, such as the colon of a label or the slash of another address. A host or a scheme must follow.
fn begins(word: &str) -> Vec<usize> {
    let mut found = Vec::new();
    // From the end, so that each character is looked at once: whether the host that would begin here has any
    // character but dots, and a dot before such a character.
    let (mut any, mut dotted) = (false, false);
    let mut chars = word.char_indices().rev().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '/' | '\\' | '?' | '#' | ':' | '=' | '&' => (any, dotted) = (false, false),
            '.' => dotted |= any,
            _ => any = true,
        }
        let begins = chars.peek().is_none_or(|(_, before)| {
            is_change_of_script(*before, c)
                || !before.is_alphanumeric() && !matches!(before, '-' | '_' | '.' | '%' | '~')
        });
        if !begins || !c.is_alphanumeric() {
            continue;
        }
        let (before, rest) = word.split_at_checked(at).unwrap_or((word, ""));
        let is_host = dotted || rest.starts_with("http") || rest.starts_with("HTTP");
        // After `://` it is the same address again.
        if is_host && !before.ends_with("://") {
            found.push(at);
        }
    }
    found.reverse();
    found
}

/// The addresses that the text may begin with: every place where one could end is tried.
fn ends(text: &str) -> impl Iterator<Item = &str> {
    // A profile has a path, or a name before the network's domain.
    let is_profile = text.contains(['/', '\\']) || text.matches('.').count() > 1;
    let text = if is_profile { text } else { "" };
    let whole = text.trim_end_matches(PUNCTUATION);
    // At any other character, the address may end or go on.
    let goes_on = |c: char| {
        c.is_alphanumeric()
            || matches!(c, '-' | '_' | '~' | '%' | '.' | '/' | '\\' | ':' | '?' | '=' | '#' | '@' | '+' | '!')
            || is_mark(c)
            || is_joiner(c)
    };
    let mut before = ' ';
    let mut may_end = move |c: char| is_change_of_script(std::mem::replace(&mut before, c), c) || !goes_on(c);
    let ends = whole.char_indices().filter(move |(_, c)| may_end(*c)).map(|(end, _)| end).take(MOST_ENDS);
    let longest = if whole.len() < text.len() { Some(text.len()) } else { None };
    let ends = longest.into_iter().chain([whole.len()]).chain(ends);
    ends.filter_map(|end| text.get(..end)).filter(|address| !address.is_empty())
}

/// Whether this is the address of a profile sought, or of a page below it: `linkedin.com/in/ana/details/skills` is a
/// page below `linkedin.com/in/ana`, and `twitter.com/ana/status/1` one below `twitter.com/ana`.
fn is_one(address: &str, sought: &impl Sought) -> bool {
    let read = |address| identify(address, Some(FieldType::SocialProfile), &Rules::default()).ok();
    // A page below a profile is no row. Its profile has one or two parts after the host.
    let host = address.find("://").map_or(0, |scheme| scheme + 3);
    let shorter = || address.match_indices('/').map(|(end, _)| end).filter(|end| *end > host).skip(1).take(2);
    let profile = || shorter().filter_map(|end| read(address.get(..end)?)).find(|read| has(read, sought));
    read(address).map_or_else(|| profile().is_some(), |read| has(&read, sought))
}

/// Whether this profile, or one to which it is a page, is sought.
fn has(read: &Identifier, sought: &impl Sought) -> bool {
    let whole = read.canonical();
    let parts = whole.match_indices('/').skip(1).map(|(end, _)| end).take(MOST_PARTS);
    parts
        .chain([whole.len()])
        .any(|end| whole.get(..end).is_some_and(|part| sought.has(FieldType::SocialProfile, &[part])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_of_a_text_grows_no_faster_than_the_text() {
        let long = "a".repeat(300);
        for word in [
            "/a.co",
            ",a.co/x",
            "/a.co/x,y,z,",
            "?a.b.c",
            "=http",
            ",a",
            "a.co/",
            ".",
            "https://linkedin.com/in/ana?url=",
            "://a.co",
            &format!("/{long}.co"),
            &format!("{}{}", "/a.co".repeat(400), ",".repeat(12)),
        ] {
            let text = word.repeat(1_000_000 / word.len());
            let read: usize = addresses(&text).map(str::len).sum();
            assert!(read <= 150 * text.len(), "{word}: {read} of {}", text.len());
        }
    }

    #[test]
    fn an_address_is_read_wherever_it_stands_in_a_long_word() {
        let ana = "linkedin.com/in/ana";
        let is_read = |text: &str| addresses(text).any(|address| address == ana);
        for filler in ["/a.co", ",b.example/x", "&q=1.5", ";", "x,", "_"] {
            let filler = filler.repeat(20_000);
            assert!(is_read(&format!("{filler},{ana}")), "after");
            assert!(is_read(&format!("{ana},{filler}")), "before");
            assert!(is_read(&format!("{filler},{ana},{filler}")), "within");
        }
    }
}
