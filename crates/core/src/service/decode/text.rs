//! JSON strings: where a run of plain text ends, and what an escaped string means.

use std::borrow::Cow;

/// The text of a string that the scanner has accepted, given the bytes between its quotes. `None`
/// if it is not UTF-8. A single surrogate, which a Rust string cannot contain, becomes U+FFFD; no
/// text that was sent equals it.
pub(super) fn read(raw: &[u8], escaped: bool) -> Option<Cow<'_, str>> {
    let text = std::str::from_utf8(raw).ok()?;
    if !escaped {
        return Some(Cow::Borrowed(text));
    }
    let said = unescape(raw);
    Some(Cow::Owned(match String::from_utf8(said) {
        Ok(said) => said,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    }))
}

/// The text of a string in UTF-8, given the bytes between its quotes. A single surrogate, which
/// UTF-8 cannot encode, becomes three bytes as in WTF-8 (Python's `surrogatepass`).
///
/// The scanner must have accepted the string. For other bytes, the result is meaningless.
///
/// ```
/// use exactbuyer_core::service::decode::text::unescape;
///
/// assert_eq!(unescape(br"Jos\u00e9"), "José".as_bytes());
/// assert_eq!(unescape(br"\ud800"), b"\xed\xa0\x80"); // a single surrogate
/// ```
#[must_use]
pub fn unescape(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(place) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(rest.get(..place).unwrap_or_default());
        rest = rest.get(place + 1..).unwrap_or_default();
        let Some((&kind, after)) = rest.split_first() else { break };
        rest = after;
        match kind {
            b'b' => out.push(0x8),
            b'f' => out.push(0xc),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' => {
                let (first, after) = unit(rest);
                rest = after;
                let second = rest.strip_prefix(b"\\u").map(unit);
                match second {
                    Some((second, after)) if is_pair(first, second) => {
                        push(&mut out, join(first, second));
                        rest = after;
                    }
                    _ => push(&mut out, first),
                }
            }
            itself => out.push(itself),
        }
    }
    out.extend_from_slice(rest);
    out
}

/// The value of the four hexadecimal digits at the start, and the text after them.
fn unit(text: &[u8]) -> (u32, &[u8]) {
    let (digits, after) = text.split_at_checked(4).unwrap_or((text, &[]));
    let digits = std::str::from_utf8(digits).unwrap_or_default();
    (u32::from_str_radix(digits, 16).unwrap_or(0xfffd), after)
}

/// Whether two code units are a surrogate pair.
const fn is_pair(high: u32, low: u32) -> bool {
    matches!(high, 0xd800..=0xdbff) && matches!(low, 0xdc00..=0xdfff)
}

/// The code point of a surrogate pair.
const fn join(high: u32, low: u32) -> u32 {
    0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)
}

/// Appends a code point in UTF-8, or a single surrogate in the same pattern.
fn push(out: &mut Vec<u8>, said: u32) {
    if let Some(said) = char::from_u32(said) {
        out.extend_from_slice(said.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        // A surrogate, so 0xd800 to 0xdfff: three bytes, as in UTF-8's pattern for its neighbours.
        let [_, _, high, low] = said.to_be_bytes();
        out.extend_from_slice(&[0xe0 | high >> 4, 0x80 | (high & 0x0f) << 2 | low >> 6, 0x80 | low & 0x3f]);
    }
}

/// The number of bytes before the end of a run of plain text: before a quote, a backslash, a
/// control character, or the end.
///
/// It reads eight bytes at a time as one machine word. Strings in replies are short, and this needs
/// neither `unsafe` nor a particular processor.
///
/// ```
/// use exactbuyer_core::service::decode::text::plain;
///
/// assert_eq!(plain(br#"Ana Lopez", "title": "CTO""#), 9);
/// ```
#[inline(always)]
#[must_use]
pub fn plain(text: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGHS: u64 = ONES * 0x80;
    let mut rest = text;
    let mut seen = 0;
    while let Some((block, tail)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*block);
        let quote = word ^ (ONES * u64::from(b'"'));
        let backslash = word ^ (ONES * u64::from(b'\\'));
        // The high bit is set for each byte that is below the subtracted one. A borrow can set a
        // wrong bit only above the first correct one, and only the first is used.
        let stops = ((quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash)
            | (word.wrapping_sub(ONES * 0x20) & !word))
            & HIGHS;
        if stops != 0 {
            return seen + (stops.trailing_zeros() / 8) as usize;
        }
        seen += 8;
        rest = tail;
    }
    seen + rest.iter().position(|&b| b == b'"' || b == b'\\' || b < 0x20).unwrap_or(rest.len())
}
