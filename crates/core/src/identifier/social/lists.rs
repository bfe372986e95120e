//! Words that are not names, hosts that have no profiles, and tracking parameters: data only.

/// Words that are never a person's name: placeholders of programs, and pages of the user's own
/// profile.
#[rustfmt::skip] // a table
pub(super) const JUNK: &[&str] = &[
    "edit", "firstname", "firstname-lastname", "http", "https", "in", "lastname", "login", "mailto", "me", "n-a",
    "n.a", "n_a", "na", "nan", "no-linkedin", "nolinkedin", "none", "not-available", "not-found", "notavailable",
    "notfound", "null", "profile", "profile-name", "profilename", "signup", "tbd", "unavailable", "undefined",
    "unknown", "username", "username-here", "view", "www", "your-linkedin", "your-linkedin-profile", "your-name",
    "your-profile", "your-username", "your_name", "your_username", "yourlinkedin", "yourname", "yourprofile",
    "yourusername",
];

/// First path segments that are not names on any network.
#[rustfmt::skip] // a table
pub(super) const WORDS: &[&str] = &[
    "about", "account", "accounts", "ads", "api", "apps", "auth", "blog", "business", "careers", "categories",
    "checkpoint", "company", "contact", "developers", "dialog", "directory", "discover", "download", "events",
    "explore", "feed", "feedback", "following", "followers", "groups", "hashtag", "help", "home", "i", "index",
    "intent", "jobs", "join", "legal", "live", "logout", "messages", "messaging", "mynetwork", "new", "news",
    "notifications", "oauth", "p", "pages", "people", "photos", "policies", "popular", "posts", "press", "pricing",
    "privacy", "public", "reel", "reels", "register", "search", "security", "settings", "share", "sharer", "shop",
    "signin", "sitemap", "status", "stories", "store", "support", "tag", "tags", "terms", "topics", "tos",
    "trending", "upload", "user", "users", "video", "videos", "watch", "web", "welcome",
];

/// Hosts where a path is either a profile's name or the code of a short link: `fb.me/ana.lopez` is
/// a profile, `fb.me/3AbX9` is not.
pub(super) const NAMES_AND_CODES: &[&str] = &["fb.me"];

/// Search engines. Their pages are not profiles. `x.*` means `x` in all countries.
#[rustfmt::skip] // a table
pub(super) const SEARCHES: &[&str] = &[
    "google.*", "bing.com", "duckduckgo.com", "yahoo.com", "search.yahoo.com", "yandex.*", "baidu.com",
    "ecosia.org", "startpage.com", "search.brave.com", "qwant.com",
];

/// Parameters that say where a visitor came from, and nothing about the person. An entry that ends
/// with `*` is the start of a name. Taken from the lists of Firefox, Brave and `ClearURLs`.
#[rustfmt::skip] // a table
pub(super) const TRACKING: &[&str] = &[
    "utm_*", "mtm_*", "pk_*", "hsa_*", "_hs*", "__hs*", "mkt_tok", "fbclid", "gclid", "gclsrc", "gbraid", "wbraid",
    "dclid", "msclkid", "yclid", "ymclid", "twclid", "ttclid", "igshid", "igsh", "li_fat_id", "mc_cid", "mc_eid",
    "mibextid", "_ga", "_gl", "_ke", "vero_id", "vero_conv", "oly_anon_id", "oly_enc_id", "rb_clickid", "s_cid",
    "wickedid", "srsltid", "epik", "trk", "trkemail", "trackingid", "lipi", "lici", "midtoken", "midsig",
    "originalsubdomain", "ref_src", "ref_url",
];

/// Subdomains that belong to the network itself, on networks that have a subdomain for each person.
#[rustfmt::skip] // a table
pub(super) const OWN_LABELS: &[&str] = &[
    "api", "app", "assets", "blog", "business", "cdn", "developers", "docs", "help", "mail", "policy", "static",
    "status", "support", "www",
];
