//! Pages that lead to other addresses: data only.

/// A page that redirects, or that asks the visitor to sign in first. The host may begin with a dot,
/// and then stands for every host below it. Next come the start of the path and the parameters that
/// contain the target.
#[derive(Debug)]
pub(super) struct Redirect {
    pub(super) host: &'static str,
    pub(super) path: &'static str,
    pub(super) parameters: &'static [&'static str],
}

const fn redirect(host: &'static str, path: &'static str, parameters: &'static [&'static str]) -> Redirect {
    Redirect { host, path, parameters }
}

/// The parameters in which sign-in pages keep their target.
#[rustfmt::skip] // a table
const NEXT: &[&str] = &[
    "session_redirect", "sessionRedirect", "redirect_after_login", "redirect_uri", "redirect_url", "redirect",
    "next", "continue", "return_to", "returnTo", "return", "url", "u",
];

/// The pages with their target in a parameter, network by network.
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
    redirect(".safelinks.protection.office365.us", "", &["url"]),
    redirect("urldefense.proofpoint.com", "v1/", &["u"]),
    redirect("clicktime.symantec.com", "", &["u"]),
    redirect(".trendmicro.com", "wis/clicktime", &["url"]),
    redirect("protect2.fireeye.com", "", &["u"]),
    redirect("link.edgepilot.com", "", &["u"]),
    redirect("statics.teams.cdn.office.net", "", &["url"]),
    redirect("link.zhihu.com", "", &["target"]),
    redirect("l.wl.co", "", &["u"]),
    redirect("instagram.com", "linkshim", &["u"]),
    redirect("mailtrack.io", "trace/link/", &["url"]),
    redirect("bing.com", "ck/", &["r"]),
    redirect("away.vk.com", "", &["to"]),
    redirect("exit.sc", "", &["url"]),
    redirect("web.archive.org", "", &[]),
];

/// A page that has its target in its path.
#[derive(Debug)]
pub(super) struct PathRedirect {
    pub(super) host: &'static str,
    pub(super) path: &'static str,
    /// The text before the target and the text after it.
    pub(super) around: (&'static str, &'static str),
    pub(super) spelling: Spelling,
}

/// How the target is written in the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    /// Unchanged, or percent-encoded.
    Plain,
    /// Unchanged, except that each character that mail programs break is a `*`. Those characters
    /// stand at the end of the link.
    Starred,
    /// With `-3A` for `%3A` and `_` for `/`.
    Dashed,
}

const fn in_path(
    host: &'static str,
    path: &'static str,
    around: (&'static str, &'static str),
    spelling: Spelling,
) -> PathRedirect {
    PathRedirect { host, path, around, spelling }
}

/// The pages with their target in the path: services that check or count the links in
/// e-mails.
pub(super) const PATH_REDIRECTS: &[PathRedirect] = &[
    in_path("urldefense.com", "v3/", ("__", "__;"), Spelling::Starred),
    in_path("urldefense.us", "v3/", ("__", "__;"), Spelling::Starred),
    in_path("urldefense.proofpoint.com", "v3/", ("__", "__;"), Spelling::Starred),
    in_path("urldefense.proofpoint.com", "v2/url?", ("u=", "&"), Spelling::Dashed),
    in_path("protect.checkpoint.com", "v2/", ("___", "___."), Spelling::Plain),
    in_path("url.avanan.click", "v2/", ("___", "___."), Spelling::Plain),
    in_path("click.pstmrk.it", "", ("/", "/"), Spelling::Plain),
    in_path("secure-web.cisco.com", "", ("/", ""), Spelling::Plain),
];
