//! Digits of all scripts, and the letters on the keys of a telephone.

use std::borrow::Cow;

use crate::identifier::text;

/// The digits of a number as it was written, and the marks that say how they are grouped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Written {
    /// Whether a `+` came before the digits. Then they usually begin with a country code.
    pub(super) plus: bool,
    /// ASCII digits only, in the order in which they were written.
    pub(super) digits: String,
    bracket: Bracket,
}

/// Brackets that come after a `+`, with the digits before them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Bracket {
    #[default]
    None,
    Open(usize),
    Pair(usize, usize),
}

impl Written {
    /// The digits of `text`, which has only digits and punctuation.
    pub(super) fn of(text: &str) -> Self {
        let mut written = Self::default();
        text.chars().for_each(|c| written.push(c));
        written
    }

    /// Adds the next character. Only digits, brackets and a `+` before all digits matter.
    pub(super) fn push(&mut self, c: char) {
        match (c, self.bracket) {
            ('0'..='9', _) => self.digits.push(c),
            ('+', _) if self.digits.is_empty() => self.plus = true,
            ('(' | '[', Bracket::None) if self.plus => self.bracket = Bracket::Open(self.digits.len()),
            (')' | ']', Bracket::Open(start)) => self.bracket = Bracket::Pair(start, self.digits.len()),
            _ => {}
        }
    }

    /// The first pair of brackets after a `+`: how many digits stand before it, and before its end.
    pub(super) const fn bracket(&self) -> Option<(usize, usize)> {
        if let Bracket::Pair(start, end) = self.bracket { Some((start, end)) } else { None }
    }
}

/// Turns the digits of all scripts into ASCII digits and all dashes into `-`, and removes joiners.
#[must_use]
pub fn ascii(value: &str) -> Cow<'_, str> {
    if value.is_ascii() {
        return Cow::Borrowed(value);
    }
    Cow::Owned(
        value
            .chars()
            .filter(|&c| !text::is_joiner(c))
            .map(|c| match c {
                '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{30fc}' | '\u{fe63}' => '-',
                '\u{b7}' | '\u{2022}' | '\u{2027}' => '.',
                '\u{2053}' | '\u{223c}' => '~',
                '\u{fe62}' => '+',
                '\u{2044}' | '\u{2215}' => '/',
                c => digit(c).unwrap_or(c),
            })
            .collect(),
    )
}

/// The ASCII digit for a digit of any script.
#[must_use]
pub fn digit(c: char) -> Option<char> {
    /// The zeros of other scripts (category Nd of Unicode 14). The other nine digits follow each of
    /// them.
    const ZEROS: [u32; 65] = [
        0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50,
        0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40,
        0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30, 0x11066,
        0x110f0, 0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0, 0x11950,
        0x11c50, 0x11d50, 0x11da0, 0x16a60, 0x16ac0, 0x16b50, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6,
        0x1e140, 0x1e2f0, 0x1e950, 0x1fbf0,
    ];
    if c.is_ascii() {
        return c.is_ascii_digit().then_some(c);
    }
    let c = u32::from(c);
    let after = ZEROS.partition_point(|&zero| zero <= c);
    let zero = ZEROS.get(after.checked_sub(1)?)?;
    char::from_digit(c - zero, 10)
}

/// The telephone key that has this letter or digit (ITU-T E.161).
///
/// Any other character counts as the last key, so callers pass letters and digits only.
#[must_use]
pub const fn key(letter: char) -> char {
    match letter.to_ascii_lowercase() {
        '0'..='9' => letter,
        'a'..='c' => '2',
        'd'..='f' => '3',
        'g'..='i' => '4',
        'j'..='l' => '5',
        'm'..='o' => '6',
        'p'..='s' => '7',
        't'..='v' => '8',
        _ => '9',
    }
}
