//! Phone numbers in running text, and numbers that are split over several members of an object.
//!
//! A text is cut into runs of digits and of the characters that people put between digits. Each run is a
//! list of groups, and any sequence of neighbouring groups may be a number. So an extension, or a second
//! number after the first, does not hide it.
//!
//! | written | how it is found |
//! |---|---|
//! | `+1 201-555-0123` | the groups after `+`, joined |
//! | `00 1 201 5550123`, `+001…` | without the digits that are dialled before the country code |
//! | `+49 (0)171 2345678` | without the zero that is dialled only within the country |
//! | `(201) 555-0123` | as a national number, and by the rules of the countries that the contact names |
//! | `201-555-0123 x 7`, two numbers in a row | any sequence of neighbouring groups |

use exactbuyer_core::identifier::spelling::ascii;
use exactbuyer_core::identifier::{FieldType, Region};

use super::walk::Split;
use super::{FEWEST_DIGITS, MOST_DIGITS, Sought, is_one};

/// The most digits that are dialled before the country code.
const MOST_DIALLED_BEFORE: usize = 4;

/// Whether some country dials these digits before the country code of another: `00`, `011`, `810`, `0011`.
fn is_dialled_before(digits: &str) -> bool {
    match digits.len() {
        // `0919876543210` in India.
        1 => digits == "0",
        2 => digits == "00",
        3 => digits.starts_with("00") || digits.starts_with("01") || digits == "810",
        MOST_DIALLED_BEFORE => digits.starts_with("00"),
        _ => false,
    }
}

const MOST_GROUPS: usize = 8;

const MOST_PIECES: usize = 4;

/// The most pieces that are tried in any order; more if the names say that they belong to a phone number.
const MOST_IN_ANY_ORDER: usize = 4;
const MOST_OF_A_PHONE: usize = 6;

/// Groups of digits that stand together.
///
/// Ends at a character that does not stand between digits, and at a `+`.
#[derive(Default)]
struct Run {
    /// In the order of the text; each has only ASCII digits.
    groups: Vec<String>,
    /// Whether a `+` stands before it.
    plus: bool,
}

/// The fewest digits of a number that is written as a row. Letters may stand for the others.
const FEWEST_WRITTEN: usize = 3;

/// Whether the whole text may be a number that [`any`] does not find: one with something beside it, with many groups, with
/// so few digits that it needs a country, or with a prefix, after which rows drop some digits.
pub(super) fn may_be_row(text: &str, has_country: bool) -> bool {
    let digits = text.chars().filter(|c| c.is_numeric()).count();
    let mut groups = text.split([' ', '-', '.', '(', ')']).filter(|group| !group.is_empty());
    let stands_alone = text.starts_with(|c| matches!(c, '1'..='9'))
        && groups.by_ref().take(MOST_GROUPS).all(|group| group.bytes().all(|byte| byte.is_ascii_digit()))
        && groups.next().is_none();
    digits >= FEWEST_WRITTEN && (!stands_alone || has_country && digits < FEWEST_DIGITS)
}

/// Whether the text contains one of the numbers sought.
pub(crate) fn any(text: &str, regions: &[Region], sought: &impl Sought) -> bool {
    let text = ascii(text);
    if text.bytes().filter(u8::is_ascii_digit).count() < FEWEST_DIGITS {
        return false;
    }
    let (mut runs, mut group) = (vec![Run::default()], String::new());
    for c in text.chars().chain(['\n']) {
        if c.is_ascii_digit() {
            group.push(c);
            continue;
        }
        if !group.is_empty()
            && let Some(run) = runs.last_mut()
        {
            run.groups.push(std::mem::take(&mut group));
        }
        if c == '+' {
            runs.push(Run { groups: Vec::new(), plus: true });
        } else if !is_between(c) && runs.last().is_some_and(|run| run.plus || !run.groups.is_empty()) {
            runs.push(Run::default());
        }
    }
    runs.iter().any(|run| run.any(regions, sought))
}

impl Run {
    fn any(&self, regions: &[Region], sought: &impl Sought) -> bool {
        let groups = &self.groups;
        let all: usize = groups.iter().map(String::len).sum();
        // A run with a `+` that is no longer than one number contains no other number.
        let alone = self.plus && all <= MOST_DIGITS;
        let begins = 0..if alone { groups.len().min(1) } else { groups.len() };
        begins.into_iter().any(|begin| {
            let (mut window, mut digits) = (Vec::with_capacity(MOST_GROUPS), 0);
            for group in groups.iter().skip(begin).take(MOST_GROUPS) {
                digits += group.len();
                // Longer ones are no numbers either. A group may be as long as the text.
                if digits > MOST_DIGITS + MOST_DIALLED_BEFORE {
                    return false;
                }
                window.push(group.as_str());
                let has_plus = self.plus && begin == 0;
                if is_number(&window, has_plus, !alone && !is_date(&window), regions, sought) {
                    return true;
                }
            }
            false
        })
    }
}

/// Whether these groups are one of the numbers sought: with the country code, and perhaps with what is dialled before
/// it; or, if `national`, without the country code.
fn is_number(
    groups: &[&str],
    has_plus: bool,
    national: bool,
    regions: &[Region],
    sought: &impl Sought,
) -> bool {
    let digits = groups.concat();
    let fits = (FEWEST_DIGITS..=MOST_DIGITS + MOST_DIALLED_BEFORE).contains(&digits.len());
    if !fits || !sought.may_end_with(last_digits(&digits, FEWEST_DIGITS / 2 + 1)) {
        return false;
    }
    let has = |digits: &str| {
        (FEWEST_DIGITS..=MOST_DIGITS).contains(&digits.len()) && sought.has(FieldType::Phone, &["+", digits])
    };
    let is_abroad = || {
        (1..=MOST_DIALLED_BEFORE)
            .filter_map(|end| digits.split_at_checked(end))
            .any(|(before, number)| is_dialled_before(before) && has(number))
    };
    // No country code begins with 0: `+0049 171 2345678` is a common mistake.
    if has(&digits) || (!has_plus || digits.starts_with('0')) && is_abroad() {
        return true;
    }
    // `+49 (0)171 2345678`: the zero is dialled only within the country. In Italy it is part of the number.
    if let [first, second, rest @ ..] = groups
        && let Some(second) = second.strip_prefix('0')
        && has(&format!("{first}{second}{}", rest.concat()))
    {
        return true;
    }
    if !national {
        return false;
    }
    let short = digits.trim_start_matches('0');
    let is_national =
        |digits: &str| (FEWEST_DIGITS..MOST_DIGITS).contains(&digits.len()) && sought.has_national(digits);
    is_national(short)
        || short.len() < digits.len() && is_national(&digits)
        // Trunk prefixes: `8` in Russia and its neighbours, `06` in Hungary.
        || ["8", "06"].iter().any(|trunk| digits.strip_prefix(trunk).is_some_and(is_national))
        || regions.iter().any(|region| is_one(FieldType::Phone, &digits, Some(*region), sought))
}

/// Whether one of the numbers sought can be put together from these pieces: `{"country_code": "1", "number":
/// "2015550123"}`.
pub(super) fn any_split(split: &Split, sought: &impl Sought) -> bool {
    let pieces: Vec<&str> = split.pieces.iter().map(String::as_str).collect();
    let is_one = |pieces: &[&str]| {
        // A number without a country code has at most three pieces: area code, exchange, line.
        is_number(pieces, false, split.is_phone && pieces.len() < MOST_PIECES, &[], sought)
    };
    if pieces.len() > if split.is_phone { MOST_OF_A_PHONE } else { MOST_IN_ANY_ORDER } {
        return (2..=MOST_PIECES).flat_map(|length| pieces.windows(length)).any(is_one);
    }
    any_order(&mut Vec::new(), &pieces, &is_one)
}

/// Whether any two or more of these pieces, in any order, satisfy `is_such`.
///
/// At most `MOST_PIECES` pieces and about 15 digits, so there are few orders.
fn any_order<'p>(order: &mut Vec<&'p str>, rest: &[&'p str], is_such: &impl Fn(&[&'p str]) -> bool) -> bool {
    if order.len() > 1 && is_such(order) {
        return true;
    }
    let digits: usize = order.iter().map(|piece| piece.len()).sum();
    order.len() < MOST_PIECES
        && digits < MOST_DIGITS
        && (0..rest.len()).any(|at| {
            let mut rest = rest.to_vec();
            order.push(rest.remove(at));
            let found = any_order(order, &rest, is_such);
            order.pop();
            found
        })
}

/// The digits of a text that is a number or a piece of a number; empty for any other text.
pub(super) fn piece(text: &str) -> String {
    let text = ascii(text);
    let is_one = text.chars().all(|c| c.is_ascii_digit() || is_between(c) || c == '+');
    if is_one { text.chars().filter(char::is_ascii_digit).collect() } else { String::new() }
}

/// The last digits of a number. Every spelling has them.
pub(super) fn last_digits(digits: &str, count: usize) -> &str {
    digits.get(digits.len().saturating_sub(count)..).unwrap_or(digits)
}

/// Whether these groups are a date. Nearly every contact has dates.
fn is_date(groups: &[&str]) -> bool {
    let is_year = |group: &str| group.len() == 4 && (group.starts_with("19") || group.starts_with("20"));
    matches!(groups, [year, month, day] if is_year(year) && month.len() <= 2 && day.len() <= 2)
        || matches!(groups, [one, two, year] if is_year(year) && one.len() <= 2 && two.len() <= 2)
}

/// Characters that people put between the digits of a number, after [`ascii`].
fn is_between(c: char) -> bool {
    c.is_whitespace() || matches!(c, '-' | '.' | '(' | ')' | '[' | ']' | '/' | '~' | '_')
}
