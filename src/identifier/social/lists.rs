//! Words that are not names, hosts without profiles, addresses that lead to others, tracking parameters: data
//! only.

/// Words that are never a person's name: placeholders of programs, and the pages of one's own profile.
#[rustfmt::skip] // a table
pub(super) const JUNK: &[&str] = &[
    "edit", "in", "login", "me", "n-a", "na", "nan", "none", "null", "profile", "signup", "unavailable",
    "undefined", "unknown", "username", "view", "your-profile", "yourname", "yourprofile", "yourusername",
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

/// Hosts of short links, whose paths do not show where they lead.
#[rustfmt::skip] // a table
pub(super) const SHORT_LINKS: &[&str] = &[
    "lnkd.in", "bit.ly", "t.co", "goo.gl", "tinyurl.com", "ow.ly", "buff.ly", "youtu.be", "pin.it", "vm.tiktok.com",
    "vt.tiktok.com", "rb.gy", "cutt.ly", "is.gd", "t.ly", "redd.it", "bitly.com", "rebrand.ly", "shorturl.at",
    "g.co", "forms.gle", "dlvr.it", "hubs.ly", "trib.al", "db.tt", "fb.watch", "spoti.fi", "amzn.to", "page.link",
    "g.page",
];

/// Hosts of networks that have names and codes of short links under one address: `fb.me/ana.lopez` is a profile,
/// `fb.me/3AbX9` is not.
pub(super) const NAMES_AND_CODES: &[&str] = &["fb.me"];

/// Addresses that lead to another one, or stand before it until somebody signs in: host (with what may
/// stand before it, if it begins with a dot), the start of the path, and the parameters that hold the other.
#[derive(Debug)]
pub(super) struct Redirect {
    pub(super) host: &'static str,
    pub(super) path: &'static str,
    pub(super) parameters: &'static [&'static str],
}

const fn redirect(host: &'static str, path: &'static str, parameters: &'static [&'static str]) -> Redirect {
    Redirect { host, path, parameters }
}

/// Where sign-in pages keep what they lead to.
#[rustfmt::skip] // a table
const NEXT: &[&str] = &[
    "session_redirect", "sessionRedirect", "redirect_after_login", "redirect_uri", "redirect_url", "redirect",
    "next", "continue", "return_to", "returnTo", "return", "url", "u",
];

pub(super) const REDIRECTS: &[Redirect] = &[
    redirect("linkedin.com", "authwall", NEXT),
    redirect("linkedin.com", "login", NEXT),
    redirect("linkedin.com", "uas/", NEXT),
    redirect("linkedin.com", "checkpoint", NEXT),
    redirect("linkedin.com", "signup", NEXT),
    redirect("linkedin.com", "start", NEXT),
    redirect("linkedin.com", "hp", NEXT),
    redirect("linkedin.com", "m/login", NEXT),
    redirect("linkedin.com", "reg/", NEXT),
    redirect("linkedin.com", "safety/go", &["url"]),
    redirect("linkedin.com", "redir/", &["url"]),
    redirect("linkedin.com", "slink", &["url"]),
    redirect("facebook.com", "login", NEXT),
    redirect("facebook.com", "checkpoint", NEXT),
    redirect("facebook.com", "recover", NEXT),
    redirect("facebook.com", "l.php", &["u"]),
    redirect("facebook.com", "flx/warn", &["u"]),
    redirect("l.facebook.com", "", &["u"]),
    redirect("lm.facebook.com", "", &["u"]),
    redirect("l.instagram.com", "", &["u"]),
    redirect("l.messenger.com", "", &["u"]),
    redirect("l.threads.com", "", &["u"]),
    redirect("l.threads.net", "", &["u"]),
    redirect("instagram.com", "accounts/", NEXT),
    redirect("instagram.com", "challenge", NEXT),
    redirect("twitter.com", "i/flow", NEXT),
    redirect("twitter.com", "login", NEXT),
    redirect("twitter.com", "account/", NEXT),
    redirect("tiktok.com", "login", NEXT),
    redirect("youtube.com", "redirect", &["q"]),
    redirect("youtube.com", "signin", NEXT),
    redirect("accounts.google.com", "", &["continue", "followup"]),
    redirect("accounts.youtube.com", "", &["continue"]),
    redirect("consent.youtube.com", "", &["continue"]),
    redirect("consent.google.com", "", &["continue"]),
    redirect("github.com", "login", &["return_to"]),
    redirect("github.com", "join", &["return_to"]),
    redirect("gitlab.com", "users/sign_in", NEXT),
    redirect("pinterest.com", "login", NEXT),
    redirect("xing.com", "login", NEXT),
    redirect("login.xing.com", "", &["dest_url", "next", "redirect"]),
    redirect("reddit.com", "login", &["dest"]),
    redirect("out.reddit.com", "", &["url"]),
    redirect("vk.com", "away.php", &["to"]),
    redirect("vk.com", "login", &["to"]),
    redirect("google.*", "url", &["q", "url"]),
    redirect("google.*", "imgres", &["imgrefurl"]),
    redirect("translate.google.*", "", &["u"]),
    redirect(".safelinks.protection.outlook.com", "", &["url"]),
    redirect("duckduckgo.com", "l/", &["uddg"]),
    redirect("slack-redir.net", "link", &["url"]),
    redirect("t.umblr.com", "redirect", &["z"]),
    redirect("steamcommunity.com", "linkfilter", &["url", "u"]),
    redirect("linkprotect.cudasvc.com", "", &["a"]),
    redirect("bing.com", "ck/", &["r"]),
    redirect("away.vk.com", "", &["to"]),
    redirect("exit.sc", "", &["url"]),
    redirect("web.archive.org", "", &[]),
];

/// Search engines, whose pages are nobody's; `x.*` in all countries.
#[rustfmt::skip] // a table
pub(super) const SEARCHES: &[&str] = &[
    "google.*", "bing.com", "duckduckgo.com", "yahoo.com", "search.yahoo.com", "yandex.*", "baidu.com",
    "ecosia.org", "startpage.com", "search.brave.com", "qwant.com",
];

/// Parameters that say where somebody came from, and nothing of what the address names: a name, or its
/// start, if it ends with `*`. After the lists of Firefox, Brave and `ClearURLs`.
#[rustfmt::skip] // a table
pub(super) const TRACKING: &[&str] = &[
    "utm_*", "mtm_*", "pk_*", "hsa_*", "_hs*", "__hs*", "mkt_tok", "fbclid", "gclid", "gclsrc", "gbraid", "wbraid",
    "dclid", "msclkid", "yclid", "ymclid", "twclid", "ttclid", "igshid", "igsh", "li_fat_id", "mc_cid", "mc_eid",
    "mibextid", "_ga", "_gl", "_ke", "vero_id", "vero_conv", "oly_anon_id", "oly_enc_id", "rb_clickid", "s_cid",
    "wickedid", "srsltid", "epik", "trk", "trkemail", "trackingid", "lipi", "lici", "midtoken", "midsig",
    "originalsubdomain", "ref_src", "ref_url",
];

/// Subdomains of hosts with a subdomain for each person that belong to the network itself.
#[rustfmt::skip] // a table
pub(super) const OWN_LABELS: &[&str] = &[
    "api", "app", "assets", "blog", "business", "cdn", "developers", "docs", "help", "mail", "policy", "static",
    "status", "support", "www",
];
