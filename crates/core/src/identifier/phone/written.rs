//! Numbers among other text: labels, words, extensions, a second number.

use std::sync::OnceLock;

use percent_encoding::percent_decode_str;
use regex::Regex;

use super::digits::{Written, ascii, key};
use super::groups::{self, SECOND};
use super::region::Region;
use super::{figures, number, plans};
use crate::identifier::invalid::Invalid;
use crate::identifier::once::once;
use crate::identifier::text;

/// The fewest letters that are dialled as a word. Shorter words are names and labels: `Bob`, `fax`.
const VANITY: usize = 4;
/// Codes after which a word is often part of the number, as in `1 800 FLOWERS`.
const TOLL_FREE: &[&str] = &["800", "833", "844", "855", "866", "877", "888", "900", "300"];

/// The canonical form of a number that [`plain`](super::plain) cannot read.
pub(super) fn read(value: &str, region: Option<Region>) -> Result<String, Invalid> {
    let value = ascii(value);
    let linked = without_scheme(&value)?;
    let value = linked.as_deref().unwrap_or(&value);
    if let Some(figure) = figures::digits(value) {
        return number(&Written::of(&figure?), region);
    }
    let value = without_extension(value);
    if is_masked(value) {
        return Err(Invalid::CutOff);
    }
    let parts = Parts::of(value)?;
    let Some((first, others)) = parts.runs.split_first() else { return Err(Invalid::PhoneUnreadable) };
    let alone = groups::one(first, region);
    if parts.is_dialled()
        && !alone.as_ref().is_ok_and(|number| plans::exists(number))
        && let Some(number) = parts.vanity.and_then(|written| number(&written, region).ok())
        && plans::exists(&number)
    {
        return Ok(number);
    }
    if parts.attached {
        return Err(Invalid::PhoneUnreadable);
    }
    if others.is_empty() {
        return alone;
    }
    let is_number = |run: &String| run.contains('+') || groups::digits(run) >= SECOND;
    let several = alone.is_ok() && parts.listed
        || (alone.is_ok() || is_number(first)) && others.iter().any(is_number)
        || alone == Err(Invalid::PhoneSeveral);
    Err(if several { Invalid::PhoneSeveral } else { Invalid::PhoneUnreadable })
}

fn without_extension(value: &str) -> &str {
    static COMPILED: OnceLock<Option<Regex>> = OnceLock::new();
    // If the expression failed to compile, it would match nothing; the tests would show that.
    let regex = once(&COMPILED, || Regex::new(EXTENSION).ok()).as_ref();
    let Some(extension) = regex.and_then(|regex| regex.find(value)) else { return value };
    let before = value.get(..extension.start()).unwrap_or(value);
    // `Fax 123457` ends like `x 123457`.
    let inside_word = before.ends_with(char::is_alphabetic);
    if inside_word || !before.bytes().any(|byte| byte.is_ascii_digit()) { value } else { before }
}

/// Words that stand in the place of digits and are not dialled.
///
/// In a column of numbers they mean that there is none. Their letters must not be dialled as a word.
const NO_WORDS: [&str; 5] = ["none", "null", "nan", "nil", "void"];

/// Whether letters mask digits: `201-555-XXXX`, `0171 392OOOO`.
///
/// Such a value has lost digits, so it is refused rather than read as a shorter number.
fn is_masked(value: &str) -> bool {
    value.split(|c: char| !c.is_alphabetic()).any(|word| {
        let lower = word.to_ascii_lowercase();
        let is_mask = lower.len() > 1 && ['x', 'o', 'n'].iter().any(|mask| lower.chars().all(|c| c == *mask));
        is_mask || NO_WORDS.contains(&lower.as_str())
    })
}

/// A value, split at its words and at marks that separate numbers.
///
/// From `Fax: 030 23125-0, Handy 0151 …` come two runs, and `listed` is true. Which of the runs is the number
/// is decided by [`read`].
#[derive(Default)]
#[allow(clippy::struct_excessive_bools)] // Each is a fact about the text, independent of the others.
struct Parts {
    /// Pieces of digits with the punctuation that is written inside numbers.
    runs: Vec<String>,
    /// The piece that is being read.
    run: String,
    /// Whether the text has a mark that separates the items of a list.
    listed: bool,
    /// Whether a word touches a digit.
    attached: bool,
    letters: usize,
    /// Whether the digits before the first letter are a toll-free code, with or without the prefix
    /// that is dialled before it.
    toll_free: bool,
    /// Whether the first letter follows the digits without a blank.
    joined: bool,
    /// Whether any letter is in lower case.
    lower_case: bool,
    /// The digits, with letters replaced by their keys; `None` if the value has other marks.
    vanity: Option<Written>,
}

impl Parts {
    /// Splits a value, in one pass over its characters.
    ///
    /// # Errors
    /// [`Invalid::PhoneUnreadable`] if it has an ASCII character that is not written in or beside
    /// phone numbers.
    fn of(value: &str) -> Result<Self, Invalid> {
        let mut parts = Self { vanity: Some(Written::default()), ..Self::default() };
        let mut before = ' ';
        for c in value.chars() {
            let is_letter = c.is_alphabetic() || text::is_mark(c);
            if is_letter && before.is_ascii_digit() || c.is_ascii_digit() && before.is_alphabetic() {
                parts.attached = true;
            }
            match c {
                '0'..='9' | '+' | ' ' | '-' | '.' | '(' | ')' | '[' | ']' | '/' | '~' => {
                    parts.run.push(c);
                    parts.dial(c);
                }
                c if is_letter => {
                    if parts.letters == 0 {
                        parts.joined = before != ' ';
                        parts.toll_free = parts.vanity.as_ref().is_some_and(ends_toll_free);
                    }
                    parts.letters += 1;
                    parts.lower_case |= c.is_lowercase();
                    parts.dial(c);
                    parts.end();
                }
                ',' | ';' | '|' | '\\' | '&' | ':' | '\'' | '’' | '!' | '_' | '"' => {
                    parts.listed |= matches!(c, ',' | ';' | '|' | '\\' | '&' | ':');
                    parts.vanity = None;
                    parts.end();
                }
                // Symbols, such as a picture of a telephone, are treated as words.
                c if !c.is_ascii() => parts.end(),
                _ => return Err(Invalid::PhoneUnreadable),
            }
            before = c;
        }
        parts.end();
        Ok(parts)
    }

    /// Whether the letters may be part of the number. A name or a label beside a number that lacks
    /// digits must not complete it: the result would be another person's number.
    const fn is_dialled(&self) -> bool {
        self.letters >= VANITY && (self.toll_free || self.joined && !self.lower_case)
    }

    /// Ends the current piece. It is kept if it has a digit.
    fn end(&mut self) {
        let run = std::mem::take(&mut self.run);
        if run.bytes().any(|byte| byte.is_ascii_digit()) {
            self.runs.push(run);
        }
    }

    /// Adds a digit, or the key of a letter. Letters before the first digits are a label.
    fn dial(&mut self, c: char) {
        let Some(written) = &mut self.vanity else { return };
        match c {
            '+' if !written.digits.is_empty() => self.vanity = None,
            c if c.is_ascii_alphabetic() && written.digits.len() >= 3 => written.digits.push(key(c)),
            c if c.is_alphabetic() || c == '/' => self.vanity = None,
            c => written.push(c),
        }
    }
}

/// Whether the digits end with a toll-free code that only a prefix or a country code precedes.
fn ends_toll_free(written: &Written) -> bool {
    TOLL_FREE
        .iter()
        .filter_map(|code| written.digits.strip_suffix(code))
        .any(|before| matches!(before, "" | "0" | "1" | "001") || written.plus && before.len() <= 3)
}

/// The number in a link such as `tel:` (RFC 3966), with its context if it needs one.
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

/// An extension at the end, in the forms that libphonenumber reads: after a word, after a sign, or
/// after dialling pauses. Digits between a dash and a hash are not taken, because they may be the
/// last digits of the number. After signs that have other meanings, too, fewer digits are allowed,
/// so that a second number is not taken for an extension.
const EXTENSION: &str = concat!(
    r"(?i)(?:;ext=[0-9]{1,20}",
    r"|[ ,]*\(?(?:e?xt(?:ensi(?:ó|o\u{301}|o)?)?n?|доб|anexo|durchwahl|dw|nebenstelle|app?arat|poste|ramal|interno?|toestel|tst|wew|转)[:.]?[ ,-]*[0-9]{1,20}#?\)?",
    r"|[ ,]*\(?(?:x|\#|~|int)[:.]?[ ,-]*[0-9]{1,7}#?\)?",
    r"|[ ]*,,+[:.]?[ ,-]*[0-9]{1,6}#?",
    r"|,[0-9]{1,6}\#",
    r")$",
);
