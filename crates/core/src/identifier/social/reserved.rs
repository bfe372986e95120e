//! Words of each network that stand in the place of a name: data only. `photo#` is `photo` followed
//! by digits; `#` is only digits. The words of [`WORDS`](super::lists::WORDS) are not names on any
//! network.

#[rustfmt::skip] // a table
pub(super) const LINKEDIN: &[&str] = &[
    "ad", "ads", "advice", "article", "articles", "authwall", "badges", "campaignmanager", "cap",
    "checkpoint", "comm", "company", "company-beta", "developers", "dir", "directory", "edu", "embed",
    "events", "feed", "games", "groups", "help", "hiring", "hp", "incareer", "jobs", "learning", "legal",
    "li", "linkedin", "linkedin.com", "lite", "litms", "m", "messaging", "mobile", "mwlite", "mynetwork",
    "newsletters", "notifications", "oauth", "opportunities", "organization", "people", "posts", "premium",
    "profile-unavailable", "profinder", "psettings", "pub", "public-profile", "pulse", "recruiter", "redir",
    "reg", "safety", "salary", "sales", "sales-navigator", "school", "search", "services", "sharearticle",
    "sharing", "showcase", "slink", "start", "talent", "title", "today", "topic", "trk", "uas", "university",
    "voyager",
];

#[rustfmt::skip] // a table
pub(super) const FACEBOOK: &[&str] = &[
    "ad_campaign", "ads_manager", "adsmanager", "adsmanager.php", "ajax", "app_scoped_user_id", "appcenter",
    "audience_network", "backstage", "badges", "birthdays", "bookmarks", "buddylist", "bugnub",
    "business_help", "campaign", "ccv", "certification", "chat", "citizenship_hub", "climatescienceinfo",
    "connect", "cookie", "cookies", "covid-support", "creators", "creatorstudio", "crisisresponse",
    "deactivate", "donate", "dyi", "editaccount", "electioncenter", "elections", "emotionalhealth", "event",
    "facebook", "fantasy_games", "favorites", "feeds", "find-friends", "findfriends", "flx", "friend",
    "friendlists", "friends", "friendship", "fundraiser", "fundraisers", "games", "gaming", "giftcards", "gp",
    "group", "hacked", "help.php", "home.php", "identity", "index.php", "info", "instantgames", "invite",
    "invites", "l.facebook.com", "l.php", "like", "like.php", "likes", "lists", "lite", "login.php",
    "lookaside", "marketplace", "media", "media_set", "memories", "messenger_media", "meta-verified",
    "most_recent", "movies", "muted", "n", "nearby", "notes", "notices", "nt", "ocelot", "oculus", "offers",
    "onthisday", "page", "pay", "payments", "people_you_may_know", "peoplepractices", "permalink.php",
    "permissions", "pg", "photo", "photo.php", "pixel", "places", "platform", "plugins", "pokes",
    "policies_center", "policy", "privacy_center", "privacycenter", "professional_dashboard", "profile.php",
    "promos", "r", "r.php", "recover", "reg", "rooms", "rsrc.php", "saved", "saved_posts", "sem_campaigns",
    "share.php", "sharer.php", "shops", "short_videos", "story.php", "subscribe", "subscriptions",
    "suggestions", "support_inbox", "survey", "t", "timeline", "todayinhistory", "town_hall", "townhall",
    "translations", "ufi", "unsupportedbrowser", "v2.0", "valentines", "videocalls",
    "voting_information_center", "watchparty", "weather", "wellbeing", "whitehat", "workplace", "xti.php",
    "zero",
];

#[rustfmt::skip] // a table
pub(super) const X: &[&str] = &[
    "account_analytics", "activity", "articles", "blue_signup", "bookmarks", "chat", "communities",
    "community", "compose", "connect_people", "creator-studio", "direct_messages", "downloads",
    "external_login", "favorites", "favourites", "follower_requests", "goodies", "grok", "hashtags",
    "identity", "imprint", "inbox", "intents", "invitations", "lists", "logged_out", "mentions", "moments",
    "monetization", "muted_keywords", "personalization", "premium", "premium_sign_up", "premium_tab",
    "replies", "retweets", "safety", "saved_searches", "search-advanced", "search-home", "sessions",
    "similar_to", "spaces", "statuses", "superfollows", "tweetbutton", "tweets", "twitter_blue",
    "verified-choose", "verified-orgs-signup", "verified_followers", "verify", "who_to_follow", "widgets",
];

#[rustfmt::skip] // a table
pub(super) const INSTAGRAM: &[&str] = &[
    "_n", "_u", "ads_tools", "ajax", "android", "ar", "ar_filters", "archive", "audio", "badges", "blocked",
    "branded_content", "challenge", "charity", "close_friends", "create", "developer", "direct", "direct_v2",
    "djangoadmin", "download_data", "ei", "emails", "emailsignup", "fbsurvey", "fxcal", "graphql", "guide",
    "guides", "hacked", "igtv", "inbox", "invite", "invites", "language", "languages", "lite", "locations",
    "logging", "media", "meta_verified", "nametag", "notification", "oembed", "oembed.json",
    "professional_dashboard", "professional_tools", "publicapi", "push", "qp", "qr", "reposts", "s", "saved",
    "session", "session_expired", "sharedfiles", "suggested", "supervision", "threads", "topic",
    "topical_explore", "tv", "unsupported_browser", "usertags", "verification", "verify", "your_activity",
];

#[rustfmt::skip] // a table
pub(super) const GITHUB: &[&str] = &[
    "advisories", "ai", "articles", "case-studies", "changelog", "cla", "codespaces", "collections",
    "contact-sales", "cookbook", "copilot", "customer-stories", "customer-terms", "dashboard", "devops",
    "discussions", "edit-profile", "edu", "education", "educators", "enterprise", "enterprises", "features",
    "fork", "gist", "gists", "git-guides", "github-copilot", "github-models", "global-campus", "hackathons",
    "homework", "hosting", "import", "inbox", "industry", "innersource", "integrations", "internal",
    "invitations", "issues", "learn", "licenses", "logos", "maintenance", "markdown", "marketplace", "mobile",
    "models", "network", "newsroom", "nonprofit", "nonprofits", "open-source", "organization",
    "organizations", "orgs", "partners", "password_reset", "plans", "platform", "premium-support", "projects",
    "pull-requests", "pulls", "readme", "readme-project", "recommendations", "redeem", "releases",
    "repositories", "resources", "roadmap", "search-advanced", "security-advisories", "security-lab",
    "sessions", "showcases", "signout", "site", "solutions", "spark", "sponsors", "stafftools", "starred",
    "stars", "startups", "students", "suggest", "suspended", "sustainability", "talks", "team", "teams",
    "training", "trust-center", "universe", "watching", "why-github", "wiki", "wikis", "workflows",
];

#[rustfmt::skip] // a table
pub(super) const YOUTUBE: &[&str] = &[
    "account_advanced", "account_billing", "account_notifications", "account_playback", "account_privacy",
    "account_sharing", "ad_companions", "advertise", "adwords", "all_comments", "analytics",
    "attribution_link", "audiolibrary", "browse", "c", "channel", "channels", "charts", "clip", "comment",
    "comment_servlet", "comments", "copyright_complaint_form", "creator-music", "creatorhub",
    "creatorresponsibility", "creators", "dashboard", "dev", "device", "devicesupport", "educator", "embed",
    "family", "featured", "feeds", "gallery", "gaming", "generate_204", "get_video_info", "go_live",
    "howyoutubeworks", "hype", "iframe_api", "impact", "insight", "kids", "leanback", "learning", "live_chat",
    "live_dashboard", "lp", "merch", "movies", "music", "music_premium", "musicpremium", "my_favorites",
    "myaccount", "new_default_playlist", "oops", "originals", "paid_memberships", "parent_approve",
    "pay_invoice", "playables", "playlist", "playlists", "podcasting", "podcasts", "post", "premium",
    "productions", "profile_redirector", "progressive_load", "purchases", "redirect", "rental_activation",
    "report_history", "reporthistory", "results", "s", "s_a", "shorts", "shows", "source_code", "sports",
    "studio", "subscribe_embed", "subscription_center", "superchat", "supported_browsers", "t", "testtube",
    "timedtext", "topic", "trends", "trueview", "tv", "tvunlimited", "unavailable_video", "unlimited",
    "user_agreement", "v", "verify", "verify_phone_number", "video_response_upload", "view_play_list",
    "watch_as3", "watch_fragments_ajax", "watch_popup", "watch_queue", "watch_videos", "yearinreview",
    "your_data", "youtubego", "youtubei", "youtubepremium", "yt", "yt2020", "yt_audio_library",
    "ytscreeningroom",
];

#[rustfmt::skip] // a table
pub(super) const PINTEREST: &[&str] = &[
    "_", "_created", "_profile", "_saved", "_tools", "ads-manager", "advertise", "analytics", "board",
    "boards", "browser-button", "bulk_create", "business-access", "conversion", "convert-business", "create",
    "creator-hub", "csr", "edit_profile", "email", "email_preferences", "follow_tag", "guidelines",
    "homefeed", "ideas", "invited", "landing", "news_hub", "oembed", "password", "pin", "pin-builder",
    "pin-creation-tool", "pin_builder", "pins", "pinterest-predicts", "product_pins", "resource",
    "scheduled_pins", "shop_the_look", "shopping", "source", "story_pin", "today", "topic", "trends", "tv",
    "verify_email", "visual-search",
];

#[rustfmt::skip] // a table
pub(super) const GITLAB: &[&str] = &[
    "-", "abuse_reports", "admin", "assets", "ci", "confirm_email", "dashboard", "favicon.ico", "files",
    "gitlab-ci", "health_check", "import", "invites", "jwt", "koding", "merge_requests", "notes", "projects",
    "repository", "robots.txt", "s", "sent_notifications", "services", "sitemap.xml",
    "slash-command-logo.png", "snippets", "todos", "unicorn_test", "unsubscribes", "uploads", "v2",
];

#[rustfmt::skip] // a table
pub(super) const BITBUCKET: &[&str] = &[
    "addons", "administration", "atlassian", "build", "dashboard", "integrations", "marketplace", "product",
    "pull-requests", "repo", "repositories", "site", "snippets", "socialauth", "teams", "whats-new",
    "workspaces", "xhr",
];

#[rustfmt::skip] // a table
pub(super) const VK: &[&str] = &[
    "al_im.php", "album", "album#", "albums", "albums#", "app#", "app_center", "apps#", "article#", "artist#",
    "audio", "audio#", "audio_playlist#", "audio_playlists", "audios", "audios#", "away.php", "blank.php",
    "board", "board#", "bookmarks", "call#", "calls", "chat#", "chats", "clip#", "clips", "clips#", "club",
    "club#", "club_create", "community", "dev", "doc#", "docs", "docs#", "donut", "edit_profile", "editapp",
    "event", "event#", "fan", "faq", "fave", "faves", "friends", "friends_online", "game#", "games", "gifts",
    "gim", "gim#", "im", "im#", "im_history", "invite", "join_club#", "landings", "link#", "login.php",
    "mail", "market", "market#", "market_item#", "market_place", "menu", "mini-apps", "miniapps", "mobile",
    "money", "movies", "music", "music#", "note", "note#", "notes", "notes#", "page", "page#", "page-#",
    "pay", "payments", "photo", "photo#", "photos#", "place#", "places", "playlist#", "podcast", "podcast#",
    "podcasts", "podcasts#", "poll", "poll#", "product#", "promo", "promocode", "public#", "referral",
    "restore", "reviews#", "services", "services_catalog", "share.php", "stats", "sticker", "sticker#",
    "stickers", "stickers#", "story", "story#", "story_#", "streaming", "superapp", "tag#", "tasks", "team",
    "testers", "topic#", "transfer", "uslugi", "uslugi#", "verify", "video#", "videos#", "vk", "vkmusic",
    "vkpay", "vkvideo", "vmoji", "wall", "wall#", "widget", "widgets", "workspaces", "write", "write#",
];

#[rustfmt::skip] // a table
pub(super) const OK: &[&str] = &[
    "album#", "app", "appsmarket#", "bookmarks", "cdk", "discussions", "dk", "event#", "friends", "game",
    "games", "gif", "gifts", "group", "group#", "guests", "hobby", "holidays", "invite", "mail", "mall",
    "market", "marks", "moderator", "music", "ok", "online", "payment", "payments", "pfq", "photo#", "play",
    "portal", "post#", "profile#", "promo", "radio", "services", "stickers", "streams", "top", "topic#", "tv",
    "ugc", "url", "valentines", "video#", "vitrine", "znakomstva",
];

#[rustfmt::skip] // a table
pub(super) const TELEGRAM: &[&str] = &[
    "a", "addemoji", "addlist", "addstickers", "addtheme", "bg", "boost", "c", "confirmphone", "giftcode",
    "invoice", "iv", "joinchat", "k", "m", "nft", "proxy", "s", "setlanguage", "socks", "stars", "startapp",
    "telegrampassport", "z",
];

#[rustfmt::skip] // a table
pub(super) const ABOUT_ME: &[&str] = &[
    "about.me", "backstage", "claim", "contact-us", "custom_domain", "design", "domains", "email-signature",
    "examples", "faq", "features", "get_started", "invite", "page", "premium", "pro", "signature", "site",
    "spotlight", "templates", "tips", "upgrade", "verify",
];

#[rustfmt::skip] // a table
pub(super) const LINKTREE: &[&str] = &[
    "admin", "affiliate", "analytics", "charities", "collabs", "creator-report", "earn", "enterprise",
    "features", "forgot-password", "forgot-username", "integrations", "learn", "link-in-bio",
    "link-shortener", "linktree", "marketplace", "monetize", "partners", "password-reset", "plans", "pro",
    "product", "products", "qr-code", "qr-code-generator", "reset-password", "resources", "s", "select-plan",
    "shops", "social", "social-planner", "solutions", "start", "templates", "tools", "trust", "trust-center",
    "verified", "verify", "wrapped",
];

#[rustfmt::skip] // a table
pub(super) const BEHANCE: &[&str] = &[
    "adobe", "adobelive", "appreciation", "assets", "behance", "challenges", "collection", "collections",
    "curatorial", "dailychallenge", "dev", "error", "featured", "fieldsets", "freelance", "galleries",
    "gallery", "graphic-design", "hire", "inbox", "invite", "isp", "joblist", "joblistings", "learn", "misc",
    "moodboard", "moodboards", "nft", "notice", "onboarding", "organization", "portfolio", "postjob",
    "premium", "pro", "projects", "purchases", "resume_builder", "schools", "sso", "stats", "subscriptions",
    "talent", "tools", "v2", "verify", "webby", "workshops", "yourwork",
];

#[rustfmt::skip] // a table
pub(super) const DRIBBBLE: &[&str] = &[
    "advertise", "brand-designers", "branding", "brands", "buckets", "case-studies", "collections", "colors",
    "courses", "design-jobs", "designers", "digital-product-design", "education", "freelance-jobs",
    "freelancers", "goods", "handbook", "hire", "hire-designers", "hiring", "integrations", "leads", "learn",
    "logo", "logo-design", "marketplace", "meetups", "overtime", "podcast", "pro", "pro-business",
    "product-design", "project-briefs", "projects", "request", "resources", "scheduled", "session", "shots",
    "site", "talent", "teams", "typography", "ui-design", "web-design", "workshops", "year-in-review",
];

#[rustfmt::skip] // a table
pub(super) const VIMEO: &[&str] = &[
    "#", "album", "analytics", "business-video", "channels", "compare-plans", "cookie_policy", "couchmode",
    "create", "creatives", "customers", "dmca", "embed", "enterprise", "event", "everywhere", "facebook",
    "features", "folder", "for-hire", "forgot_password", "guidelines", "hubspot", "inbox", "integrations",
    "interactive", "invite", "job", "kyc", "library", "livestream", "log_in", "log_out", "magazine", "make",
    "manage", "marketing", "marketplace", "music", "musicstore", "ondemand", "ott", "player", "players",
    "plus", "pro", "production", "professionals", "project", "purchases", "record", "redeem", "resources",
    "review", "roku", "school", "screen-recorder", "showcase", "solutions", "staffpicks", "stats", "stock",
    "subscriptions", "tools", "transcode", "trust", "tutorials", "tv", "upgrade", "venues", "video-editor",
    "video_school", "vimeopro", "vod", "watch-later", "watchlater", "webinar", "webinars",
];

#[rustfmt::skip] // a table
pub(super) const SOUNDCLOUD: &[&str] = &[
    "artist-plans", "artists", "buckle", "charts", "checkout", "community-guidelines", "connect",
    "cookies-policy", "creatorguide", "dashboard", "emails", "exclusive", "featured", "for-artists",
    "getstarted", "gift", "go", "imprint", "insights", "invite", "library", "listening-history", "logos",
    "mastering", "mobile", "music-partners", "n", "navigation", "partner", "payment", "plus-plans", "premier",
    "pro", "rights", "sets", "signout", "soundcloud-go", "stream", "student", "subscriptions", "suggested",
    "terms-of-use", "tour", "tracks", "upgrade", "verify", "you", "your-sounds",
];

#[rustfmt::skip] // a table
pub(super) const TWITCH: &[&str] = &[
    "activate", "ad-free", "bits", "broadcast", "charity", "collections", "creatorcamp", "dashboard",
    "downloads", "drops", "embed", "event", "extensions", "friends", "getdesktop", "inventory", "kraken",
    "manage_account", "partner", "partners", "passport", "payments", "popout", "prime", "products", "redeem",
    "referral", "s", "sessions", "stream-manager", "subs", "subscriptions", "team", "teams", "transactions",
    "turbo", "twitchcon", "u", "vod", "wallet", "year_in_review",
];

#[rustfmt::skip] // a table
pub(super) const GRAVATAR: &[&str] = &[
    "avatar", "bulk", "change-primary", "claim", "connect", "data-export", "domains", "emails", "enterprise",
    "gallery", "gravatar", "hovercard", "hovercards", "images", "implement", "import", "integrations", "link",
    "links", "manage", "profiles", "qr", "resources", "sdk", "service", "services", "site", "siteimages",
    "use-cases", "userimage", "verified-accounts", "wallet",
];

#[rustfmt::skip] // a table
pub(super) const ORCID: &[&str] = &[
    "2fa-signin", "ambassadors", "consortia", "content", "contributors", "deactivations", "delegators",
    "developer-tools", "documentation", "inbox", "institutional-signin", "license", "member-list", "members",
    "memberships", "my-orcid", "organization", "organizations", "reset-password", "statistics",
    "trusted-parties", "userinfo",
];

#[rustfmt::skip] // a table
pub(super) const KEYBASE: &[&str] = &[
    "_", "chat", "decrypt", "docs", "encrypt", "files", "getstarted", "install", "inv", "kbfs", "lumens",
    "popular-teams", "sigchain", "stellar", "team", "teams", "tor", "tracking", "transparency", "verify",
    "webclient",
];

#[rustfmt::skip] // a table
pub(super) const PATREON: &[&str] = &[
    "app", "becomepatron", "bepatron", "brand", "c", "campaigns", "cc", "checkout", "collections", "commerce",
    "community-guidelines", "create", "creator", "creator-resources", "creatorhub", "creators", "dashboard",
    "europe", "fan-funding", "faq", "features", "for", "for-creators", "gift", "gifting", "gifts",
    "guidelines", "homepage", "insights", "invite", "library", "m", "manage", "marketplace", "members",
    "membership", "memberships", "nda", "onboarding", "partners", "payouts", "pledges", "podcasters",
    "policy", "portal", "product", "products", "purchases", "redeem", "referral", "relationships", "rewards",
    "selling", "start", "toolbox", "transparency", "updates", "verify", "visual-artists", "youtubers",
    "zendesk",
];

#[rustfmt::skip] // a table
pub(super) const KAGGLE: &[&str] = &[
    "benchmarks", "c", "code", "community", "community-competitions", "competitions", "contact-us", "cookies",
    "dataset", "datasets", "discussions", "docs", "games", "getting-started", "host", "inclass",
    "kaggle-survey", "kernels", "kernels-only", "learn", "m", "meta", "model", "models", "notebook",
    "notebooks", "organizations", "product-announcements", "product-feedback", "progress", "progression",
    "questions-and-answers", "rankings", "scripts", "simulations", "solutions", "static", "survey", "team",
    "teams", "your-work",
];

#[rustfmt::skip] // a table
pub(super) const HUGGINGFACE: &[&str] = &[
    "agents", "agents-course", "amazon-sagemaker", "autotrain", "bucket", "buckets", "changelog", "chat",
    "code-of-conduct", "collections", "content-guidelines", "content-policy", "course", "datasets", "docs",
    "email-confirmation", "endpoints", "enterprise", "enterprise-hub", "expert-support", "huggingchat",
    "huggingface-js", "inference", "inference-api", "inference-endpoints", "inference-providers", "infinity",
    "join-us", "kernels", "landing", "languages", "leaderboards", "learn", "libraries", "metrics", "models",
    "new-dataset", "new-space", "notification-settings", "organisation", "organization", "organizations",
    "papers", "playground", "services", "spaces", "spaces-launch", "storage", "subscribe", "task", "tasks",
    "teams", "terms-of-service", "trackio", "training-cluster", "wiki",
];

#[rustfmt::skip] // a table
pub(super) const DEV: &[&str] = &[
    "admin", "articles", "badge", "badges", "billboards", "bookmarks", "challenges", "code-of-conduct",
    "comments", "community-moderation", "connect", "contributors", "credits", "dashboard", "delayed_jobs",
    "enter", "faq", "followings", "forem", "guidelines", "infinity", "internal", "latest", "listing",
    "listings", "manage", "members", "mod", "moderation", "month", "onboarding", "organizations", "page",
    "partnerships", "pod", "podcasts", "reading", "readinglist", "reports", "robots", "series",
    "software-comparisons", "sponsors", "stripe_subscriptions", "subforems", "swags", "t", "top", "trophy",
    "week", "year",
];

#[rustfmt::skip] // a table
pub(super) const WEIBO: &[&str] = &[
    "ajax", "at", "attitude", "comment", "d", "detail", "fav", "friends", "hot", "huati", "like", "login.php",
    "mygroups", "n", "newlogin", "place", "pub", "set", "show", "sorry", "svip", "topic", "ttarticle", "tv",
    "u", "unread", "vip", "visitor",
];

#[rustfmt::skip] // a table
pub(super) const TUMBLR: &[&str] = &[
    "abuse", "activity", "at", "blaze", "changes", "communities", "connect", "customize", "dashboard", "docs",
    "domains", "edit-blog", "gifts", "icons", "inbox", "invite", "liked", "likes", "logos", "lost_password",
    "mega-editor", "onboarding", "payment", "post", "preferences", "premium", "queue", "reblog",
    "recommended", "replies", "review-queue", "spotlight", "submissions", "subscriptions", "svc", "tagged",
    "theme", "themes", "timeline", "tips", "tumblrmart", "tv", "verify", "widgets",
];

#[rustfmt::skip] // a table
pub(super) const DEVIANTART: &[&str] = &[
    "about-us", "adoptables", "artists", "browse", "chat", "checkout", "collections", "commissions", "core",
    "core-members", "core-membership", "critiques", "customization", "daily-deviation", "daily-deviations",
    "daily_deviations", "dashboard", "dds", "deviations", "drawplz", "dreamup", "embed", "error", "fan-art",
    "faq", "forum", "forums", "gallery", "gifts", "history", "journal", "journals", "latest", "literature",
    "mail", "manage-subscriptions", "marketplace", "members", "morelikethis", "muro", "myaffiliates",
    "newest", "photography", "points", "polls", "popular-all-time", "portfolio", "prints", "psds",
    "randomdeviation", "recent", "recommended", "rockedout", "services", "sta.sh", "stash", "statistics",
    "studio", "submit", "subscriptions", "team", "today", "top", "topic", "undiscovered", "wallpaper",
    "watchfeed", "whats-hot", "wix",
];
