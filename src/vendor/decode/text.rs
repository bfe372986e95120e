//! What a JSON string says.

use std::borrow::Cow;

/// The text between the quotes of a string that the scanner has passed; `None` where it is not
/// UTF-8. A lone surrogate, which no Rust string can hold, becomes U+FFFD: it equals nothing that
/// was ever sent.
pub(super) fn read(raw: &[u8], escaped: bool) -> Option<Cow<'_, str>> {
    let text = std::str::from_utf8(raw).ok()?;
    Some(if escaped { Cow::Owned(unescape(text)) } else { Cow::Borrowed(text) })
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once('\\') {
        out.push_str(plain);
        let mut tail = escape.chars();
        match tail.next() {
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('u') => {
                let (said, behind) = unit(tail.as_str());
                let (said, behind) = match behind.strip_prefix("\\u").map(unit) {
                    Some((low, behind)) if is_pair(said, low) => (join(said, low), behind),
                    _ => (said, behind),
                };
                out.push(char::from_u32(said).unwrap_or(char::REPLACEMENT_CHARACTER));
                rest = behind;
                continue;
            }
            Some(itself) => out.push(itself),
            None => {}
        }
        rest = tail.as_str();
    }
    out.push_str(rest);
    out
}

/// The four hexadecimal digits in front, and what is behind them.
fn unit(text: &str) -> (u32, &str) {
    match text.split_at_checked(4) {
        Some((digits, behind)) => (u32::from_str_radix(digits, 16).unwrap_or(0xfffd), behind),
        None => (0xfffd, ""),
    }
}

const fn is_pair(high: u32, low: u32) -> bool {
    matches!(high, 0xd800..=0xdbff) && matches!(low, 0xdc00..=0xdfff)
}

const fn join(high: u32, low: u32) -> u32 {
    0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)
}
