//! What a network is: its hosts, the paths that name a person, and how an id is spelled. The facts are in
//! [`table`](super::table).

use super::lists::{JUNK, SHORT_LINKS};
use super::table::NETWORKS;
use crate::identifier::text;

/// A social network.
#[derive(Debug)]
pub(super) struct Network {
    #[cfg_attr(not(test), allow(dead_code))] // the documentation shows it
    pub(super) name: &'static str,
    /// All hosts that are the same; the first is that of the canonical form.
    pub(super) hosts: &'static [&'static str],
    pub(super) subdomains: Subdomains,
    /// The paths that name a person. All other pages of a network name nobody.
    pub(super) pages: &'static [Page],
    /// Words in the place of a name that are not names.
    pub(super) reserved: &'static [&'static str],
}

/// How a network uses the labels before its own name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subdomains {
    /// For languages, countries and devices: `uk.linkedin.com`, `m.facebook.com`.
    Views,
    /// For people: `ana.tumblr.com`.
    People,
}

/// A path that names a person.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    /// Segments in lower case, `{id}` for the name, `*` for anything; `?x={id}` where the name stands in a
    /// parameter.
    pub(super) path: &'static str,
    /// The path of the canonical form; empty: the same path.
    pub(super) canonical: &'static str,
    pub(super) id: Id,
    pub(super) more: More,
}

/// What may follow on the path and is the same page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum More {
    Nothing,
    Anything,
    Only(&'static [&'static str]),
}

/// How an id is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Id {
    /// Letters, digits and these marks; the case does not matter.
    Handle(&'static str),
    /// The same in any script, as LinkedIn makes them of names.
    Name(&'static str),
    /// The same, or one of [`Id::Member`].
    NameOrMember(&'static str),
    /// Digits only.
    Number,
    /// Begins like this, then letters, digits, `-` and `_`; the case tells people apart.
    Exact(&'static str),
    /// LinkedIn's ids of members, such as `ACoAA…`: the case tells people apart.
    Member,
}

impl Page {
    /// The same page under another path.
    pub(super) const fn to(self, canonical: &'static str) -> Self {
        Self { canonical, ..self }
    }

    /// With what may follow.
    pub(super) const fn then(self, more: More) -> Self {
        Self { more, ..self }
    }
}

pub(super) const fn page(path: &'static str, id: Id) -> Page {
    Page { path, canonical: "", id, more: More::Nothing }
}

impl Id {
    /// The one spelling of an id, if `text` is one.
    pub(super) fn canonical(self, text: &str) -> Option<String> {
        let of = |is_part: &dyn Fn(char) -> bool| !text.is_empty() && text.chars().all(is_part);
        let is_word = |marks: &str, c: char| c.is_ascii_alphanumeric() || marks.contains(c);
        match self {
            Self::Handle(marks) => of(&|c| is_word(marks, c)).then(|| text.to_ascii_lowercase()),
            Self::Name(marks) => {
                let other =
                    |c: char| !c.is_ascii() && !c.is_whitespace() && !c.is_control() && c != '\u{fffd}';
                of(&|c| is_word(marks, c) || other(c)).then(|| text::lower(text))
            }
            Self::NameOrMember(_) if is_member_id(text) => Some(text.to_owned()),
            Self::NameOrMember(marks) => return Self::Name(marks).canonical(text),
            Self::Number => of(&|c| c.is_ascii_digit()).then(|| text.to_owned()),
            Self::Exact(start) => {
                (text.starts_with(start) && text.len() > start.len() && of(&|c| is_word("-_", c)))
                    .then(|| text.to_owned())
            }
            Self::Member => is_member_id(text).then(|| text.to_owned()),
        }
        .filter(|id| !JUNK.contains(&id.as_str()) && id.chars().any(char::is_alphanumeric))
    }
}

/// `ACoAAB…`, `ACwAAB…`, `AEMAAA…`: base64 of a number that begins with zeros.
pub(super) fn is_member_id(text: &str) -> bool {
    let bytes = text.as_bytes();
    matches!(bytes, [b'A', second, _, b'A', b'A', ..] if second.is_ascii_uppercase())
        && bytes.len() >= 9
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// The network that `host` belongs to, and the labels before the network's own name, without the
/// last dot. The case does not matter.
pub(super) fn of_host(host: &str) -> Option<(&'static Network, &str)> {
    NETWORKS.iter().find_map(|network| {
        network.hosts.iter().find_map(|own| {
            let (labels, name) = host.split_at_checked(host.len().checked_sub(own.len())?)?;
            if !name.eq_ignore_ascii_case(own) {
                return None;
            }
            match labels.strip_suffix('.') {
                Some(labels) => Some((network, labels)),
                None if labels.is_empty() => Some((network, "")),
                None => None,
            }
        })
    })
}

/// Whether `host` begins as a network's does and goes on.
pub(super) fn imitates(host: &str) -> bool {
    let goes_on = |own: &str| host.strip_prefix(own).is_some_and(|rest| rest.starts_with('.'));
    NETWORKS.iter().any(|network| network.hosts.iter().any(|own| goes_on(own)))
}

/// Whether `host` (lower case) only shortens other addresses.
pub(super) fn is_short_link(host: &str) -> bool {
    SHORT_LINKS.contains(&host)
}

/// Whether a label before a network's name only chooses a language, a country or a device.
pub(super) fn is_view(label: &str) -> bool {
    is_device(label)
        || matches!(label, "touch" | "mbasic" | "web" | "lite" | "old" | "new" | "np" | "amp")
        || match label.as_bytes() {
            [a, b] => a.is_ascii_alphabetic() && b.is_ascii_alphabetic(),
            [a, b, b'-' | b'_', c, d] => [a, b, c, d].into_iter().all(u8::is_ascii_alphabetic),
            _ => false,
        }
}

/// Whether a label chooses a device on any host.
pub(super) fn is_device(label: &str) -> bool {
    matches!(label, "www" | "m" | "mobile")
}
