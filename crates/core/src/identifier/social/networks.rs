//! What a network is: its hosts, the paths that name a person, and how an id is spelled. The facts are in
//! [`table`](super::table).

use super::SHORTEST_NAME;
use super::codes::{is_country, is_language, is_locale};
use super::lists::JUNK;
use super::short_links::SHORT_LINKS;
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
    /// Words in the place of a name that are not names; `photo#` is `photo` before digits, `#` digits alone.
    pub(super) reserved: &'static [&'static str],
}

/// How a network uses the labels before its own name, besides those of [`is_device`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subdomains {
    /// For other services, whose paths name nobody: `ai.facebook.com`, `ir.twitter.com`.
    Services,
    /// For the same pages in another view, before the first of the network's hosts; others are services.
    Views(&'static [View]),
    /// For people: `ana.tumblr.com`.
    People,
}

/// Labels that show the same page, such as in another language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// `uk.linkedin.com`.
    Countries,
    /// Languages except the labels given, which are services: `de.facebook.com`.
    LanguagesExcept(&'static [&'static str]),
    /// `de-de.facebook.com`.
    Locales,
    /// `old.reddit.com`.
    Named(&'static [&'static str]),
}

impl View {
    fn has(self, label: &str) -> bool {
        match self {
            Self::Countries => is_country(label),
            Self::LanguagesExcept(services) => is_language(label) && !services.contains(&label),
            Self::Locales => is_locale(label),
            Self::Named(names) => names.contains(&label),
        }
    }
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
    /// Pages of the profile that begin with one of these or with a language. Behind an id that has a mark or a
    /// digit, as most do, anything: it is surely the id, and not the first word of another path.
    Subpages(&'static [&'static str]),
}

/// How an id is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Id {
    /// Letters, digits and these marks; the case does not matter.
    Handle(&'static str),
    /// The same in any script, as LinkedIn makes them of names.
    Name(&'static str),
    /// The same with at least [`SHORTEST_NAME`] characters, or one of [`Id::Member`].
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

    /// The path of the canonical form.
    pub(super) const fn template(&self) -> &'static str {
        if self.canonical.is_empty() { self.path } else { self.canonical }
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
            Self::NameOrMember(_) if text.chars().count() < SHORTEST_NAME => None,
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

/// A host that belongs to a network.
#[derive(Debug, Clone, Copy)]
pub(super) struct Site<'h> {
    pub(super) network: &'static Network,
    /// The labels before the network's own name, without the last dot.
    pub(super) labels: &'h str,
    /// Whether the network's own name is the first of its hosts.
    is_first: bool,
}

impl Site<'_> {
    /// Whether the pages under this host are those of the network itself.
    pub(super) fn is_own(&self) -> bool {
        let is_view = |label: &str| match self.network.subdomains {
            Subdomains::People => is_device(label),
            Subdomains::Views(views) if self.is_first && views.iter().any(|view| view.has(label)) => true,
            // A misspelled `www`.
            _ => is_device(label) || matches!(label, "ww" | "wwww"),
        };
        self.labels.is_empty() || self.labels.split('.').all(is_view)
    }
}

impl Network {
    /// Whether `id`, in lower case, is a word of the network itself.
    pub(super) fn reserves(&self, id: &str) -> bool {
        self.reserved.iter().any(|word| match word.strip_suffix('#') {
            Some(start) => id.strip_prefix(start).is_some_and(|rest| {
                rest.contains(|c: char| c.is_ascii_digit())
                    && rest.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | '_'))
            }),
            None => *word == id,
        })
    }
}

/// The network that `host` belongs to. The case does not matter.
pub(super) fn of_host(host: &str) -> Option<Site<'_>> {
    NETWORKS.iter().find_map(|network| {
        network.hosts.iter().enumerate().find_map(|(place, own)| {
            let (labels, name) = host.split_at_checked(host.len().checked_sub(own.len())?)?;
            if !name.eq_ignore_ascii_case(own) {
                return None;
            }
            let labels = if labels.is_empty() { labels } else { labels.strip_suffix('.')? };
            Some(Site { network, labels, is_first: place == 0 })
        })
    })
}

/// Whether `host` begins as a network's does and goes on.
pub(super) fn imitates(host: &str) -> bool {
    let goes_on = |own: &str| host.strip_prefix(own).is_some_and(|rest| rest.starts_with('.'));
    NETWORKS.iter().any(|network| network.hosts.iter().any(|own| goes_on(own)))
}

/// Whether `host` (lower case) only shortens other addresses, or is below one that does.
pub(super) fn is_short_link(host: &str) -> bool {
    SHORT_LINKS
        .iter()
        .any(|own| host.strip_suffix(own).is_some_and(|labels| labels.is_empty() || labels.ends_with('.')))
}

/// Whether a label chooses a device on any host.
pub(super) fn is_device(label: &str) -> bool {
    matches!(label, "www" | "m" | "mobile")
}
