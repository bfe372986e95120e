//! Splits a web address into its parts, each in one form.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use super::networks::is_device;
use crate::identifier::domain::{self, Fault};
use crate::identifier::invalid::Invalid;
use crate::identifier::text;

/// All but RFC 3986's unreserved characters.
const NOT_UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The characters that are encoded in a path segment: all but RFC 3986's `pchar`.
const NOT_PCHAR: &AsciiSet = &NOT_UNRESERVED
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// The characters that are encoded in a query or a fragment.
const NOT_IN_QUERY: &AsciiSet = &NOT_PCHAR.remove(b'/').remove(b'?');

/// The parts of an address. Only the host is already in its canonical form.
pub(super) struct Address<'a> {
    /// In lower case and IDNA's ASCII form, without labels such as `www.`.
    pub(super) host: Cow<'a, str>,
    /// As it is written.
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    /// After `#`.
    pub(super) fragment: &'a str,
}

impl<'a> Address<'a> {
    /// Splits an address. An unusual host is converted or refused here; the path is not checked.
    ///
    /// # Errors
    /// Why it is not the address of a profile: see [`Invalid`].
    pub(super) fn parse(value: &'a str) -> Result<Self, Invalid> {
        let (has_scheme, rest) = strip_scheme(value)?;
        let end = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let mut host = host(authority, has_scheme)?;
        while let Some((label, rest)) = host.split_once('.')
            && is_device(label)
            && rest.contains('.')
        {
            host = Cow::Owned(rest.to_owned());
        }
        // An old form of paths: `twitter.com/#!/ana`.
        let tail = tail.strip_prefix("/#!").or_else(|| tail.strip_prefix("#!")).unwrap_or(tail);
        let (tail, fragment) = tail.split_once('#').unwrap_or((tail, ""));
        let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
        Ok(Self { host, path, query, fragment })
    }

    /// The decoded segments of the path. Empty segments, `.` and `..` are resolved. Bytes that are
    /// not UTF-8 are kept.
    ///
    /// # Errors
    /// If a segment has a control character, or stars in the place of letters.
    pub(super) fn segments(&self) -> Result<Vec<String>, Invalid> {
        let mut segments: Vec<String> = Vec::new();
        for segment in self.path.split(['/', '\\']) {
            match decoded(segment)?.as_str() {
                "" | "." => {}
                ".." => {
                    segments.pop();
                }
                segment => segments.push(segment.to_owned()),
            }
        }
        Ok(segments)
    }

    /// As [`segments`](Self::segments), for networks whose names have no percent sign: a segment that was encoded
    /// several times is decoded completely. Dashes become hyphens, because word processors replace hyphens.
    ///
    /// # Errors
    /// Also if a segment is not UTF-8: it was cut off, or is in an encoding that nobody knows, and bytes that mean
    /// different letters in different encodings could mean two people.
    pub(super) fn names(&self) -> Result<Vec<String>, Invalid> {
        let mut names = self.segments()?;
        for name in &mut names {
            // Each decoding makes the name shorter.
            while text::has_escape(name) {
                *name = decoded(name)?;
            }
            if name.contains(is_byte) {
                let is_cut = name.ends_with(is_byte);
                return Err(if is_cut { Invalid::CutOff } else { Invalid::SocialWithoutProfile });
            }
            if !name.is_ascii() {
                *name = name.replace(['\u{2010}', '\u{2011}', '\u{2012}', '\u{2013}', '\u{2212}'], "-");
            }
        }
        names.retain(|name| !name.is_empty());
        Ok(names)
    }

    /// The decoded value of a query parameter. `None` if the parameter is there with two values: sites differ in which
    /// one counts.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let mut values = self.values(name);
        let value = values.next()?;
        values.all(|other| other == value).then_some(value)
    }

    /// The decoded values of a query parameter. The case of its name does not matter.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = String> {
        self.query.split('&').filter_map(move |pair| {
            let (key, value) = pair.split_once('=')?;
            let is_it = key.eq_ignore_ascii_case(name) && !value.is_empty();
            is_it.then(|| percent_decode_str(value).decode_utf8().ok().map(Cow::into_owned)).flatten()
        })
    }
}

/// The address without its scheme, and whether there was one.
///
/// # Errors
/// [`Invalid::SocialScheme`] for a scheme other than those of the web.
pub(super) fn strip_scheme(value: &str) -> Result<(bool, &str), Invalid> {
    for scheme in ["https:", "http:", "https//", "http//"] {
        if let Some(rest) = text::strip_prefix_ci(value, scheme) {
            return Ok((true, rest.trim_start_matches(['/', '\\'])));
        }
    }
    if let Some(rest) = value.strip_prefix("//") {
        return Ok((true, rest.trim_start_matches('/')));
    }
    if value.contains("://")
        && value.split("://").next().is_some_and(|scheme| !scheme.contains(['/', '?', '#']))
    {
        return Err(Invalid::SocialScheme);
    }
    Ok((false, value))
}

/// The host in lower case, without user and port.
fn host(authority: &str, has_scheme: bool) -> Result<Cow<'_, str>, Invalid> {
    let host = match authority.rsplit_once('@') {
        // Without a scheme, this is an e-mail address or not an address at all.
        Some(_) if !has_scheme => return Err(Invalid::SocialHost),
        Some((_, host)) => host,
        None => authority,
    };
    let host = match host.split_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        Some(_) => return Err(Invalid::SocialHost),
        None => host,
    };
    // A host is percent-encoded only if it is written in another script.
    let host = match percent_decode_str(host.trim_end_matches('.')).decode_utf8() {
        Ok(Cow::Borrowed(host)) => domain::canonical(host),
        Ok(Cow::Owned(host)) => domain::canonical(&host).map(|host| Cow::Owned(host.into_owned())),
        Err(_) => Err(Fault::Syntax),
    };
    host.map_err(|fault| match fault {
        Fault::NoDot if !has_scheme => Invalid::SocialWithoutNetwork,
        _ => Invalid::SocialHost,
    })
}

/// A decoded segment, without invisible characters and without marks that no name begins or ends
/// with.
fn decoded(segment: &str) -> Result<String, Invalid> {
    let is_around = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '"' | '<' | '>' | '|' | '\\');
    let bytes: Cow<'_, [u8]> = percent_decode_str(segment).into();
    let decoded = match std::str::from_utf8(&bytes) {
        Ok(decoded) if decoded.is_ascii() => decoded.to_owned(),
        Ok(decoded) => {
            text::compose(&text::seen(decoded.trim_matches(|c| is_around(c) || text::is_private(c))))
        }
        // The encoding of these bytes is unknown, so they are kept as bytes.
        Err(_) => bytes.iter().filter_map(|&byte| byte_as_char(byte)).collect(),
    };
    let is_text = std::str::from_utf8(&bytes).is_ok();
    if decoded.chars().any(|c| c.is_control() || is_text && text::is_private(c)) {
        return Err(Invalid::ControlCharacter);
    }
    if text::is_masked(&decoded) {
        return Err(Invalid::CutOff);
    }
    Ok(decoded.trim_matches(is_around).to_owned())
}

/// While a path is read, each byte that is not UTF-8 is represented by a private-use character from
/// here on.
const BYTES: u32 = 0xf700;

/// The character that represents a byte while a path is read. ASCII represents itself.
fn byte_as_char(byte: u8) -> Option<char> {
    if byte.is_ascii() { Some(char::from(byte)) } else { char::from_u32(BYTES + u32::from(byte)) }
}

/// Whether `c` represents a byte that is not UTF-8.
fn is_byte(c: char) -> bool {
    (BYTES + 0x80..=BYTES + 0xff).contains(&u32::from(c))
}

/// A decoded segment, encoded as the canonical form needs it.
pub(super) fn encoded(segment: &str) -> String {
    let mut encoded = String::with_capacity(segment.len());
    for c in segment.chars() {
        match u8::try_from(u32::from(c).wrapping_sub(BYTES)) {
            Ok(byte) if is_byte(c) => encoded.extend(percent_encode(&[byte], NOT_PCHAR)),
            _ => encoded.extend(percent_encode(c.encode_utf8(&mut [0; 4]).as_bytes(), NOT_PCHAR)),
        }
    }
    encoded
}

/// A query or fragment in RFC 3986's normal form. Its case is kept.
pub(super) fn normal(query: &str) -> String {
    let mut normal = String::with_capacity(query.len());
    let composed = text::compose(&text::seen(query));
    let mut rest = composed.as_str();
    while let Some(c) = rest.chars().next() {
        let escape = rest.strip_prefix('%').and_then(|rest| u8::from_str_radix(rest.get(..2)?, 16).ok());
        match escape {
            Some(byte) => normal.extend(percent_encode(&[byte], NOT_UNRESERVED)),
            None => normal.extend(percent_encode(c.encode_utf8(&mut [0; 4]).as_bytes(), NOT_IN_QUERY)),
        }
        rest = rest.get(escape.map_or(c.len_utf8(), |_| 3)..).unwrap_or_default();
    }
    normal
}
