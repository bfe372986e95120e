//! Domain names, as e-mail addresses and web addresses share them: lower case, the ASCII form of
//! IDNA (RFC 5891), and labels of letters, digits and inner hyphens. Knows nothing of what stands
//! before or after a domain.

use std::borrow::Cow;

use icu_properties::CodePointMapData;
use icu_properties::props::GeneralCategory;
use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};

use super::text;

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
    if !has_letters_only(&ascii) {
        return Err(Fault::Syntax);
    }
    match ascii.rsplit_once('.') {
        None => Err(Fault::NoDot),
        Some((_, last)) if last.bytes().all(|byte| byte.is_ascii_digit()) => Err(Fault::IpAddress),
        Some(_) => Ok(ascii),
    }
}

/// Whether the labels have only characters that IDNA2008 allows (RFC 5892): letters, digits and their marks. UTS 46 also
/// allows symbols and quotes, so that it would turn `acme.com’s` into a domain.
fn has_letters_only(ascii: &str) -> bool {
    let (domain, _) = Uts46::new().to_unicode(ascii.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast);
    domain.split('.').all(|label| {
        label.chars().all(|c| match c {
            c if c.is_ascii() => true,
            // Exceptions, with the contexts in which they are allowed (RFC 5892, 2.6 and A.3 to A.7).
            '\u{6fd}' | '\u{6fe}' | '\u{f0b}' | '\u{3007}' => true,
            '\u{b7}' => label.contains("l\u{b7}l"),
            '\u{375}' | '\u{5f3}' | '\u{5f4}' => {
                label.chars().any(|c| matches!(c, '\u{370}'..='\u{5ff}') && is_letter(c))
            }
            '\u{30fb}' => label.chars().any(is_japanese),
            '\u{640}' | '\u{7fa}' | '\u{302e}' | '\u{302f}' | '\u{3031}'..='\u{3035}' | '\u{303b}' => false,
            // Checked by UTS 46, in their context.
            c if text::is_joiner(c) => true,
            c => is_letter(c),
        })
    })
}

/// Whether RFC 5892 counts `c` as a letter or digit (2.1).
fn is_letter(c: char) -> bool {
    use GeneralCategory as Category;
    matches!(
        CodePointMapData::<Category>::new().get(c),
        Category::LowercaseLetter
            | Category::OtherLetter
            | Category::ModifierLetter
            | Category::NonspacingMark
            | Category::SpacingMark
            | Category::DecimalNumber
    )
}

/// Whether `c` is a letter of the scripts that the middle dot of Katakana separates.
const fn is_japanese(c: char) -> bool {
    matches!(c, '\u{3005}'..='\u{3007}' | '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}' | '\u{30fc}'..='\u{30fe}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}')
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
