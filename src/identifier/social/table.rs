//! The social networks that are known: data only. They are searched in this order, so the most frequent come
//! first. `docs/identifiers.md` has this as a table; a test compares the two.

use super::networks::More::{Anything, Only};
use super::networks::Subdomains::{People, Views};
use super::networks::{Id, More, Network, Page, page};

/// Letters and digits alone, and with the marks that most allow.
const PLAIN: Id = Id::Handle("");
const DASH: Id = Id::Handle("-");
const UNDERSCORE: Id = Id::Handle("_");
const USUAL: Id = Id::Handle("._-");
/// LinkedIn derives these names from people's own names, so nearly any character is possible.
const LINKEDIN: Id = Id::NameOrMember("-_.'%/+~!$()*:@");

/// Tabs of a profile: the same page, another part of it.
#[rustfmt::skip] // a table
const TABS: More = Only(&[
    "about", "activity", "community", "featured", "followers", "following", "friends", "highlights", "likes",
    "live", "media", "photo", "photos", "playlists", "posts", "profile", "reels", "replies", "shorts", "streams",
    "tagged", "videos", "with_replies",
]);

const fn network(
    name: &'static str,
    hosts: &'static [&'static str],
    pages: &'static [Page],
    reserved: &'static [&'static str],
) -> Network {
    Network { name, hosts, subdomains: Views, pages, reserved }
}

const fn hosted(name: &'static str, hosts: &'static [&'static str], pages: &'static [Page]) -> Network {
    Network { name, hosts, subdomains: People, pages, reserved: &[] }
}

#[rustfmt::skip] // a table
pub(super) const NETWORKS: &[Network] = &[
    network(
        "LinkedIn",
        &["linkedin.com", "linkedin.cn"],
        &[
            page("in/in/{id}", LINKEDIN).to("in/{id}"),
            page("in/{id}", LINKEDIN).then(Anything),
            page("comm/in/{id}", LINKEDIN).to("in/{id}").then(Anything),
            page("m/in/{id}", LINKEDIN).to("in/{id}").then(Anything),
            page("mwlite/in/{id}", LINKEDIN).to("in/{id}").then(Anything),
            page("mwlite/profile/in/{id}", LINKEDIN).to("in/{id}").then(Anything),
            page("incareer/in/{id}", LINKEDIN).to("in/{id}").then(Anything),
            page("sales/lead/{id}", Id::Member).to("in/{id}").then(Anything),
            page("sales/people/{id}", Id::Member).to("in/{id}").then(Anything),
            page("talent/profile/{id}", Id::Member).then(Anything),
            page("recruiter/profile/{id}", Id::Number).then(Anything),
            page("pub/{id}/*/*/*", LINKEDIN).then(Anything),
            page("pub/{id}", LINKEDIN),
        ],
        &["dir"],
    ),
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
        &[
            "bookmarks", "gaming", "l.php", "login.php", "marketplace", "media", "permalink.php", "pg", "photo.php",
            "home.php", "index.php", "plugins", "r.php", "recover", "reg", "story.php", "t", "photo", "memories",
            "saved", "ad_campaign", "campaign", "fundraisers", "lite", "hashtag", "places", "flx", "n", "v2.0",
        ],
    ),
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
        &[
            "compose", "who_to_follow", "bookmarks", "lists", "personalization", "widgets", "statuses",
            "logged_out",
        ],
    ),
    network(
        "Instagram",
        &["instagram.com", "instagr.am"],
        &[
            page("_u/{id}", Id::Handle("._")).to("{id}"),
            page("@{id}", Id::Handle("._")).to("{id}").then(TABS),
            page("{id}", Id::Handle("._")).then(TABS),
        ],
        &[
            "direct", "tv", "s", "challenge", "emails", "session", "ar", "lite", "_u", "_n", "fxcal", "developer",
        ],
    ),
    network(
        "GitHub",
        &["github.com"],
        &[page("{id}", DASH), page("sponsors/{id}", DASH).to("{id}")],
        &[
            "collections", "codespaces", "copilot", "customer-stories", "enterprise", "features", "issues",
            "marketplace", "orgs", "organizations", "pulls", "readme", "site", "solutions", "sponsors", "stars",
            "team", "dashboard", "gist", "resources", "premium-support", "mobile",
        ],
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
        &[
            "attribution_link", "c", "channel", "clip", "channels", "creators", "embed", "gaming", "kids", "music",
            "playlist", "premium", "redirect", "results", "shorts", "subscription_center", "t", "v", "yt", "post",
        ],
    ),
    network("TikTok", &["tiktok.com"], &[page("@{id}", Id::Handle("._")).then(TABS)], &[]),
    network(
        "XING",
        &["xing.com"],
        &[
            page("profile/{id}", Id::Name("._-")).then(Anything),
            page("profiles/{id}", Id::Name("._-")).to("profile/{id}").then(Anything),
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
        &["ideas", "pin", "today", "board", "boards", "source", "resource", "_saved", "_created"],
    ),
    network("Crunchbase", &["crunchbase.com"], &[page("person/{id}", Id::Name("-_")).then(Anything)], &[]),
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
        &["admin", "dashboard", "import", "projects", "snippets", "-"],
    ),
    network(
        "Bitbucket",
        &["bitbucket.org"],
        &[page("{id}", Id::Handle("_-"))],
        &["dashboard", "product", "repo", "snippets", "workspaces"],
    ),
    network("Stack Overflow", &["stackoverflow.com"], &[page("users/{id}", Id::Number).then(Anything)], &[]),
    network("Quora", &["quora.com"], &[page("profile/{id}", Id::Name("-_.")).then(Anything)], &[]),
    network(
        "Reddit",
        &["reddit.com"],
        &[
            page("user/{id}", Id::Handle("_-")).then(Anything),
            page("u/{id}", Id::Handle("_-")).to("user/{id}").then(Anything),
        ],
        &[],
    ),
    network("Threads", &["threads.net", "threads.com"], &[page("@{id}", Id::Handle("._")).then(TABS)], &[]),
    network(
        "VK",
        &["vk.com", "vkontakte.ru", "vk.ru"],
        &[page("{id}", Id::Handle("_."))],
        &[
            "audio", "away.php", "clips", "docs", "feed", "friends", "im", "market", "services", "wall", "video",
            "al_im.php", "share.php",
        ],
    ),
    network(
        "Odnoklassniki",
        &["ok.ru", "odnoklassniki.ru"],
        &[page("profile/{id}", Id::Number).then(Anything), page("{id}", Id::Handle("._-"))],
        &["dk", "game", "group", "music", "profile", "online"],
    ),
    network(
        "Telegram",
        &["t.me", "telegram.me", "telegram.dog"],
        &[page("s/{id}", UNDERSCORE).to("{id}"), page("{id}", UNDERSCORE)],
        &[
            "addstickers", "c", "iv", "joinchat", "proxy", "s", "socks", "addtheme", "addlist", "boost",
            "setlanguage", "bg",
        ],
    ),
    network("about.me", &["about.me"], &[page("{id}", USUAL)], &[]),
    network("Linktree", &["linktr.ee"], &[page("{id}", USUAL)], &["admin", "s"]),
    network(
        "Behance",
        &["behance.net"],
        &[page("{id}", Id::Handle("_-")).then(TABS)],
        &["gallery", "galleries", "joblist", "assets", "hire", "pro", "portfolio"],
    ),
    network(
        "Dribbble",
        &["dribbble.com"],
        &[page("{id}", Id::Handle("_-")).then(TABS)],
        &["shots", "designers", "hiring", "teams", "goods", "tags", "learn", "pro", "session"],
    ),
    network(
        "Vimeo",
        &["vimeo.com"],
        &[page("{id}", Id::Handle("_-")).then(TABS)],
        &["channels", "categories", "ondemand", "manage", "features", "showcase", "album", "solutions"],
    ),
    network(
        "SoundCloud",
        &["soundcloud.com"],
        &[page("{id}", Id::Handle("_-")).then(TABS)],
        &["charts", "discover", "stream", "you", "pro", "mobile", "imprint"],
    ),
    network(
        "Twitch",
        &["twitch.tv"],
        &[page("{id}", UNDERSCORE).then(TABS)],
        &["directory", "downloads", "p", "turbo", "prime", "subscriptions", "inventory", "wallet", "drops"],
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
    network("Gravatar", &["gravatar.com"], &[page("{id}", Id::Handle("_-"))], &["avatar", "profiles"]),
    network(
        "ResearchGate",
        &["researchgate.net"],
        &[page("profile/{id}", Id::Name("-_.")).then(Anything)],
        &[],
    ),
    network("ORCID", &["orcid.org"], &[page("{id}", DASH)], &["organizations", "my-orcid", "inbox"]),
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
    network("Keybase", &["keybase.io"], &[page("{id}", UNDERSCORE)], &["docs", "team", "install"]),
    network("Product Hunt", &["producthunt.com"], &[page("@{id}", Id::Handle("_-")).then(TABS)], &[]),
    network(
        "Patreon",
        &["patreon.com"],
        &[page("c/{id}", UNDERSCORE).to("{id}").then(TABS), page("{id}", UNDERSCORE).then(TABS)],
        &["c", "creators", "product", "bePatron", "checkout", "policy"],
    ),
    network(
        "Kaggle",
        &["kaggle.com"],
        &[page("{id}", PLAIN).then(TABS)],
        &["code", "competitions", "datasets", "learn", "models", "docs", "discussions"],
    ),
    network(
        "Hugging Face",
        &["huggingface.co"],
        &[page("{id}", USUAL)],
        &["datasets", "docs", "models", "spaces", "enterprise", "chat", "papers", "learn", "tasks"],
    ),
    network(
        "DEV",
        &["dev.to"],
        &[page("{id}", UNDERSCORE)],
        &["t", "enter", "pod", "listings", "challenges", "top", "latest"],
    ),
    network(
        "Weibo",
        &["weibo.com", "weibo.cn"],
        &[page("u/{id}", Id::Number), page("n/{id}", Id::Name("_-")), page("{id}", UNDERSCORE)],
        &["u", "n", "hot", "tv", "ajax", "newlogin"],
    ),
    network("Google Scholar", &["scholar.google.com"], &[page("citations?user={id}", Id::Exact(""))], &[]),
    hosted("Medium", &["medium.com"], &[page("@{id}", Id::Handle("._-")).then(TABS)]),
    hosted("Tumblr", &["tumblr.com"], &[page("blog/view/{id}", DASH).to("{id}"), page("{id}", DASH)]),
    hosted("Substack", &["substack.com"], &[page("@{id}", Id::Handle("_-")).then(TABS)]),
    hosted("WordPress.com", &["wordpress.com"], &[]),
    hosted("Blogger", &["blogspot.com"], &[]),
    hosted("DeviantArt", &["deviantart.com"], &[page("{id}", DASH).then(TABS)]),
    hosted("GitHub Pages", &["github.io"], &[]),
];
