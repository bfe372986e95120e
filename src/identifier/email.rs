//! E-mail addresses: RFC 5321 and RFC 6531 syntax, case folded, the domain as IDNA's ASCII form.
//!
//! Not merged, because the RFCs leave their meaning to each host and the vendor may know one and
//! not the other: `ana+news@` and `ana@`, dots in a mailbox name. Not asked: whether a top-level
//! domain exists. Knows nothing of the other kinds.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use email_address::EmailAddress;
use percent_encoding::percent_decode_str;

use super::domain::{self, Fault};
use super::inference::names_network;
use super::invalid::Invalid;
use super::text;

/// RFC 5321, 4.5.3.1.1, in octets.
const MAX_LOCAL: usize = 64;
/// RFC 5321, 4.5.3.1.3: a path of 256 octets, less its angle brackets.
const MAX_ADDRESS: usize = 254;

/// The canonical form of an address that is written in any of the usual ways.
pub(super) fn canonical(value: &str) -> Result<Arc<str>, Invalid> {
    match plain(value) {
        Some(address) => Ok(address),
        None => parse(bare_address(value)?.as_ref()),
    }
}

/// The way nearly all of them are written: ASCII, no quotes, nothing around it. `None` says only
/// that this reader cannot tell; what it does accept, [`parse`] would answer the same.
fn plain(value: &str) -> Option<Arc<str>> {
    let (local, domain) = value.split_once('@')?;
    if value.len() > MAX_ADDRESS || local.is_empty() || local.len() > MAX_LOCAL {
        return None;
    }
    let mut after_dot = true;
    for byte in local.bytes() {
        match byte {
            b'.' if after_dot => return None,
            b'.' => after_dot = true,
            byte if is_atext(byte) => after_dot = false,
            _ => return None,
        }
    }
    if after_dot || local.contains('/') || !domain::is_plain(domain) {
        return None;
    }
    let folded = value.bytes().all(|byte| !byte.is_ascii_uppercase());
    Some(if folded { value.into() } else { value.to_ascii_lowercase().into() })
}

const fn is_atext(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'/'
                | b'='
                | b'?'
                | b'^'
                | b'_'
                | b'`'
                | b'{'
                | b'|'
                | b'}'
                | b'~'
        )
}

/// The address in `mailto:` links, after display names, in brackets or quotes, before comments.
fn bare_address(value: &str) -> Result<Cow<'_, str>, Invalid> {
    let mut value = text::unwrap(value);
    if let Some((_, address)) = value.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
        value = text::unwrap(address);
    }
    // RFC 5322's trailing comment, where mail programs put a name.
    if let Some((address, _)) = value.strip_suffix(')').and_then(|rest| rest.split_once(" (")) {
        value = text::unwrap(address);
    }
    let Some(link) = text::strip_prefix_ci(value, "mailto:") else { return Ok(Cow::Borrowed(value)) };
    let address = link.split_once('?').map_or(link, |(address, _)| address);
    let decoded = percent_decode_str(address).decode_utf8().map_err(|_| Invalid::EmailLocalPart)?;
    Ok(Cow::Owned(text::unwrap(&text::clean(&decoded)?).to_owned()))
}

fn parse(value: &str) -> Result<Arc<str>, Invalid> {
    let (local, domain) = value.rsplit_once('@').ok_or(Invalid::EmailIncomplete)?;
    // A slash is allowed in a name, and so `tiktok.com/@ana.b` would be an address.
    if local.contains('/') && names_network(local) {
        return Err(Invalid::EmailLocalPart);
    }
    // Blanks around the @ are in RFC 5322's obsolete syntax, and in many a spreadsheet.
    let local = local.trim_matches(' ');
    let domain = domain.trim_matches(' ').trim_end_matches(['.', ' ']);
    if local.is_empty() || domain.is_empty() {
        return Err(Invalid::EmailIncomplete);
    }
    if local.contains('@') && !local.starts_with('"') {
        return Err(Invalid::EmailSeveral);
    }
    let local = local_part(local)?;
    let domain = domain::canonical(domain).map_err(|fault| match fault {
        Fault::Syntax => Invalid::EmailDomain,
        Fault::NoDot => Invalid::EmailDomainWithoutDot,
        Fault::IpAddress => Invalid::EmailIpAddress,
    })?;
    if local.len() > MAX_LOCAL || local.len() + 1 + domain.len() > MAX_ADDRESS {
        return Err(Invalid::EmailTooLong);
    }
    if !EmailAddress::is_valid_local_part(&local) {
        return Err(Invalid::EmailLocalPart);
    }
    Ok(format!("{local}@{domain}").into())
}

/// Folded, and without quotes that change nothing (RFC 5321, 4.1.2: they are not part of the name).
fn local_part(local: &str) -> Result<String, Invalid> {
    let folded = text::fold(local);
    let Some(quoted) = folded.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Ok(folded);
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
    if !name.starts_with('"') && EmailAddress::is_valid_local_part(&name) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The short way never says yes where the grammar says no, and never another form.
        #[test]
        fn the_short_way_agrees_with_the_grammar(
            value in "[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~\"(),:; <>-]{1,8}@[a-zA-Z0-9.-]{1,12}",
        ) {
            if let Some(address) = plain(&value) {
                prop_assert_eq!(parse(&value), Ok(address));
            }
        }
    }
}
