//! Domain names, as e-mail addresses and web addresses share them: lower case, the ASCII form of
//! IDNA (RFC 5891), and labels of letters, digits and inner hyphens. Knows nothing of what stands
//! before or after a domain.

use std::borrow::Cow;

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};

/// Why a text is not a domain name that can have mailboxes or profiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Not the syntax of a domain name.
    Syntax,
    /// A single label, such as `localhost`.
    NoDot,
    /// The last label is a number: an IP address, or a part of one.
    IpAddress,
}

/// If `host` is `own` or lies below it: the labels before `own`, without their last dot (empty for `own` itself);
/// otherwise `None`. Upper and lower case are equal.
pub(super) fn labels_before<'h>(host: &'h str, own: &str) -> Option<&'h str> {
    let (labels, name) = host.split_at_checked(host.len().checked_sub(own.len())?)?;
    if !name.eq_ignore_ascii_case(own) {
        return None;
    }
    if labels.is_empty() { Some(labels) } else { labels.strip_suffix('.') }
}

/// The canonical form of a domain name. It borrows `domain` if nothing has to change, which is the
/// common case.
pub(super) fn canonical(domain: &str) -> Result<Cow<'_, str>, Fault> {
    if is_plain(domain) {
        return Ok(if domain.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(domain.to_ascii_lowercase())
        } else {
            Cow::Borrowed(domain)
        });
    }
    if domain.starts_with('[') {
        return Err(Fault::IpAddress);
    }
    let ascii = Uts46::new()
        .to_ascii(domain.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Verify)
        .map_err(|_| Fault::Syntax)?;
    match ascii.rsplit_once('.') {
        None => Err(Fault::NoDot),
        Some((_, last)) if last.bytes().all(|byte| byte.is_ascii_digit()) => Err(Fault::IpAddress),
        Some(_) => Ok(ascii),
    }
}

/// Whether this is a valid domain apart from its case, without looking into IDNA's tables. Labels
/// whose third and fourth characters are hyphens (`xn--…`) are left to IDNA.
pub(super) fn is_plain(domain: &str) -> bool {
    let mut labels = 0;
    let mut is_number = false;
    for label in domain.split('.') {
        let bytes = label.as_bytes();
        let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
        if bytes.len() > 63 || *first == b'-' || *last == b'-' || bytes.get(2..4) == Some(b"--") {
            return false;
        }
        is_number = true;
        for byte in bytes {
            if !byte.is_ascii_alphanumeric() && *byte != b'-' {
                return false;
            }
            is_number &= byte.is_ascii_digit();
        }
        labels += 1;
    }
    labels > 1 && !is_number && domain.len() <= 253
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The fast path never accepts a domain that IDNA refuses, and never gives another form.
        #[test]
        fn the_short_way_agrees_with_idna(domain in "[a-zA-Z0-9-]{1,5}(\\.[a-zA-Z0-9-]{1,5}){0,3}") {
            let by_idna = Uts46::new()
                .to_ascii(domain.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Verify);
            if is_plain(&domain) {
                let by_idna = by_idna.map(Cow::into_owned).map_err(|_| Fault::Syntax);
                prop_assert_eq!(canonical(&domain).map(Cow::into_owned), by_idna);
            }
        }
    }
}
