//! Links and ids of messengers that contain a phone number: a table and its reader.

use percent_encoding::percent_decode_str;

use super::groups;
use crate::identifier::domain::labels_before;
use crate::identifier::invalid::Invalid;
use crate::identifier::text::strip_prefix_ci;

/// The position of the number in a link.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// Directly after the given host or path, as in `wa.me/12015550123`.
    Path,
    /// In the query parameter with this name, as in `send?phone=12015550123`.
    Parameter(&'static str),
}

/// The host and path of a link, and where its number is.
struct Link(&'static str, Place);

/// The links whose numbers are read: those of `WhatsApp`, Viber, Signal and Telegram.
const LINKS: [Link; 10] = [
    Link("wa.me/c/", Place::Path),
    Link("wa.me/", Place::Path),
    Link("api.whatsapp.com/send", Place::Parameter("phone")),
    Link("web.whatsapp.com/send", Place::Parameter("phone")),
    Link("whatsapp.com/send", Place::Parameter("phone")),
    Link("whatsapp://send", Place::Parameter("phone")),
    Link("viber://chat", Place::Parameter("number")),
    Link("viber://add", Place::Parameter("number")),
    Link("signal.me/#p/", Place::Path),
    Link("t.me/+", Place::Path),
];

/// Hosts of ids that begin with a number, as chat exports write them.
const ID_HOSTS: [&str; 3] = ["s.whatsapp.net", "c.us", "whatsapp.net"];

/// Hosts of ids that are not phone numbers, such as those of groups.
const OTHER_ID_HOSTS: [&str; 4] = ["g.us", "lid", "broadcast", "newsletter"];

/// Hosts whose other pages belong to no person: invitations, groups, settings.
const HOSTS: [&str; 3] = ["wa.me", "whatsapp.com", "signal.me"];

/// The digits of the number in a messenger's link or id, with country code and perhaps `00` before it. `None` if
/// `value` is neither.
///
/// # Errors
/// The inner error says why the link or id has no phone number.
pub(in crate::identifier) fn number(value: &str) -> Option<Result<String, Invalid>> {
    if let Some((name, host)) = value.rsplit_once('@') {
        let is_one_of = |hosts: &[&str]| hosts.iter().any(|known| host.eq_ignore_ascii_case(known));
        if is_one_of(&OTHER_ID_HOSTS) {
            return Some(Err(Invalid::PhoneUnreadable));
        }
        let is_id = is_one_of(&ID_HOSTS);
        // The id also names a device: `12015550123:7@…`.
        let name = name.split([':', '_']).next().unwrap_or(name);
        return (is_id && !name.is_empty()).then(|| digits(name).ok_or(Invalid::PhoneUnreadable));
    }
    let rest = ["https://", "http://"].into_iter().find_map(|scheme| strip_prefix_ci(value, scheme));
    let rest = rest.unwrap_or(value);
    let rest = strip_prefix_ci(rest, "www.").unwrap_or(rest);
    // Most values end here, because they begin with another letter than every link.
    if !rest.starts_with(['w', 'W', 'a', 'A', 'c', 'C', 'v', 'V', 's', 'S', 't', 'T']) {
        return None;
    }
    for Link(start, place) in &LINKS {
        let Some(tail) = strip_prefix_ci(rest, start) else { continue };
        let text = match place {
            Place::Path => tail.split(['?', '/', '#', '&']).next(),
            Place::Parameter(name) => parameter(tail.trim_start_matches('/'), name),
        };
        if let Some(number) = text.and_then(digits) {
            return Some(Ok(number));
        }
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = rest.get(..end)?;
    let is_one = HOSTS.iter().any(|own| labels_before(host, own).is_some());
    is_one.then_some(Err(Invalid::SocialWithoutProfile))
}

/// The value of the query parameter `name`; `None` if it is there with two values.
fn parameter<'t>(tail: &'t str, name: &str) -> Option<&'t str> {
    let query = tail.strip_prefix('?')?.split('#').next()?;
    let mut values = query.split('&').filter_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let value = values.next()?;
    values.all(|other| other == value).then_some(value)
}

/// The digits of a number as links write it, or `None` if `text` is not a number.
fn digits(text: &str) -> Option<String> {
    let decoded = percent_decode_str(text).decode_utf8().ok()?;
    let mut digits = String::with_capacity(decoded.len());
    for c in groups::without_fraction(decoded.trim()).chars() {
        match c {
            '0'..='9' => digits.push(c),
            '+' if digits.is_empty() => {}
            ' ' | '-' | '(' | ')' | '.' => {}
            _ => return None,
        }
    }
    (digits.len() >= 7).then_some(digits)
}
