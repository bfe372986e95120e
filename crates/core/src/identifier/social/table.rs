//! The known social networks: data only. They are searched in this order, so the most frequent ones
//! come first. `docs/reference/identifiers.md` shows this table; a test compares the two.

use super::networks::More::{Anything, Only, Subpages};
use super::networks::Subdomains::{Accounts, People, Services, Views};
use super::networks::View::{self, Countries, LanguagesExcept, Locales, Named};
use super::networks::{Id, More, Network, Page, page};
use super::reserved;

/// Letters and digits, alone or with the marks that most networks allow.
const PLAIN: Id = Id::Handle("");
const DASH: Id = Id::Handle("-");
const UNDERSCORE: Id = Id::Handle("_");
const USUAL: Id = Id::Handle("._-");
/// LinkedIn derives these ids from people's names, so nearly any character is possible.
const LINKEDIN: Id = Id::NameOrMember("-_.'%+~!()*");

/// Tabs of a profile. They show another part of the same page.
#[rustfmt::skip] // a table
const TABS: More = Only(&[
    "_created", "_pins", "_saved", "_shop", "about", "about_contact_and_basic_info", "about_details",
    "about_family_and_relationships", "about_life_events", "about_overview", "about_places", "about_profile_transparency",
    "about_work_and_education", "activity", "affiliates", "albums", "answers", "articles", "channels", "collections",
    "comments", "community", "courses", "events", "feed", "featured", "follower", "followers", "following", "friends",
    "friends_all", "friends_mutual", "gallery", "groups", "guides", "highlights", "join", "likes", "lists", "live", "map", "media",
    "membership", "mentions", "music", "overview", "photo", "photos", "photos_albums", "photos_all", "photos_by",
    "photos_of", "photos_stream", "pins", "playlists", "podcasts", "popular-tracks", "posts", "profile", "questions",
    "reels", "reels_tab", "releases", "replies", "reposts", "reviews", "saved", "schedule", "search", "sets", "shorts",
    "shots", "sports", "store", "streams", "submitted", "superlatives", "tagged", "topics", "tracks", "videos",
    "videos_by", "videos_of", "with_replies",
]);

/// Pages of profiles whose names follow a word of the network.
#[rustfmt::skip] // a table
const PAGES: More = Subpages(&[
    "about", "activities", "activity", "answers", "contacts", "contributions", "cv", "followers", "following", "network",
    "portfolio", "posts", "publications", "questions", "research", "signals_and_news", "stats", "timeline", "topics",
    "web_profiles",
]);

#[rustfmt::skip] // a table
const LINKEDIN_PAGES: More = Subpages(&[
    "add-edit", "background-image", "certifications", "contact-info", "courses", "detail", "details", "edit", "education",
    "experience", "featured", "followers", "following", "honors", "interests", "languages", "member-photo", "multiple-media-viewer",
    "opportunities", "opportunity", "overlay", "patents", "photo", "posts", "profile-picture", "projects", "publications",
    "recent-activity", "recommendations", "services", "single-media-viewer", "skills", "treasury", "videos", "volunteering",
]);

const fn network(
    name: &'static str,
    hosts: &'static [&'static str],
    pages: &'static [Page],
    reserved: &'static [&'static str],
) -> Network {
    Network { name, hosts, subdomains: Services, pages, reserved }
}

impl Network {
    /// The network with subdomains that are views of the same pages.
    const fn viewed(self, views: &'static [View]) -> Self {
        Self { subdomains: Views(views), ..self }
    }

    /// The network with a subdomain for each person.
    const fn hosted(self) -> Self {
        Self { subdomains: People, ..self }
    }

    /// As [`hosted`](Self::hosted), if this page belongs to the same account.
    const fn hosted_as(self, page: Page) -> Self {
        Self { subdomains: Accounts(page), ..self }
    }
}

#[rustfmt::skip] // a table
pub(super) const NETWORKS: &[Network] = &[
    network(
        "LinkedIn",
        &["linkedin.com", "linkedin.cn"],
        &[
            page("in/in/{id}", LINKEDIN).to("in/{id}"),
            page("in/{id}", LINKEDIN).then(LINKEDIN_PAGES),
            page("comm/in/{id}", LINKEDIN).to("in/{id}").then(LINKEDIN_PAGES),
            page("m/in/{id}", LINKEDIN).to("in/{id}").then(LINKEDIN_PAGES),
            page("mwlite/in/{id}", LINKEDIN).to("in/{id}").then(LINKEDIN_PAGES),
            page("mwlite/profile/in/{id}", LINKEDIN).to("in/{id}").then(LINKEDIN_PAGES),
            page("incareer/in/{id}", LINKEDIN).to("in/{id}").then(LINKEDIN_PAGES),
            page("sales/lead/{id}", Id::Member).to("in/{id}").then(Anything),
            page("sales/people/{id}", Id::Member).to("in/{id}").then(Anything),
            page("talent/profile/{id}", Id::Member).then(Anything),
            page("recruiter/profile/{id}", Id::Number).then(Anything),
            page("pub/{id}/*/*/*", LINKEDIN).then(Anything),
            page("pub/{id}", LINKEDIN),
        ],
        reserved::LINKEDIN,
    )
    .viewed(&[Countries, Named(&["touch"])]),
    network(
        "Facebook",
        &["facebook.com", "fb.com", "fb.me", "m.me", "messenger.com"],
        &[
            page("profile.php?id={id}", Id::Number).to("{id}"),
            page("people/*/{id}", Id::Number).to("{id}").then(TABS),
            page("groups/*/user/{id}", Id::Number).to("{id}"),
            page("t/{id}", Id::Handle(".")).to("{id}"),
            page("{id}", Id::Handle(".-")).then(TABS),
        ],
        reserved::FACEBOOK,
    )
    .viewed(&[LanguagesExcept(&["an", "br", "cs", "ia", "ig", "is", "lb", "tr"]), Locales, Named(&["touch", "mbasic", "web", "d", "lite", "free"])]),
    network(
        "X (Twitter)",
        &["twitter.com", "x.com"],
        &[
            page("intent/user?screen_name={id}", UNDERSCORE).to("{id}"),
            page("intent/follow?screen_name={id}", UNDERSCORE).to("{id}"),
            page("intent/user?user_id={id}", Id::Number).to("i/user/{id}"),
            page("intent/follow?user_id={id}", Id::Number).to("i/user/{id}"),
            page("i/user/{id}", Id::Number),
            page("@{id}", UNDERSCORE).to("{id}").then(TABS),
            page("{id}", UNDERSCORE).then(TABS),
        ],
        reserved::X,
    ),
    network(
        "Instagram",
        &["instagram.com", "instagr.am"],
        &[
            page("_u/{id}", Id::Handle("._")).to("{id}"),
            page("@{id}", Id::Handle("._")).to("{id}").then(TABS),
            page("{id}", Id::Handle("._")).then(TABS),
        ],
        reserved::INSTAGRAM,
    ),
    network(
        "GitHub",
        &["github.com"],
        &[page("{id}", DASH), page("sponsors/{id}", DASH).to("{id}")],
        reserved::GITHUB,
    ),
    network(
        "YouTube",
        &["youtube.com"],
        &[
            page("channel/{id}", Id::Exact("UC")).then(TABS),
            page("@{id}", Id::Name("._-·")).then(TABS),
            page("c/{id}", Id::Name("._-")).then(TABS),
            page("user/{id}", USUAL).then(TABS),
            page("{id}", USUAL).then(TABS),
        ],
        reserved::YOUTUBE,
    )
    .viewed(&[Named(&["br", "de", "es", "fr", "gaming", "ie", "it", "jp", "music", "nl", "pl", "uk"])]),
    network("TikTok", &["tiktok.com"], &[page("@{id}", Id::Handle("._")).then(TABS)], &[]),
    network(
        "XING",
        &["xing.com"],
        &[
            page("profile/{id}", Id::Name("._-")).then(PAGES),
            page("profiles/{id}", Id::Name("._-")).to("profile/{id}").then(PAGES),
        ],
        &[],
    ),
    network(
        "Pinterest",
        &[
            "pinterest.com", "pinterest.at", "pinterest.ca", "pinterest.ch", "pinterest.cl", "pinterest.co.kr",
            "pinterest.co.uk", "pinterest.com.au", "pinterest.com.mx", "pinterest.de", "pinterest.dk",
            "pinterest.es", "pinterest.fr", "pinterest.ie", "pinterest.it", "pinterest.jp", "pinterest.nz",
            "pinterest.ph", "pinterest.pt", "pinterest.se",
        ],
        &[page("{id}", UNDERSCORE).then(TABS)],
        reserved::PINTEREST,
    )
    .viewed(&[Countries]),
    network("Crunchbase", &["crunchbase.com"], &[page("person/{id}", Id::Name("-_")).then(PAGES)], &[]),
    network(
        "Wellfound (AngelList)",
        &["wellfound.com", "angel.co"],
        &[page("u/{id}", Id::Name("-_")), page("p/{id}", Id::Name("-_")).to("u/{id}")],
        &[],
    ),
    network(
        "GitLab",
        &["gitlab.com"],
        &[page("{id}", USUAL), page("u/{id}", USUAL).to("{id}")],
        reserved::GITLAB,
    ),
    network(
        "Bitbucket",
        &["bitbucket.org"],
        &[page("{id}", Id::Handle("_-"))],
        reserved::BITBUCKET,
    ),
    network("Stack Overflow", &["stackoverflow.com"], &[page("users/{id}", Id::Number).then(Anything)], &[]),
    network("Quora", &["quora.com"], &[page("profile/{id}", Id::Name("-_.")).then(PAGES)], &[]),
    network(
        "Reddit",
        &["reddit.com"],
        &[
            page("user/{id}", Id::Handle("_-")).then(Anything),
            page("u/{id}", Id::Handle("_-")).to("user/{id}").then(Anything),
        ],
        &[],
    )
    .viewed(&[LanguagesExcept(&["id"]), Named(&["amp", "i", "new", "np", "old", "sh"])]),
    network("Threads", &["threads.net", "threads.com"], &[page("@{id}", Id::Handle("._")).then(TABS)], &[]),
    network(
        "VK",
        &["vk.com", "vkontakte.ru", "vk.ru"],
        &[page("{id}", Id::Handle("_."))],
        reserved::VK,
    ),
    network(
        "Odnoklassniki",
        &["ok.ru", "odnoklassniki.ru"],
        &[page("profile/{id}", Id::Number).then(Anything), page("{id}", Id::Handle("._-"))],
        reserved::OK,
    ),
    network(
        "Telegram",
        &["t.me", "telegram.me", "telegram.dog"],
        &[page("s/{id}", UNDERSCORE).to("{id}"), page("{id}", UNDERSCORE)],
        reserved::TELEGRAM,
    ),
    network("about.me", &["about.me"], &[page("{id}", USUAL)], reserved::ABOUT_ME),
    network("Linktree", &["linktr.ee"], &[page("{id}", USUAL)], reserved::LINKTREE),
    network(
        "Behance",
        &["behance.net"],
        &[page("{id}", Id::Handle("_-")).then(TABS)],
        reserved::BEHANCE,
    ),
    network(
        "Dribbble",
        &["dribbble.com"],
        &[page("{id}", Id::Handle("_-")).then(TABS)],
        reserved::DRIBBBLE,
    ),
    network(
        "Vimeo",
        &["vimeo.com"],
        &[page("{id}", Id::Handle("_-")).then(TABS)],
        reserved::VIMEO,
    ),
    network(
        "SoundCloud",
        &["soundcloud.com"],
        &[page("{id}", Id::Handle("_-")).then(TABS)],
        reserved::SOUNDCLOUD,
    ),
    network(
        "Twitch",
        &["twitch.tv"],
        &[page("{id}", UNDERSCORE).then(TABS)],
        reserved::TWITCH,
    ),
    network(
        "Snapchat",
        &["snapchat.com"],
        &[page("add/{id}", USUAL), page("@{id}", USUAL).to("add/{id}")],
        &[],
    ),
    network(
        "Flickr",
        &["flickr.com"],
        &[page("people/{id}", Id::Handle("@_-")), page("photos/{id}", Id::Handle("@_-")).to("people/{id}")],
        &["tags", "search"],
    ),
    network("Gravatar", &["gravatar.com"], &[page("{id}", Id::Handle("_-"))], reserved::GRAVATAR)
        .viewed(&[LanguagesExcept(&[])]),
    network(
        "ResearchGate",
        &["researchgate.net"],
        &[page("profile/{id}", Id::Name("-_.")).then(PAGES)],
        &[],
    ),
    network("ORCID", &["orcid.org"], &[page("{id}", DASH)], reserved::ORCID),
    network(
        "Bluesky",
        &["bsky.app"],
        &[
            page("profile/{id}", Id::Handle(".-:")).then(TABS),
            page("profile/@{id}", Id::Handle(".-")).to("profile/{id}").then(TABS),
        ],
        &[],
    ),
    network(
        "mastodon.social",
        &["mastodon.social"],
        &[
            page("@{id}", Id::Handle("_@.-")).then(TABS),
            page("users/{id}", Id::Handle("_@.-")).to("@{id}").then(TABS),
        ],
        &[],
    ),
    network("Keybase", &["keybase.io"], &[page("{id}", UNDERSCORE)], reserved::KEYBASE),
    network("Product Hunt", &["producthunt.com"], &[page("@{id}", Id::Handle("_-")).then(TABS)], &[]),
    network(
        "Patreon",
        &["patreon.com"],
        &[page("c/{id}", UNDERSCORE).to("{id}").then(TABS), page("{id}", UNDERSCORE).then(TABS)],
        reserved::PATREON,
    ),
    network(
        "Kaggle",
        &["kaggle.com"],
        &[page("{id}", PLAIN).then(TABS)],
        reserved::KAGGLE,
    ),
    network(
        "Hugging Face",
        &["huggingface.co"],
        &[page("{id}", USUAL)],
        reserved::HUGGINGFACE,
    ),
    network(
        "DEV",
        &["dev.to"],
        &[page("{id}", UNDERSCORE)],
        reserved::DEV,
    ),
    network(
        "Weibo",
        &["weibo.com", "weibo.cn"],
        &[page("u/{id}", Id::Number), page("n/{id}", Id::Name("_-")), page("{id}", UNDERSCORE)],
        reserved::WEIBO,
    ),
    network(
        "Google Scholar",
        &[
            "scholar.google.com", "scholar.google.ae", "scholar.google.at", "scholar.google.be",
            "scholar.google.bg", "scholar.google.ca", "scholar.google.ch", "scholar.google.cl",
            "scholar.google.co.id", "scholar.google.co.il", "scholar.google.co.in", "scholar.google.co.jp",
            "scholar.google.co.kr", "scholar.google.co.nz", "scholar.google.co.th", "scholar.google.co.uk",
            "scholar.google.co.za", "scholar.google.com.ar", "scholar.google.com.au", "scholar.google.com.br",
            "scholar.google.com.co", "scholar.google.com.eg", "scholar.google.com.hk",
            "scholar.google.com.mx", "scholar.google.com.my", "scholar.google.com.pe",
            "scholar.google.com.ph", "scholar.google.com.pk", "scholar.google.com.sa",
            "scholar.google.com.sg", "scholar.google.com.tr", "scholar.google.com.tw",
            "scholar.google.com.ua", "scholar.google.com.vn", "scholar.google.cz", "scholar.google.de",
            "scholar.google.dk", "scholar.google.es", "scholar.google.fi", "scholar.google.fr",
            "scholar.google.gr", "scholar.google.hr", "scholar.google.hu", "scholar.google.ie",
            "scholar.google.it", "scholar.google.lt", "scholar.google.lv", "scholar.google.nl",
            "scholar.google.no", "scholar.google.pl", "scholar.google.pt", "scholar.google.ro",
            "scholar.google.rs", "scholar.google.ru", "scholar.google.se", "scholar.google.si",
            "scholar.google.sk",
        ],
        &[page("citations?user={id}", Id::Exact(""))],
        &[],
    ),
    // Both forms: help.medium.com/hc/en-us/articles/360051364454, read 2026-11-30. A hyphen in the host may stand for
    // a character that hosts do not have.
    network("Medium", &["medium.com"], &[page("@{id}", Id::Handle("._-")).then(TABS)], &[])
        .hosted_as(page("@{id}", PLAIN)),
    network(
        "Tumblr",
        &["tumblr.com"],
        &[page("blog/view/{id}", DASH).to("{id}"), page("{id}", DASH)],
        reserved::TUMBLR,
    )
    .hosted_as(page("{id}", DASH)),
    network("Substack", &["substack.com"], &[page("@{id}", Id::Handle("_-")).then(TABS)], &[]).hosted(),
    network("WordPress.com", &["wordpress.com"], &[], &[]).hosted(),
    network("Blogger", &["blogspot.com"], &[], &[]).hosted(),
    // The hosts redirect to the pages since 2018-05-29 (deviantart.com/betatesters, read 2026-11-30).
    network("DeviantArt", &["deviantart.com"], &[page("{id}", DASH).then(TABS)], reserved::DEVIANTART)
        .hosted_as(page("{id}", DASH)),
    network("GitHub Pages", &["github.io"], &[], &[]).hosted(),
];
