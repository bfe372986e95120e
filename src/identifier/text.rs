//! What all three kinds share: characters that nobody sees, and one form for the letters that are
//! seen. Knows nothing of what the text means.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;

use super::invalid::Invalid;

const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();

/// The text without what cannot be seen: blanks and invisible characters at the ends, invisible
/// ones inside; full-width forms and exotic blanks become the ASCII ones.
pub(super) fn clean(text: &str) -> Result<Cow<'_, str>, Invalid> {
    // Nearly every value is printable ASCII, and of that only blanks at the ends can go.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return non_empty(Cow::Borrowed(text.trim_matches(' ')));
    }
    let text =
        text.trim_matches(|c: char| c.is_whitespace() || c.is_control() || is_unseen(c) || is_joiner(c));
    if text.chars().any(char::is_control) {
        return Err(Invalid::ControlCharacter);
    }
    // Folding can lay a blank bare that stood behind an invisible character.
    let folded: String = text.chars().filter(|&c| !is_unseen(c)).map(plain).collect();
    non_empty(Cow::Owned(folded.trim_matches(' ').to_owned()))
}

/// One form for letters that people take for the same: lower case, composed (NFC), full-width
/// forms as ASCII. A fixed point: folding twice changes nothing.
pub(super) fn fold(text: &str) -> String {
    let mut folded = fold_once(text);
    // Lower case and composition can each give the other something to do, once or twice.
    for _ in 0..4 {
        let next = fold_once(&folded);
        if next == folded {
            break;
        }
        folded = next;
    }
    folded
}

fn fold_once(text: &str) -> String {
    // Letter by letter: `str::to_lowercase` writes a final sigma by its neighbours, so that the
    // same word in capitals would come out differently.
    let lower: String = text
        .chars()
        .map(plain)
        .flat_map(char::to_lowercase)
        .map(|c| if c == 'ς' { 'σ' } else { c })
        .collect();
    NFC.normalize(&lower).into_owned()
}

/// Marks of direction, soft hyphens, zero-width blanks, byte-order marks: copied along from web
/// pages and spreadsheets, never part of an address. The joiners are not among them: some scripts
/// spell with them.
pub(super) const fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}' | '\u{feff}'
    )
}

/// The zero-width joiners.
pub(super) const fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// Full-width forms as the ASCII that they stand for, every blank as the plain one.
fn plain(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        c if c.is_whitespace() => ' ',
        c => c,
    }
}

fn non_empty(text: Cow<'_, str>) -> Result<Cow<'_, str>, Invalid> {
    if text.is_empty() { Err(Invalid::Empty) } else { Ok(text) }
}

/// `text` without `prefix`, whose case does not matter and which is ASCII.
pub(super) fn strip_prefix_ci<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let (head, tail) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(tail)
}

/// `text` without the quotation marks or angle brackets around it, and without the comma or
/// semicolon that a list left behind.
pub(super) fn unwrap(mut text: &str) -> &str {
    const PAIRS: [(char, char); 6] =
        [('<', '>'), ('"', '"'), ('\'', '\''), ('`', '`'), ('“', '”'), ('‘', '’')];
    loop {
        let before = text;
        text = text.trim_matches(|c: char| c == ' ' || c == ',' || c == ';');
        for (open, close) in PAIRS {
            if let Some(inner) = text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close)) {
                text = inner;
            }
        }
        if text == before {
            return text;
        }
    }
}
