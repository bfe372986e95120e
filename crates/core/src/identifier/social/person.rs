//! Finds the person that a page belongs to: on a known network by its table, on any other host by
//! the address itself.

use super::address::{Address, encoded, normal};
use super::codes::{is_language, is_locale};
use super::lists::{NAMES_AND_CODES, OWN_LABELS, TRACKING, WORDS};
use super::networks::{Id, More, Network, Page, Site, Subdomains};
use crate::identifier::invalid::Invalid;
use crate::identifier::text;

/// The canonical form of a page on the network that `site` belongs to.
pub(super) fn on_network(site: &Site<'_>, address: &Address<'_>) -> Result<String, Invalid> {
    let network = site.network;
    let host = network.hosts.first().copied().unwrap_or_default();
    if !site.is_own() {
        let is_person = network.subdomains.are_people() && !OWN_LABELS.contains(&site.labels);
        return if is_person { on_own_host(site, address) } else { Err(Invalid::SocialWithoutProfile) };
    }
    let segments = without_glued_query(address.names()?);
    if segments.iter().any(|segment| has_half_escape(segment)) {
        return Err(Invalid::CutOff);
    }
    // `facebook.com/ana#!/bo` showed the page of `bo`.
    if !segments.is_empty() && address.fragment.starts_with('!') {
        return Err(Invalid::SocialAddressInside);
    }
    if let [segment] = &*segments
        && NAMES_AND_CODES.contains(&&*address.host)
        && !is_name(segment)
    {
        return Err(Invalid::SocialShortLink);
    }
    let found = network.pages.iter().find_map(|page| {
        let id = id_of(page, network, &segments, address)?;
        Some(format!("{host}/{}", path(page, &segments, &id)))
    });
    found.ok_or_else(|| {
        let endpoint =
            segments.last().is_some_and(|last| matches!(last.as_str(), "view" | "dk" | "citations"));
        if endpoint && !address.query.is_empty() {
            Invalid::SocialNamedInQuery
        } else {
            Invalid::SocialWithoutProfile
        }
    })
}

/// The canonical form of a page on the host of a person: the page of the same account, or else the host. Its pages are
/// posts of that person, except for those of other authors.
fn on_own_host(site: &Site<'_>, address: &Address<'_>) -> Result<String, Invalid> {
    const OF_OTHERS: [&str; 7] = ["author", "authors", "people", "profile", "u", "user", "users"];
    let is_of_another = |segment: &String| {
        segment.starts_with(['@', '~']) || OF_OTHERS.iter().any(|word| segment.eq_ignore_ascii_case(word))
    };
    if address.segments()?.first().is_some_and(is_of_another) {
        return Err(Invalid::SocialWithoutProfile);
    }
    elsewhere(address, true)?;
    let network = site.network;
    // A word that the network uses for a page of its own may still be a name before its host.
    if let Subdomains::Accounts(page) = network.subdomains
        && let Some(id) = page.id.canonical(site.labels).filter(|id| !is_word(&page, network, id))
        && let Some(host) = network.hosts.first()
    {
        return Ok(format!("{host}/{}", path(&page, &[], &id)));
    }
    Ok(address.host.to_string())
}

/// Removes a query that has lost its question mark, and parameters of the path: `ana-lopez&trk=x`, `ana-lopez;v=1`.
fn without_glued_query(segments: Vec<String>) -> Vec<String> {
    let mut kept = Vec::with_capacity(segments.len());
    for mut segment in segments {
        if let Some(at) = segment.find(QUERY).filter(|at| is_query(segment.get(*at..).unwrap_or_default())) {
            segment.truncate(at);
            kept.extend((!segment.is_empty()).then_some(segment));
            break;
        }
        kept.push(segment);
    }
    kept
}

/// Marks that begin and separate the parts of a query.
const QUERY: [char; 5] = ['?', '#', '&', ';', '='];

/// Whether `text`, which begins with one of these marks, is a query. If it is not, it may be a part of a name that was
/// misspelled, as in `ana=lopez`.
fn is_query(text: &str) -> bool {
    let rest = text.trim_start_matches(QUERY);
    let is_named =
        || rest.find(QUERY).is_some_and(|end| rest.get(end..).is_some_and(|end| end.starts_with('=')));
    rest.is_empty() || text.starts_with(['?', '#']) || text.starts_with(['&', ';']) && is_named()
}

/// Whether an address ends inside a percent escape: `jos%C`.
fn has_half_escape(segment: &str) -> bool {
    let whole = segment.trim_end_matches('.');
    whole.ends_with('%')
        || whole.strip_suffix(|c: char| c.is_ascii_hexdigit()).is_some_and(|rest| rest.ends_with('%'))
}

/// The id that `page` names, or `None` if the path is not one of this page.
fn id_of(page: &Page, network: &Network, segments: &[String], address: &Address<'_>) -> Option<String> {
    let (pattern, parameter) = match page.path.split_once('?') {
        Some((pattern, parameter)) => (pattern, parameter.strip_suffix("={id}")),
        None => (page.path, None),
    };
    let mut id = None;
    let mut rest = segments.iter();
    for expected in pattern.split('/') {
        let segment = rest.next()?;
        match expected.split_once("{id}") {
            Some((prefix, _)) => {
                let name = segment.strip_prefix(prefix)?;
                // An `@` is a way of writing a handle, not a part of it.
                let name = if prefix.is_empty() { segment.trim_start_matches('@') } else { name };
                // Ids of Sales Navigator contain how they were found: `ACwAA…,NAME_SEARCH,x1`.
                let carries = matches!(page.id, Id::Member | Id::Number);
                let name = if carries { name.split(',').next().unwrap_or(name) } else { name };
                let name = name.trim_end_matches('.');
                id = Some(page.id.canonical(name).filter(|id| !id.contains(".php"))?);
            }
            None if expected == "*" => {}
            None if segment.eq_ignore_ascii_case(expected) => {}
            None => return None,
        }
    }
    let id = match parameter {
        Some(name) => page.id.canonical(address.parameter(name)?.trim_start_matches('@'))?,
        None => id?,
    };
    let more: Vec<&str> = rest.map(String::as_str).collect();
    let follows = match page.more {
        More::Anything => true,
        More::Nothing => more.is_empty(),
        More::Only(tabs) => match *more {
            [] => true,
            [tab] => tabs.iter().any(|known| tab.eq_ignore_ascii_case(known)),
            _ => false,
        },
        More::Subpages(pages) => more.first().is_none_or(|first| leads_on(&id, first, pages)),
    };
    (follows && !is_word(page, network, &id)).then_some(id)
}

/// Whether `first` begins a page of the profile of `id`. Then `id` is not the start of another
/// path.
fn leads_on(id: &str, first: &str, pages: &[&str]) -> bool {
    let is_code = |text: &str| is_language(text) || is_locale(text);
    let is_start = is_code(id) || WORDS.contains(&id.to_ascii_lowercase().as_str());
    // A host may have been pasted there: `/in/acme.example/ana`.
    let is_surely_id = id.contains(|c: char| !c.is_alphabetic()) && !id.contains('.');
    let is_page = is_code(first) || pages.iter().any(|page| first.eq_ignore_ascii_case(page));
    !is_start && (is_surely_id || is_page)
}

/// Whether `id` is a word of the network that stands where a name would be.
fn is_word(page: &Page, network: &Network, id: &str) -> bool {
    let id = id.to_ascii_lowercase();
    match page.template() {
        // The first word of a path says what kind of page it is.
        "{id}" => WORDS.contains(&id.as_str()) || network.reserves(&id),
        _ => matches!(page.id, Id::NameOrMember(_)) && network.reserves(&id),
    }
}

/// The path of the canonical form.
fn path(page: &Page, segments: &[String], id: &str) -> String {
    let mut path = String::new();
    for (expected, segment) in
        page.template().split('/').zip(segments.iter().map(Some).chain(std::iter::repeat(None)))
    {
        if !path.is_empty() {
            path.push('/');
        }
        match expected {
            "*" => path.push_str(&encoded(&text::lower(segment.map_or("", String::as_str)))),
            expected => {
                let encoded_id = encoded(id);
                path.push_str(&expected.replace("{id}", &encoded_id));
            }
        }
    }
    path
}

/// The canonical form of a page on a host that is not in the table. It keeps all parts that may be
/// the name. `bare` says that the host alone names a person.
pub(super) fn elsewhere(address: &Address<'_>, bare: bool) -> Result<String, Invalid> {
    let mut canonical = address.host.to_string();
    for segment in address.segments()? {
        canonical.push('/');
        canonical.push_str(&encoded(&in_natural_case(&segment)));
    }
    let said: Vec<&str> =
        address.query.split('&').filter(|pair| !pair.is_empty() && !is_tracking(pair)).collect();
    let fragment = address.fragment.split(":~:").next().unwrap_or_default();
    let names = [said.join("&"), fragment.to_owned()];
    // If there is another address inside, either of the two could be meant.
    let inside = |text: &String| {
        let lower = text.to_ascii_lowercase();
        lower.contains("://") || lower.contains("%3a%2f") || lower.contains("%3a//") || lower.contains("www.")
    };
    if names.iter().any(inside) {
        return Err(Invalid::SocialAddressInside);
    }
    let is_named = canonical.len() > address.host.len() || names.iter().any(|name| !name.is_empty());
    if !is_named && !bare {
        return Err(Invalid::SocialWithoutProfile);
    }
    let [query, fragment] = names;
    if canonical.len() == address.host.len() && !(query.is_empty() && fragment.is_empty()) {
        canonical.push('/');
    }
    for (mark, name) in [('?', query), ('#', fragment)] {
        if !name.is_empty() {
            canonical.push(mark);
            canonical.push_str(&normal(&name));
        }
    }
    Ok(canonical)
}

/// The segment in lower case if it is a name, unchanged if it may be an id. The case of names does
/// not matter, but two ids can differ only in their case: `Ana-Lopez` is `ana-lopez`, and `aB3xY`
/// is not `ab3xy`.
fn in_natural_case(segment: &str) -> String {
    let composed = text::compose(segment);
    if is_name(&composed) { text::lower(&composed) } else { composed }
}

/// Whether `segment` is written like a name. Other segments may be ids, which mix cases, or mix
/// capitals and digits.
fn is_name(segment: &str) -> bool {
    let is_word = |word: &str| {
        let mut rest = word.chars().skip(1).filter(|c| c.is_alphabetic());
        let upper =
            rest.clone().all(char::is_uppercase) && word.chars().next().is_none_or(|c| !c.is_lowercase());
        upper || rest.all(|c| !c.is_uppercase())
    };
    let is_id = segment.contains(|c: char| c.is_ascii_digit()) && segment.contains(char::is_uppercase);
    !is_id && segment.split(|c: char| !c.is_alphanumeric()).all(is_word)
}

/// Whether `pair` is a query parameter that is only for tracking.
fn is_tracking(pair: &str) -> bool {
    let name = pair.split('=').next().unwrap_or_default().to_ascii_lowercase();
    TRACKING.iter().any(|known| match known.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == *known,
    })
}
