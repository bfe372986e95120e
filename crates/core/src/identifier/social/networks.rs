//! The description of a network: its hosts, the paths that name a person, and how an id is written.
//! The facts are in [`table`](super::table).

use super::SHORTEST_NAME;
use super::codes::{is_country, is_language, is_locale};
use super::lists::JUNK;
use super::short_links::SHORT_LINKS;
use super::table::NETWORKS;
use crate::identifier::domain::labels_before;
use crate::identifier::text;

#[derive(Debug)]
pub(super) struct Network {
    #[cfg_attr(not(test), allow(dead_code))] // the documentation shows it
    pub(super) name: &'static str,
    /// Equivalent hosts. The first is the host of the canonical form.
    pub(super) hosts: &'static [&'static str],
    pub(super) subdomains: Subdomains,
    /// The paths that name a person. All other pages of the network name no person.
    pub(super) pages: &'static [Page],
    /// Words that stand in the place of a name and are not one. `photo#` is `photo` followed by
    /// digits; `#` is only digits.
    pub(super) reserved: &'static [&'static str],
}

/// What the labels before the network's own host mean, apart from those of [`is_device`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subdomains {
    /// Other services, whose pages name no person: `ai.facebook.com`, `ir.twitter.com`.
    Services,
    /// Other views of the same pages, if they stand before the first of the network's hosts. All
    /// other labels are services.
    Views(&'static [View]),
    /// One person each: `ana.substack.com`.
    People,
    /// One person each, of whom this page is another address: `ana.tumblr.com` is `tumblr.com/ana`.
    Accounts(Page),
}

impl Subdomains {
    pub(super) const fn are_people(self) -> bool {
        matches!(self, Self::People | Self::Accounts(_))
    }
}

/// Labels for another view of the same page, such as another language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// A country: `uk.linkedin.com`.
    Countries,
    /// A language, except the given labels, which are services: `de.facebook.com`.
    LanguagesExcept(&'static [&'static str]),
    /// A language in a country: `de-de.facebook.com`.
    Locales,
    /// One of these labels: `old.reddit.com`.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Page {
    /// Segments in lower case: `{id}` stands for the name, `*` for any segment. `?x={id}` means
    /// that the name is in the parameter `x`.
    pub(super) path: &'static str,
    /// The path of the canonical form. If it is empty, the path is the same.
    pub(super) canonical: &'static str,
    pub(super) id: Id,
    pub(super) more: More,
}

/// What may follow the path without making it another page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum More {
    Nothing,
    Anything,
    Only(&'static [&'static str]),
    /// Pages of the profile that begin with one of these words or with a language. If the id has a
    /// mark or a digit, as most ids do, anything may follow: such a text is the id and not the
    /// first word of another path.
    Subpages(&'static [&'static str]),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Id {
    /// Letters, digits and these marks. The case does not matter.
    Handle(&'static str),
    /// As [`Id::Handle`], with letters of any script. LinkedIn makes such ids from names.
    Name(&'static str),
    /// As [`Id::Name`] with at least [`SHORTEST_NAME`] characters, or an [`Id::Member`].
    NameOrMember(&'static str),
    /// Digits only.
    Number,
    /// This prefix, then letters, digits, `-` and `_`. Two ids may differ only in their case.
    Exact(&'static str),
    /// LinkedIn's member ids, such as `ACoAA…`. Two ids may differ only in their case.
    Member,
}

impl Page {
    /// Sets the path of the canonical form, for a page that has several paths.
    pub(super) const fn to(self, canonical: &'static str) -> Self {
        Self { canonical, ..self }
    }

    /// The path of the canonical form, with `{id}` for the name.
    pub(super) const fn template(&self) -> &'static str {
        if self.canonical.is_empty() { self.path } else { self.canonical }
    }

    /// Sets what may follow the path.
    pub(super) const fn then(self, more: More) -> Self {
        Self { more, ..self }
    }
}

/// A page with this path, which nothing may follow.
pub(super) const fn page(path: &'static str, id: Id) -> Page {
    Page { path, canonical: "", id, more: More::Nothing }
}

impl Id {
    /// The canonical form of an id, or `None` if `text` is not one.
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

/// Whether `text` is a member id of LinkedIn: `ACoAAB…`, `ACwAAB…`, `AEMAAA…`. They are the base64
/// of a number that begins with zeros.
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
    /// The labels before the network's host, without the last dot.
    pub(super) labels: &'h str,
    /// Whether the host is the first of the network's hosts.
    is_first: bool,
}

impl Site<'_> {
    /// Whether the pages of this host belong to the network itself.
    pub(super) fn is_own(&self) -> bool {
        let is_view = |label: &str| match self.network.subdomains {
            subdomains if subdomains.are_people() => is_device(label),
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
            let labels = labels_before(host, own)?;
            Some(Site { network, labels, is_first: place == 0 })
        })
    })
}

/// Whether `host` begins with a network's host and continues, as `linkedin.com.br` does.
pub(super) fn imitates(host: &str) -> bool {
    let goes_on = |own: &str| host.strip_prefix(own).is_some_and(|rest| rest.starts_with('.'));
    NETWORKS.iter().any(|network| network.hosts.iter().any(|own| goes_on(own)))
}

/// Whether `host` is a host of short links or lies below one.
pub(super) fn is_short_link(host: &str) -> bool {
    SHORT_LINKS.iter().any(|own| labels_before(host, own).is_some())
}

/// Whether `label` only selects a device or view, such as `www` or `m`. This holds for any host.
pub(super) fn is_device(label: &str) -> bool {
    matches!(label, "www" | "m" | "mobile")
}
