//! Text operations that all three kinds share: removing invisible characters, and one form for
//! letters that look the same to people. Knows nothing of what the text means.

use std::borrow::Cow;

use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup};
use icu_properties::{
    CodePointMapData, CodePointMapDataBorrowed, CodePointSetData, CodePointSetDataBorrowed,
};

use super::invalid::Invalid;

/// Composes letters that Unicode can also write as a letter and separate marks.
const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();
/// The characters that Unicode says are invisible (`Default_Ignorable_Code_Point`).
const IGNORABLE: CodePointSetDataBorrowed<'static> = CodePointSetData::new::<DefaultIgnorableCodePoint>();
const CATEGORY: CodePointMapDataBorrowed<'static, GeneralCategory> = CodePointMapData::new();

/// The text without its invisible characters and without blanks at its ends. Full-width forms and
/// unusual blanks become their ASCII forms.
///
/// This is the first step for every value that comes in, so nearly all of them must pass it without
/// an allocation.
pub(super) fn clean(text: &str) -> Result<Cow<'_, str>, Invalid> {
    // Nearly every value is printable ASCII. In such a value, only blanks at the ends can be
    // removed.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return non_empty(Cow::Borrowed(text.trim_matches(' ')));
    }
    let text = text.trim_matches(|c: char| {
        c.is_whitespace() || c.is_control() || is_blank(c) || is_unseen(c) || is_joiner(c) || is_private(c)
    });
    if text.contains('\u{fffd}') {
        return Err(Invalid::ReplacementCharacter);
    }
    if text.contains(char::is_control) {
        return Err(Invalid::ControlCharacter);
    }
    // After folding, a blank that followed an invisible character can be at an end.
    non_empty(Cow::Owned(folded(text).trim_matches(' ').to_owned()))
}

/// The text without its invisible characters, and with the ASCII forms of full-width forms and unusual blanks.
///
/// Most texts are ASCII and are not copied.
#[must_use]
pub fn folded(text: &str) -> Cow<'_, str> {
    if text.is_ascii() { Cow::Borrowed(text) } else { Cow::Owned(seen(text).chars().map(plain).collect()) }
}

/// The text without its invisible characters. A zero-width joiner is kept between letters of
/// scripts that need it for spelling, and inside an emoji.
pub(super) fn seen(text: &str) -> String {
    let mut seen = String::with_capacity(text.len());
    let mut chars = text.chars().filter(|&c| !is_unseen(c)).peekable();
    let spells = |c: Option<char>| c.is_some_and(|c| !c.is_ascii() && !is_joiner(c) && !c.is_whitespace());
    while let Some(c) = chars.next() {
        if !is_joiner(c) || spells(seen.chars().next_back()) && spells(chars.peek().copied()) {
            seen.push(c);
        }
    }
    seen
}

/// The text with composed letters (Unicode's NFC) and with ASCII for full-width forms. The case is
/// kept.
pub(super) fn compose(text: &str) -> String {
    NFC.normalize(&text.chars().map(plain).collect::<String>()).into_owned()
}

/// The text without accents and other marks.
pub(super) fn without_accents(text: &str) -> String {
    let letters = DecomposingNormalizerBorrowed::new_nfd().normalize_iter(text.chars());
    compose(&letters.filter(|c| !is_mark(*c)).collect::<String>())
}

/// One form for letters that people do not distinguish: lower case, composed (NFC), ASCII for
/// full-width forms. Lowering a text twice changes nothing more.
pub(super) fn lower(text: &str) -> String {
    fixed_point(text, |text| compose(&compose(text).to_lowercase()))
}

/// As [`lower`], but a final sigma becomes a normal one. The two have the same capital letter, so a
/// text in capitals does not say which of them was meant.
pub(super) fn fold(text: &str) -> String {
    fixed_point(text, |text| lower(text).replace('ς', "σ"))
}

/// Repeats a step until it changes nothing more.
fn fixed_point(text: &str, step: impl Fn(&str) -> String) -> String {
    let mut stepped = step(text);
    // Lower case can make a new composition possible, and the other way round, once or twice.
    for _ in 0..4 {
        let next = step(&stepped);
        if next == stepped {
            break;
        }
        stepped = next;
    }
    stepped
}

/// Whether Unicode calls a character invisible, such as direction marks, soft hyphens and variation
/// selectors, or it is a placeholder that exports leave for an object. Such characters are copied
/// along from web pages and spreadsheets, and are never part of an address. The joiners are not
/// included, because some scripts need them.
pub(super) fn is_unseen(c: char) -> bool {
    !c.is_ascii() && !is_joiner(c) && (IGNORABLE.contains(c) || matches!(c, '\u{fff9}'..='\u{fffc}'))
}

/// Whether `c` is a zero-width joiner or non-joiner.
#[must_use]
pub const fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// Whether `c` is for private use and so has no meaning of its own, such as the icons of a web
/// page's font. At the ends of a value it is decoration; inside, it may stand for a letter.
pub(super) const fn is_private(c: char) -> bool {
    matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}')
}

/// Whether `text` has a percent sign that two hexadecimal digits follow.
pub(super) fn has_escape(text: &str) -> bool {
    text.match_indices('%').any(|(at, _)| {
        text.as_bytes().get(at + 1..at + 3).is_some_and(|code| code.iter().all(u8::is_ascii_hexdigit))
    })
}

/// Whether letters of `text` are masked or left out: `l•••`, `ana…`, `a***z`.
pub(super) fn is_masked(text: &str) -> bool {
    text.contains("**")
        || text.contains("...")
        || !text.is_ascii()
            && text.contains(['…', '•', '●', '∙', '⋆', '✱', '×', '█', '■', '▪', '░', '▒', '▓'])
}

/// Whether `c` is a combining mark, which belongs to the letter before it.
#[must_use]
pub fn is_mark(c: char) -> bool {
    !c.is_ascii() && GeneralCategoryGroup::Mark.contains(CATEGORY.get(c))
}

/// Whether `c` is shown as empty space although Unicode counts it as a symbol: the blank of
/// Braille.
const fn is_blank(c: char) -> bool {
    matches!(c, '\u{2800}')
}

/// Turns full-width and small forms into the ASCII characters that they stand for, and every blank
/// into a space.
fn plain(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '\u{fe52}' => '.',
        '\u{fe55}' => ':',
        '\u{fe62}' => '+',
        '\u{fe63}' => '-',
        '\u{fe6b}' => '@',
        c if c.is_whitespace() || is_blank(c) => ' ',
        c => c,
    }
}

/// The text, or [`Invalid::Empty`] if nothing is left of it.
fn non_empty(text: Cow<'_, str>) -> Result<Cow<'_, str>, Invalid> {
    if text.is_empty() { Err(Invalid::Empty) } else { Ok(text) }
}

/// `text` without `prefix`. The prefix is ASCII, and its case does not matter.
pub(super) fn strip_prefix_ci<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let (head, tail) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_goes_and_what_spells_stays() {
        for c in
            ['\u{fe0f}', '\u{3164}', '\u{34f}', '\u{115f}', '\u{17b4}', '\u{e0101}', '\u{1d173}', '\u{fffc}']
        {
            assert_eq!(seen(&format!("a{c}b")), "ab", "{c:?}");
        }
        assert_eq!(seen("a\u{200d}b"), "ab");
        assert_eq!(seen("می\u{200c}خواهم\u{200c}"), "می\u{200c}خواهم");
    }

    #[test]
    fn a_final_sigma_is_kept_in_lower_case_and_folded_away() {
        assert_eq!((lower("ΟΔΥΣΣΕΥΣ"), lower("οδυσσευς")), ("οδυσσευς".into(), "οδυσσευς".into()));
        assert_eq!(fold("οδυσσεύς"), "οδυσσεύσ");
    }
}
