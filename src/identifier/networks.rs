//! The social networks that are known by name, and the few things peculiar to each. Facts only:
//! what is made of them is decided where addresses are read.

/// How a network uses the labels before its own name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subdomains {
    /// For languages, countries and devices: `uk.linkedin.com`, `m.facebook.com`.
    Views,
    /// For people: `ana.tumblr.com`.
    People,
}

/// A network and its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Network {
    pub(super) host: &'static str,
    pub(super) subdomains: Subdomains,
}

const fn views(host: &'static str) -> Network {
    Network { host, subdomains: Subdomains::Views }
}

const fn people(host: &'static str) -> Network {
    Network { host, subdomains: Subdomains::People }
}

/// Most frequent first: they are searched in order.
const NETWORKS: [Network; 46] = [
    views("linkedin.com"),
    views("facebook.com"),
    views("twitter.com"),
    views("x.com"),
    views("instagram.com"),
    views("github.com"),
    views("youtube.com"),
    views("tiktok.com"),
    views("xing.com"),
    views("pinterest.com"),
    views("crunchbase.com"),
    views("angel.co"),
    views("wellfound.com"),
    views("gitlab.com"),
    views("stackoverflow.com"),
    views("quora.com"),
    views("reddit.com"),
    views("threads.net"),
    views("threads.com"),
    views("fb.com"),
    views("linkedin.cn"),
    views("vk.com"),
    views("ok.ru"),
    views("t.me"),
    views("about.me"),
    views("linktr.ee"),
    views("behance.net"),
    views("dribbble.com"),
    views("vimeo.com"),
    views("soundcloud.com"),
    views("twitch.tv"),
    views("snapchat.com"),
    views("flickr.com"),
    views("gravatar.com"),
    views("researchgate.net"),
    views("bsky.app"),
    views("mastodon.social"),
    views("keybase.io"),
    views("producthunt.com"),
    people("medium.com"),
    people("tumblr.com"),
    people("substack.com"),
    people("wordpress.com"),
    people("blogspot.com"),
    people("deviantart.com"),
    people("github.io"),
];

/// Hosts whose paths lead elsewhere, and say nothing by themselves.
const SHORT_LINKS: [&str; 8] =
    ["lnkd.in", "bit.ly", "t.co", "goo.gl", "tinyurl.com", "ow.ly", "buff.ly", "fb.me"];

/// The network that `host` belongs to, and the labels before the network's own name, without the
/// last dot. The case does not matter.
pub(super) fn of_host(host: &str) -> Option<(Network, &str)> {
    NETWORKS.iter().find_map(|network| {
        let (labels, name) = host.split_at_checked(host.len().checked_sub(network.host.len())?)?;
        if !name.eq_ignore_ascii_case(network.host) {
            return None;
        }
        match labels.strip_suffix('.') {
            Some(labels) => Some((*network, labels)),
            None if labels.is_empty() => Some((*network, "")),
            None => None,
        }
    })
}

/// Whether `host` (lower case) only shortens other addresses.
pub(super) fn is_short_link(host: &str) -> bool {
    SHORT_LINKS.contains(&host)
}

/// Whether a label before a network's name only chooses a language, a country or a device.
pub(super) fn is_view(label: &str) -> bool {
    is_device(label)
        || matches!(label, "touch" | "mbasic" | "web" | "lite")
        || match label.as_bytes() {
            [a, b] => a.is_ascii_alphabetic() && b.is_ascii_alphabetic(),
            [a, b, b'-' | b'_', c, d] => [a, b, c, d].into_iter().all(u8::is_ascii_alphabetic),
            _ => false,
        }
}

/// Whether a label says the same on any host.
pub(super) fn is_device(label: &str) -> bool {
    matches!(label, "www" | "m" | "mobile")
}
