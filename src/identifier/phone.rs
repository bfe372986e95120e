//! Phone numbers: from the many ways of writing one to its digits, and by the world's numbering
//! plans to `+<country code><national number>`.
//!
//! An extension reaches a desk behind the number and is no part of what can be matched: it is
//! dropped. Letters count as the keys they are on. `00` before a country code counts as `+` where
//! no region says otherwise, or where the region's own reading makes no number of it.
//!
//! Knows nothing of the other kinds, nor of the plans themselves.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use percent_encoding::percent_decode_str;
use regex::Regex;

use super::invalid::Invalid;
use super::numbering;
use super::once::once;
use super::region::Region;
use super::text;

/// More than this is no phone number, whatever it is.
const MAX_BYTES: usize = 250;

/// The canonical form of a number written in any of the usual ways.
pub(super) fn canonical(value: &str, default_region: Option<Region>) -> Result<Arc<str>, Invalid> {
    if value.len() > MAX_BYTES {
        return Err(Invalid::PhoneTooLong);
    }
    let Written { plus, digits } = match plain(value) {
        Some(written) => written,
        None => read(value)?,
    };
    if digits.is_empty() {
        return Err(Invalid::PhoneUnreadable);
    }
    let number = match (plus, digits.strip_prefix("00"), default_region) {
        // Some write `+0049`, and some put a `+` before a number as it is dialled at home.
        (true, Some(rest), _) | (false, Some(rest), None) => numbering::international(rest)?,
        (true, None, Some(region)) if digits.starts_with('0') => numbering::domestic(&digits, region)?,
        (true, None, _) => numbering::international(&digits)?,
        (false, None, Some(region)) => numbering::domestic(&digits, region)?,
        (false, Some(rest), Some(region)) => {
            numbering::domestic(&digits, region).or_else(|_| numbering::international(rest))?
        }
        (false, None, None) => return Err(Invalid::PhoneWithoutCountryCode),
    };
    Ok(number.into())
}

/// Whether a value without a field type looks like a phone number: digits first, and enough of
/// them.
pub(super) fn is_likely(value: &str) -> bool {
    let starts = value
        .trim_start_matches(['+', '(', '[', ' ', '.', '-', '"', '\'', '<'])
        .chars()
        .next()
        .is_some_and(|c| digit(c).is_some());
    starts && value.chars().filter(|&c| digit(c).is_some()).count() >= 3
}

/// What was written: whether a `+` came first, and the digits.
struct Written {
    plus: bool,
    digits: String,
}

/// The way nearly all are written: ASCII digits and punctuation.
fn plain(value: &str) -> Option<Written> {
    let mut plus = false;
    let mut digits = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'0'..=b'9' => digits.push(char::from(byte)),
            b' ' | b'-' | b'.' | b'(' | b')' | b'[' | b']' | b'/' => {}
            b'+' if digits.is_empty() => plus = true,
            _ => return None,
        }
    }
    Some(Written { plus, digits })
}

/// Every other way.
fn read(value: &str) -> Result<Written, Invalid> {
    let mut value = ascii(text::unwrap(value));
    if let Some(number) = without_scheme(&value)? {
        value = Cow::Owned(number);
    }
    let value = without_label(&value);
    if SCIENTIFIC.is_match(value) {
        return Err(Invalid::PhoneScientific);
    }
    let value = EXTENSION.find(value).map_or(value, |found| value.get(..found.start()).unwrap_or(value));
    let value = REMARK.find(value).map_or(value, |found| value.get(..found.start()).unwrap_or(value));
    let mut written = Written { plus: false, digits: String::with_capacity(value.len()) };
    let mut letters = 0;
    let mut before = ' ';
    for c in value.chars() {
        match c {
            '0'..='9' => written.digits.push(c),
            '+' if written.digits.is_empty() => written.plus = true,
            '+' | ',' | ';' if written.digits.len() > 6 => return Err(Invalid::PhoneSeveral),
            ' ' | '-' | '.' | '(' | ')' | '[' | ']' | '/' | '~' => {}
            'a'..='z' | 'A'..='Z' if written.digits.len() >= 3 => {
                // `1-800-FLOWERS` is dialled; a small word after a blank is a remark about the number.
                if before == ' ' && c.is_ascii_lowercase() {
                    return Err(Invalid::PhoneUnreadable);
                }
                letters += 1;
                written.digits.push(key(c));
            }
            _ => return Err(Invalid::PhoneUnreadable),
        }
        before = c;
    }
    // One or two letters are no word.
    if matches!(letters, 1 | 2) { Err(Invalid::PhoneUnreadable) } else { Ok(written) }
}

/// All scripts' digits as ASCII ones, all dashes as `-`; joiners and dots of emphasis gone.
fn ascii(value: &str) -> Cow<'_, str> {
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
                c => digit(c).unwrap_or(c),
            })
            .collect(),
    )
}

/// The number in `tel:` and its like (RFC 3966), with the context it may need.
fn without_scheme(value: &str) -> Result<Option<String>, Invalid> {
    let Some(rest) =
        ["tel:", "callto:", "sms:"].into_iter().find_map(|scheme| text::strip_prefix_ci(value, scheme))
    else {
        return Ok(None);
    };
    let decoded = percent_decode_str(rest).decode_utf8().map_err(|_| Invalid::PhoneUnreadable)?;
    let mut parts = decoded.trim_start_matches('/').split([';', '?']);
    let number = parts.next().unwrap_or_default().trim();
    let context = parts.find_map(|part| text::strip_prefix_ci(part, "phone-context="));
    match context {
        Some(context) if context.starts_with('+') && !number.starts_with('+') => {
            Ok(Some(format!("{context}{number}")))
        }
        _ => Ok(Some(number.to_owned())),
    }
}

/// The number after a label such as `Tel.:` or `mobile`.
fn without_label(value: &str) -> &str {
    let rest = value.trim_start_matches(|c: char| c.is_alphabetic() || c == ' ');
    let rest = rest.strip_prefix('.').filter(|_| rest.len() < value.len()).unwrap_or(rest);
    let rest = rest.trim_start_matches([':', ' ']);
    // A label is short; and a value of letters alone is all label.
    if value.len() - rest.len() <= 24 && !rest.is_empty() { rest } else { value }
}

/// A digit of any script as the ASCII one.
fn digit(c: char) -> Option<char> {
    /// Where the digits of other scripts begin: category Nd of Unicode 14, ten each.
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

/// The key of a telephone that a letter is on.
const fn key(letter: char) -> char {
    match letter.to_ascii_lowercase() {
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

/// `1.7734749362E+10`, with a decimal point or comma.
static SCIENTIFIC: Pattern = Pattern::new(r"(?i)^\+?[0-9]+([.,][0-9]+)?e\+?[0-9]+$");

/// An extension at the end, in the ways that libphonenumber reads: by name, by a lone sign, by
/// dialling pauses, or between a dash and a hash. Shorter behind the signs that also mean other
/// things, so that a second number does not pass for an extension.
static EXTENSION: Pattern = Pattern::new(concat!(
    r"(?i)(?:;ext=[0-9]{1,20}",
    r"|[ ,]*(?:e?xt(?:ensi(?:ó|o\u{301}|o)?)?n?|доб|anexo|durchwahl|dw|app?arat|poste)[:.]?[ ,-]*[0-9]{1,20}#?",
    r"|[ ,]*(?:x|\#|~|int)[:.]?[ ,-]*[0-9]{1,7}#?",
    r"|[- ]+[0-9]{1,6}\#",
    r"|[ ]*(?:,+|;)[:.]?[ ,-]*[0-9]{1,6}#?",
    r")$",
));

/// What people note behind a number.
static REMARK: Pattern = Pattern::new(concat!(
    r"(?i)[ ]*(?:[ ]|\()(?:home|work|office|mobile|mob|cell|cellular|fax|main|direct|private|personal",
    r"|landline|business|whatsapp|[chmowp])[.]?\)?[ ]*$",
));

/// A pattern written here, compiled at its first use. One that did not compile would match nothing;
/// the tests use each.
struct Pattern {
    source: &'static str,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    const fn new(source: &'static str) -> Self {
        Self { source, compiled: OnceLock::new() }
    }

    fn get(&self) -> Option<&Regex> {
        once(&self.compiled, || Regex::new(self.source).ok()).as_ref()
    }

    fn is_match(&self, value: &str) -> bool {
        self.get().is_some_and(|regex| regex.is_match(value))
    }

    fn find<'v>(&self, value: &'v str) -> Option<regex::Match<'v>> {
        self.get().and_then(|regex| regex.find(value))
    }
}
