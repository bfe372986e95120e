//! E-mail addresses in running text.

use exactbuyer_core::identifier::FieldType;
use exactbuyer_core::identifier::spelling::{is_joiner, is_mark, with_marks};

use super::{Sought, is_change_of_script, is_one};

/// Characters of an address before its `@`.
const LOCAL_PART: usize = 64;

/// The same in quotes, where each may be escaped.
const QUOTED: usize = 2 * LOCAL_PART + 2;

/// Characters of a host (RFC 1035, 2.3.4).
const HOST: usize = 255;

/// How far after an address its italics may end.
const LONGEST_ITALICS: usize = 256;

/// Whether the whole text may be an address.
pub(super) fn may_be_row(text: &str) -> bool {
    text.contains('@') || with_marks(text).is_some()
}

/// Whether the text contains one of the addresses sought. An address that continues on either side is another
/// one: neither `diana@x.example` nor `ana@x.example.org` contains `ana@x.example`.
pub(crate) fn any(text: &str, sought: &impl Sought) -> bool {
    any_marked(text, sought) || with_marks(text).is_some_and(|text| any_marked(&text, sought))
}

/// The same, where `@` is not written as a word.
fn any_marked(text: &str, sought: &impl Sought) -> bool {
    text.match_indices('@').any(|(at, sign)| {
        let (before, after) =
            (text.get(..at).unwrap_or_default(), text.get(at + sign.len()..).unwrap_or_default());
        let after = after.trim_start_matches(' ');
        host(after).is_some_and(|host| {
            [Some(host), beginning(host)].into_iter().flatten().any(|host| {
                let after = after.get(host.len()..).unwrap_or_default();
                is_at(before.trim_end_matches(' '), host, after, sought)
            })
        })
    })
}

/// The host that the text begins with.
fn host(after: &str) -> Option<&str> {
    let end = after.find(|c: char| !is_part(c) && !is_dot(c)).unwrap_or(after.len());
    let host = after.get(..end)?.trim_end_matches(|c: char| is_dot(c) || matches!(c, '-' | '_' | '%' | '+'));
    (host.contains(is_dot) && host.chars().nth(HOST).is_none()).then_some(host)
}

/// The part of a host before letters of another script that follow it without a blank.
fn beginning(host: &str) -> Option<&str> {
    let follows = host.char_indices().zip(host.chars().skip(1));
    let mut ends = follows.filter(|((_, c), next)| is_change_of_script(*c, *next));
    ends.find_map(|((at, c), _)| host.get(..at + c.len_utf8()).filter(|host| host.contains(is_dot)))
}

/// Whether an address sought has this host and ends, before its `@`, with the end of this text. Every place
/// where it could begin is tried. `after` is the text after the host.
fn is_at(before: &str, host: &str, after: &str, sought: &impl Sought) -> bool {
    let is_one = |local: &str| is_one(FieldType::Email, &format!("{local}@{host}"), None, sought);
    let is_name = |(_, c): &(usize, char)| !c.is_whitespace() && *c != '@';
    let mut begins = before.char_indices().rev().take(LOCAL_PART).take_while(is_name);
    let is_quoted = || {
        let name = before.strip_suffix('"')?;
        let (begin, _) = name.char_indices().rev().take(QUOTED).find(|(_, c)| *c == '"')?;
        before.get(begin..)
    };
    begins.any(|(begin, _)| {
        let (text, local) = before.split_at_checked(begin).unwrap_or(("", before));
        !is_within_address(text, local, after) && is_one(local)
    }) || is_quoted().is_some_and(is_one)
}

/// Whether an address that stands between these texts is a part of a longer one. `local` is the address before its `@`.
fn is_within_address(before: &str, local: &str, after: &str) -> bool {
    let Some(last) = before.chars().next_back() else { return false };
    if local.starts_with(|first| is_change_of_script(last, first)) {
        return false;
    }
    let before = before.strip_suffix(last).unwrap_or_default();
    let follows_word = before.ends_with(char::is_alphanumeric);
    match last {
        // Italics, as in `_ana@x.example_`. `_ana@x.example` and `j_ana@x.example` are other addresses.
        '_' => follows_word || !after.chars().take(LONGEST_ITALICS).any(|c| c == '_'),
        // A quote, or `d'ana@x.example` in a French text. `o'neil@x.example` is another address.
        '\'' => follows_word && !after.starts_with('\'') && !is_elision(before),
        _ => is_part(last) || is_dot(last),
    }
}

/// Whether the text ends with a single letter after a blank, as before the apostrophe of `l'adresse d'Ana`.
fn is_elision(text: &str) -> bool {
    let mut chars = text.chars().rev();
    chars.next().is_some_and(char::is_alphabetic) && chars.next().is_some_and(char::is_whitespace)
}

/// Characters with which an address continues.
fn is_part(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '%' | '+') || is_mark(c) || is_joiner(c)
}

/// Characters that separate the labels of a host (UTS 46).
const fn is_dot(c: char) -> bool {
    matches!(c, '.' | '\u{3002}' | '\u{ff61}')
}
