//! Properties of every network of the table, and of every host that is not in the table.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fmt::Write as _;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use proptest::prelude::*;

use super::lists::{JUNK, NAMES_AND_CODES, WORDS};
use super::networks::{Id, Network, Page, Subdomains, View};
use super::redirects::REDIRECTS;
use super::short_links::SHORT_LINKS;
use super::table::NETWORKS;
use super::*;

proptest! {
    /// The fast path never accepts a value that the full parser refuses, and never gives another form.
    #[test]
    fn the_short_way_agrees_with_the_long_one(
        value in "(https?://|//)?(www[.]|m[.])?linkedin[.]com/(in|pub)/[a-cA-Co0-1_%.?#/@ -]{0,18}/?([?][a-b&=%;/ .:]{0,4})?",
    ) {
        if let Some(address) = plain(&value) {
            prop_assert_eq!(parse(&value), Ok(address));
        }
    }
}

fn read(value: &str) -> Result<String, Invalid> {
    super::canonical(value).map(|canonical| canonical.to_string())
}

/// A page of a network with an id on it.
#[derive(Debug, Clone)]
struct Someone {
    network: &'static Network,
    page: &'static Page,
    id: String,
}

impl Someone {
    /// The part of the address that identifies the person.
    fn identity(&self) -> (&'static str, &'static str, Option<String>) {
        (self.network.name, self.page.template(), self.page.id.canonical(&self.id))
    }

    fn on(&self, host: &str) -> String {
        format!("{host}/{}", self.page.path.replace("{id}", &self.id).replace('*', "x"))
    }

    fn canonical(&self) -> String {
        let id = self.page.id.canonical(&self.id).unwrap();
        format!(
            "{}/{}",
            self.network.hosts[0],
            self.page.template().replace("{id}", &address::encoded(&id)).replace('*', "x")
        )
    }

    fn is_named(&self) -> bool {
        let id = self.id.to_lowercase();
        let id = id.as_str();
        self.page.id.canonical(&self.id).is_some()
            && !JUNK.contains(&id)
            && !WORDS.contains(&id)
            && !self.network.reserves(id)
            && !id.contains(".php")
    }
}

fn an_id(id: Id) -> BoxedStrategy<String> {
    match id {
        Id::Handle(marks) => {
            let mark = marks.chars().next().map_or(String::new(), String::from);
            ("[a-z][a-z0-9]{2,7}", "[a-z0-9]{2,7}").prop_map(move |(a, b)| format!("{a}{mark}{b}")).boxed()
        }
        Id::Name(_) | Id::NameOrMember(_) => "[a-zéüñ0-9][a-zéüñ0-9]{2,7}-[a-zéüñçа-я0-9]{2,7}".boxed(),
        Id::Number => "[1-9][0-9]{4,13}".boxed(),
        Id::Exact(start) => "[A-Za-z0-9_-]{10,22}".prop_map(move |rest| format!("{start}{rest}")).boxed(),
        Id::Member => "AC[ow]AA[A-Za-z0-9_-]{8,24}".boxed(),
    }
}

fn someone() -> impl Strategy<Value = Someone> {
    let pages: Vec<(&'static Network, &'static Page)> =
        NETWORKS.iter().flat_map(|network| network.pages.iter().map(move |page| (network, page))).collect();
    prop::sample::select(pages)
        .prop_flat_map(|(network, page)| an_id(page.id).prop_map(move |id| Someone { network, page, id }))
        .prop_filter("a name that somebody may have", Someone::is_named)
}

/// A subdomain that shows the same pages of `network`.
fn a_view(network: &Network, place: usize) -> &'static str {
    let Subdomains::Views(views) = network.subdomains else { return ["", "www.", "m."][place % 3] };
    match views[place % views.len()] {
        View::Countries => ["de.", "uk.", "www.at."][place % 3],
        View::LanguagesExcept(_) => ["de.", "pt."][place % 2],
        View::Locales => ["pt-br.", "es-la."][place % 2],
        View::Named(names) if names.contains(&"touch") => "touch.",
        View::Named(names) if names.contains(&"old") => "old.",
        View::Named(_) => "music.",
    }
}

fn swap_case(text: &str, mask: u64) -> String {
    let flip = |(i, c): (usize, char)| match (mask >> (i % 64)) & 1 {
        1 if c.is_ascii() => c.to_ascii_uppercase(),
        _ => c,
    };
    text.chars().enumerate().map(flip).collect()
}

/// Another person with a very similar id.
fn neighbour(one: &Someone, kind: u8, at: usize) -> Someone {
    let mut other = one.clone();
    let at = one.id.char_indices().map(|(at, _)| at).nth(at % one.id.chars().count()).unwrap();
    let c = one.id[at..].chars().next().unwrap();
    let swapped = if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
    let pages = one.network.pages;
    match kind {
        0 => other.id.push('1'),
        1 => other.id.insert(at, '2'),
        2 => other.id.replace_range(at..at + c.len_utf8(), &swapped.to_string()),
        3 => drop(other.id.remove(at)),
        _ => other.page = &pages[at % pages.len()],
    }
    other
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn two_spellings_of_one_person_meet(
        one in someone(),
        host: prop::sample::Index,
        mask: u64,
        scheme in prop::sample::select(vec!["", "http://", "https://", "HTTPS://", "//", "https:/", "http://https://"]),
        view in prop::option::of(0..12_usize),
        tail in prop::sample::select(vec!["", "/", "//", "?trk=a/b", "#about", "/?utm_source=x#y", "&trk=x"]),
    ) {
        let mut spelled = one.clone();
        if matches!(one.page.id, Id::Handle(_) | Id::Name(_) | Id::NameOrMember(_)) {
            spelled.id = swap_case(&one.id, mask);
        }
        let host = host.get(one.network.hosts);
        let is_first = *host == one.network.hosts[0];
        let view = view.filter(|_| is_first).map_or("", |place| a_view(one.network, place));
        if NAMES_AND_CODES.contains(host) {
            spelled.id = spelled.id.to_lowercase();
        }
        let tail = if one.page.path.contains('?') && !tail.starts_with('#') { "" } else { tail };
        let spelling = format!("{scheme}{view}{}{tail}", spelled.on(host));
        let canonical = one.canonical();
        prop_assert_eq!(read(&spelling), Ok(canonical.clone()), "{}", spelling);
        prop_assert_eq!(read(&canonical), Ok(canonical));
    }

    #[test]
    fn two_different_people_never_meet(one in someone(), stranger in someone(), kind: u8, at: usize) {
        for other in [stranger, neighbour(&one, kind % 6, at)] {
            let read_on = |someone: &Someone| read(&format!("https://{}", someone.on(someone.network.hosts[0])));
            let (one_read, other_read) = (read_on(&one), read_on(&other));
            if one.identity() != other.identity() && one_read.is_ok() {
                prop_assert_ne!(one_read, other_read, "{:?} and {:?}", one.on(""), other.on(""));
            }
        }
    }

    #[test]
    fn a_redirect_names_whom_it_leads_to_and_else_nobody(
        one in someone(),
        redirect in prop::sample::select(REDIRECTS.iter().filter(|redirect| !redirect.parameters.is_empty()).collect::<Vec<_>>()),
        parameter: prop::sample::Index,
        twice: bool,
    ) {
        let host = match redirect.host.strip_suffix(".*") {
            Some(name) => format!("{name}.de"),
            None if redirect.host.starts_with('.') => format!("eur01{}", redirect.host),
            None => redirect.host.to_owned(),
        };
        let wall = format!("https://{host}/{}", redirect.path);
        prop_assert!(read(&wall).is_err(), "{}", wall);
        let encode = |text: &str| percent_encode(text.as_bytes(), NON_ALPHANUMERIC).to_string();
        let mut inner = encode(&format!("https://{}", one.on(one.network.hosts[0])));
        if twice {
            inner = encode(&inner);
        }
        let spelling = format!("{wall}?x=y&{}={inner}&z=1", parameter.get(redirect.parameters));
        prop_assert_eq!(read(&spelling), Ok(one.canonical()), "{}", spelling);
    }

    /// On a host that is not in the table, two addresses stay different if a part differs that may be the name.
    #[test]
    fn strangers_never_meet(
        path in prop::collection::vec("[a-z0-9]{1,6}", 1..3),
        key in "[a-z]{1,6}(\\.[a-z]{1,6})?",
        value in "[A-Za-z0-9:_-]{1,8}",
        other in "[A-Za-z0-9:_-]{1,8}",
        place in 0..4,
    ) {
        prop_assume!(value != other);
        let path = path.join("/");
        let spell = |value: &str| match place {
            0 => format!("https://acme.example/{path}?{key}={value}"),
            1 => format!("https://acme.example/{path}#{value}"),
            2 => format!("https://acme.example/{path}?a=1&{key}={value}#top"),
            _ => format!("https://acme.example/?{key}={value}"),
        };
        let one = read(&spell(&value));
        prop_assume!(one.is_ok());
        prop_assert_ne!(&one, &read(&spell(&other)));
        prop_assert_eq!(read(one.as_ref().unwrap()), one);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_name_is_not_cut_at_a_blank(
        host in prop::sample::select(vec!["linkedin.com/in/", "people.example/", "people.example/team?person=", "x.com/"]),
        first in "[a-z]{4,8}",
        mark in prop::sample::select(vec!["", "-", "–", "—", "/", "_", ".", "+", "&"]),
        second in "[a-z]{1,8}",
    ) {
        let short = read(&format!("https://{host}{first}"));
        prop_assume!(short.is_ok());
        prop_assert_ne!(read(&format!("https://{host}{first} {mark}{second}")), short);
    }

    /// A page of another host that leads to several people is not read as one of them.
    #[test]
    fn a_page_that_leads_on_is_not_a_person(
        inner in prop::sample::select(vec![
            "linkedin.com/company/", "www.linkedin.com/posts/", "https://lnkd.in/", "https://www.linkedin.com/authwall?x=",
            "http://www.facebook.com/events/", "https://bit.ly/", "https://twitter.com/i/lists/",
        ]),
        name in "[a-z]{3,8}",
        encoded: bool,
    ) {
        let inner = format!("{inner}{name}");
        let inner = if encoded { inner.replace('/', "%2F").replace(':', "%3A") } else { inner };
        prop_assert!(read(&format!("https://acme.example/r/{inner}")).is_err(), "{}", inner);
    }
}

#[test]
fn words_of_a_network_name_nobody() {
    let mut seen = 0;
    for network in NETWORKS {
        for word in network.reserved {
            assert_eq!(*word, word.to_ascii_lowercase(), "{}", network.name);
            let word = word.replace('#', "123");
            for page in
                network.pages.iter().filter(|page| page.template() == "{id}" || page.path == "in/{id}")
            {
                let place = page.path.replace("{id}", &word).replace('*', "x");
                let read = read(&format!("https://{}/{place}", network.hosts[0]));
                assert!(read.is_err(), "{} {place}: {read:?}", network.name);
                seen += 1;
            }
        }
    }
    assert!(seen > 1_000, "saw {seen}");
    for word in JUNK {
        for page in ["linkedin.com/in/", "x.com/"] {
            assert!(read(&format!("{page}{word}")).is_err(), "{page}{word}");
        }
    }
}

/// A label before a network's host is a view of the same pages, a person, or something else that is refused.
#[test]
fn other_services_of_a_network_name_nobody() {
    for (spelling, is_view) in [
        ("uk.linkedin.com/in/ana-lopez", true),
        ("eu.linkedin.com/in/ana-lopez", false),
        ("de.facebook.com/ana.lopez", true),
        ("es-la.facebook.com/ana.lopez", true),
        ("ai.facebook.com/ana.lopez", false),
        ("de.fb.me/ana.lopez", false),
        ("de.m.me/ana.lopez", false),
        ("tv.youtube.com/@ana", false),
        ("id.vk.com/ana", false),
        ("ir.twitter.com/ana", false),
        ("ru.stackoverflow.com/users/123", false),
        ("ww.linkedin.com/in/ana-lopez", true),
    ] {
        assert_eq!(read(spelling).is_ok(), is_view, "{spelling}");
    }
}

#[test]
fn short_links_name_nobody() {
    for host in SHORT_LINKS {
        for host in [(*host).to_owned(), format!("go.{host}")] {
            assert_eq!(read(&format!("https://{host}/ana")), Err(Invalid::SocialShortLink), "{host}");
        }
    }
    assert!(SHORT_LINKS.is_sorted_by(|one, next| one < next));
}

/// The table of networks in the documentation equals the data.
#[test]
fn the_documentation_has_the_table_of_networks() {
    let mut table =
        String::from("| network | hosts that are one | what names a person | sent as |\n|---|---|---|---|\n");
    for network in NETWORKS {
        let own = network.hosts[0];
        let person = if network.subdomains.are_people() { vec![format!("`name.{own}`")] } else { vec![] };
        let own_form = if network.subdomains == Subdomains::People { person.clone() } else { vec![] };
        let spelled = |page: &Page, path: &str| {
            let name = match page.id {
                Id::Handle(_) | Id::Name(_) | Id::NameOrMember(_) => "name",
                Id::Number => "123",
                Id::Exact("UC") => "UCaBc…",
                Id::Exact(_) => "aBc…",
                Id::Member => "ACoAA…",
            };
            format!("`{}`", path.replace("{id}", name).replace('*', "…"))
        };
        let pages = network.pages.iter().map(|page| spelled(page, page.path));
        let sent = network.pages.iter().map(|page| spelled(page, &format!("{own}/{}", page.template())));
        let unique = |texts: Vec<String>| {
            let mut kept: Vec<String> = Vec::new();
            for text in texts {
                if !kept.contains(&text) {
                    kept.push(text);
                }
            }
            kept.join(", ")
        };
        let hosts = network.hosts.iter().map(|host| format!("`{host}`")).collect();
        let row =
            [unique(hosts), unique(pages.chain(person).collect()), unique(sent.chain(own_form).collect())];
        writeln!(table, "| {} | {} |", network.name, row.join(" | ")).unwrap();
    }
    let page = include_str!("../../../../../docs/reference/identifiers.md");
    assert!(
        page.contains(&table),
        "docs/reference/identifiers.md has another table of networks than the data:\n{table}"
    );
}

#[test]
fn a_parameter_with_two_values_names_nobody() {
    for value in [
        "facebook.com/profile.php?id=12&id=13",
        "twitter.com/intent/user?screen_name=ana&screen_name=bob",
        "scholar.google.com/citations?user=aaaaaaaaaaaa&user=bbbbbbbbbbbb",
        "https://www.google.com/url?q=https://linkedin.com/in/ana&url=https://linkedin.com/in/bob",
        "https://www.linkedin.com/authwall?next=%2Fin%2Fana&next=%2Fin%2Fbob",
    ] {
        assert!(read(value).is_err(), "{value}");
    }
    assert_eq!(read("facebook.com/profile.php?id=12&id=12").as_deref(), Ok("facebook.com/12"));
}
