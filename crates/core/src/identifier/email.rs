//! E-mail addresses: the syntax of RFC 5321 and RFC 6531, lower case, the domain in IDNA's ASCII
//! form.
//!
//! `ana+news@` and `ana@` stay different, and so do names with and without dots. The RFCs leave
//! their meaning to each host, and the service may know one address and not the other. It is not
//! checked whether the top-level domain exists. Knows nothing of the other kinds.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use percent_encoding::percent_decode_str;

use super::domain::{self, Fault};
use super::inference::names_network;
use super::invalid::Invalid;
use super::phone::links;
use super::text;

/// The most octets before the `@` (RFC 5321, 4.5.3.1.1).
const MAX_LOCAL: usize = 64;
/// The most octets of an address (RFC 5321, 4.5.3.1.3: a path of 256 octets without its angle
/// brackets).
const MAX_ADDRESS: usize = 254;
/// With this many digits, the text beside an address is a phone number.
const PHONE_DIGITS: usize = 7;

/// The canonical form of an address. If the same address stands there twice, it counts once.
pub(super) fn canonical(value: &str) -> Result<Arc<str>, Invalid> {
    if links::number(value).is_some() {
        return Err(Invalid::EmailLocalPart);
    }
    let parts = || value.split([',', ';', '|', ' ']);
    let mut addresses = parts().filter(|part| part.contains('@'));
    match (addresses.next(), addresses.next()) {
        (Some(first), Some(second)) if !first.starts_with('"') => {
            let first = parse(first).map_err(|_| Invalid::EmailSeveral)?;
            let same = |part| parse(part).is_ok_and(|address| address == first);
            if same(second) && addresses.all(same) { Ok(first) } else { Err(Invalid::EmailSeveral) }
        }
        (Some(address), None) => parse(value).map_err(|why| {
            let others = || parts().filter(|part| *part != address);
            let digits: usize = others().map(|part| part.bytes().filter(u8::is_ascii_digit).count()).sum();
            let other =
                digits >= PHONE_DIGITS || others().any(|part| part.contains("://") || names_network(part));
            if other { Invalid::Several } else { why }
        }),
        _ => parse(value),
    }
}

/// Reads the most common form: ASCII letters, digits and the usual marks, with nothing around it.
/// `None` means only that this fast path cannot decide. What it accepts, [`parse`] reads in the
/// same way.
pub(super) fn plain(value: &str) -> Option<Arc<str>> {
    let (local, domain) = value.split_once('@')?;
    if value.len() > MAX_ADDRESS || local.len() > MAX_LOCAL {
        return None;
    }
    let mut after_dot = true;
    let mut capitals = false;
    let mut letters = false;
    for byte in local.bytes() {
        match byte {
            b'.' if after_dot => return None,
            b'.' => after_dot = true,
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'+' => after_dot = false,
            _ => return None,
        }
        letters |= byte.is_ascii_alphabetic();
        capitals |= byte.is_ascii_uppercase();
    }
    // A name of digits alone may be the id of a messenger.
    if after_dot || !letters || !domain::is_plain(domain) {
        return None;
    }
    capitals |= domain.bytes().any(|byte| byte.is_ascii_uppercase());
    Some(if capitals { value.to_ascii_lowercase().into() } else { value.into() })
}

/// The canonical form of a text that is one address.
fn parse(value: &str) -> Result<Arc<str>, Invalid> {
    let (local, domain) = value.rsplit_once('@').ok_or(Invalid::EmailIncomplete)?;
    // A slash is allowed in a mailbox name. Without this check, `tiktok.com/@ana.b` would be an
    // address.
    if local.contains('/') && names_network(local) {
        return Err(Invalid::EmailLocalPart);
    }
    // Blanks around the @ are allowed by RFC 5322's obsolete syntax, and are common in
    // spreadsheets.
    let local = local.trim_matches(' ');
    let domain = domain.trim_matches(' ').trim_end_matches(['.', ' ', '/']);
    if local.is_empty() || domain.is_empty() {
        return Err(Invalid::EmailIncomplete);
    }
    if local.contains('@') && !local.starts_with('"') {
        return Err(Invalid::EmailSeveral);
    }
    if text::is_masked(value) {
        return Err(Invalid::CutOff);
    }
    let local = local_part(local)?;
    if is_masked(local.trim_matches('"')) {
        return Err(Invalid::CutOff);
    }
    let domain = domain::canonical(domain).map_err(|fault| match fault {
        Fault::Syntax => Invalid::EmailDomain,
        Fault::NoDot => Invalid::EmailDomainWithoutDot,
        Fault::IpAddress => Invalid::EmailIpAddress,
    })?;
    if local.len() > MAX_LOCAL || local.len() + 1 + domain.len() > MAX_ADDRESS {
        return Err(Invalid::EmailTooLong);
    }
    Ok(format!("{local}@{domain}").into())
}

/// Decodes a mailbox name such as `leo%2Bnews`, even if it was percent-encoded several times.
fn decoded(local: &str) -> Cow<'_, str> {
    let mut decoded = Cow::Borrowed(local);
    // Each decoding makes the name shorter. Between quotes, nothing is encoded.
    while text::has_escape(&decoded) && !decoded.starts_with('"') {
        let Ok(plain) = percent_decode_str(&decoded).decode_utf8() else { break };
        decoded = Cow::Owned(plain.into_owned());
    }
    decoded
}

/// The mailbox name in lower case, without quotes that change nothing (RFC 5321, 4.1.2: quotes are
/// not part of the name).
fn local_part(local: &str) -> Result<String, Invalid> {
    let folded = text::fold(&decoded(local));
    let Some(quoted) = folded.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return if is_dot_atom(&folded) { Ok(folded) } else { Err(Invalid::EmailLocalPart) };
    };
    let mut name = String::with_capacity(quoted.len());
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => name.push(chars.next().ok_or(Invalid::EmailLocalPart)?),
            '"' => return Err(Invalid::EmailLocalPart),
            c => name.push(c),
        }
    }
    if name.is_empty() || name.chars().any(|c| c.is_control() || c == '\u{fffd}') {
        return Err(Invalid::EmailLocalPart);
    }
    if is_dot_atom(&name) {
        return Ok(name);
    }
    let mut requoted = String::with_capacity(folded.len());
    requoted.push('"');
    for c in name.chars() {
        // Writing to a string cannot fail.
        let _ = if matches!(c, '"' | '\\') { write!(requoted, "\\{c}") } else { requoted.write_char(c) };
    }
    requoted.push('"');
    Ok(requoted)
}

/// Whether letters are masked (`l*o`, `l##`), or `local` is a template or a choice of names
/// (`{leo|ana}`, `%name%`). The RFCs allow these characters, but real addresses do not have them.
fn is_masked(local: &str) -> bool {
    let is_run = local.contains("##") || local.contains("??");
    is_run || local.contains(['*', '{', '|', '}']) || local.starts_with('%') && local.ends_with('%')
}

/// RFC 5322's dot-atom with the letters of RFC 6531. Every character beyond ASCII counts as a
/// letter, including marks and symbols. The replacement character and characters of private use are
/// refused: they show that a character was lost.
fn is_dot_atom(text: &str) -> bool {
    text.split('.').all(|atom| {
        !atom.is_empty()
            && atom.chars().all(|c| match c {
                '\u{fffd}' => false,
                c if text::is_private(c) => false,
                c if c.is_ascii() => c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c),
                c => !c.is_control() && !c.is_whitespace(),
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The fast path never accepts an address that the grammar refuses, and never gives another form.
        #[test]
        fn the_short_way_agrees_with_the_grammar(
            value in "[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~\"(),:; <>-]{1,8}@[a-zA-Z0-9.-]{1,12}",
        ) {
            if let Some(address) = plain(&value) {
                prop_assert_eq!(parse(&value), Ok(address));
            }
        }
    }

    #[test]
    fn names_in_all_scripts_are_names() {
        for (value, read) in [
            ("हिन्दी@x.example", "हिन्दी@x.example"),
            ("ภาษาไทย@x.example", "ภาษาไทย@x.example"),
            ("தமிழ்@x.example", "தமிழ்@x.example"),
            ("తెలుగు@x.example", "తెలుగు@x.example"),
            ("မြန်မာ@x.example", "မြန်မာ@x.example"),
            ("İnci@x.example", "i\u{307}nci@x.example"),
            ("👍.ana@x.example", "👍.ana@x.example"),
        ] {
            assert_eq!(canonical(value).as_deref(), Ok(read));
            assert_eq!(canonical(read).as_deref(), Ok(read));
        }
        assert_eq!(canonical("jos\u{fffd}@x.example"), Err(Invalid::EmailLocalPart));
    }
}
