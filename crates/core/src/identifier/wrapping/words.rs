//! Words beside an address: names, labels and remarks.

use std::borrow::Cow;

use crate::identifier::inference::names_network;
use crate::identifier::text;

/// The most characters of a label.
const LABEL: usize = 40;

/// Schemes. They are part of the value and not labels, although a colon follows them.
const SCHEMES: [&str; 10] = ["http", "https", "ftp", "tel", "callto", "sms", "sip", "sips", "xmpp", "skype"];

/// Words that are labels even without a colon.
const LABELS: [&str; 14] = [
    "e-mail",
    "email",
    "mail",
    "fax",
    "handy",
    "linkedin",
    "mobile",
    "phone",
    "profile",
    "tel",
    "telefon",
    "telephone",
    "url",
    "website",
];

/// Words for an address that stand before a colon.
#[rustfmt::skip] // a table
const MAIL: [&str; 38] = [
    "bcc", "cc", "contact", "contacto", "correo", "courriel", "e", "email", "emails", "epost", "from", "kontakt", "mail",
    "mailto", "mails", "mél", "pec", "post", "posta", "reply", "sender", "smtp", "sähköposti", "to", "адрес", "почта",
    "メール", "メールアドレス", "电子邮件", "电子邮箱", "邮件", "邮箱", "邮箱地址", "電子郵件", "電郵", "郵箱", "이메일", "이메일주소",
];

/// Words beside them.
#[rustfmt::skip] // a table
const MAIL_KINDS: [&str; 25] = [
    "address", "adresse", "alternate", "business", "company", "corporate", "customer", "electronico", "electrónico", "home", "id",
    "main", "new", "office", "official", "other", "personal", "primary", "privat", "private", "professional", "school",
    "secondary", "user", "work",
];

/// Whether `text` contains an e-mail address or a web address.
pub(super) fn has_address(text: &str) -> bool {
    text.contains('@') || text.contains("://") || text.split([' ', '(', '<', '[', '"']).any(names_network)
}

/// Removes a name beside an address, in any of the forms below.
pub(super) fn name(text: &str) -> Option<Cow<'_, str>> {
    bracketed(text).or_else(|| symbol(text)).or_else(|| before(text))
}

/// Removes a symbol: `📧 ana@acme.example`.
fn symbol(text: &str) -> Option<Cow<'_, str>> {
    let (symbol, rest) = text.split_once(' ')?;
    let is_symbol = symbol.chars().all(|c| !c.is_ascii() && !c.is_alphanumeric() && !text::is_mark(c));
    is_symbol.then(|| Cow::Borrowed(rest.trim_start()))
}

/// Removes words before an address: `Ana Lopez, ana@acme.example`. Without the comma, the address
/// must contain a part of the name. Otherwise the words could be part of the address, as in `ana
/// lopez@acme.example`.
fn before(text: &str) -> Option<Cow<'_, str>> {
    let (words, address) = text.rsplit_once(' ')?;
    let (local, _) = address.split_once('@')?;
    let local = local.to_lowercase();
    let name: Vec<&str> = words.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    let is_word = |word: &&str| {
        word.starts_with(char::is_uppercase)
            && word
                .chars()
                .all(|c| c.is_alphabetic() || matches!(c, '-' | '.' | '\'' | '’') || text::is_mark(c))
    };
    let is_named = |word: &&str| word.chars().count() > 2 && local.contains(&word.to_lowercase());
    let apart = words.ends_with(',') && name.len() > 1;
    // A colon ends a label, which may be the whole name.
    (!local.contains(':') && name.iter().all(is_word) && (apart || name.iter().any(is_named)))
        .then_some(Cow::Borrowed(address))
}

/// Replaces words that stand for `@` and `.`: `ana[at]acme[dot]example`, `ana (at) acme.example`.
pub(super) fn at_in_words(text: &str) -> Option<Cow<'_, str>> {
    if text.contains(['@', '/']) {
        return None;
    }
    let plain = with_marks(text)?;
    (plain.matches('@').count() == 1 && !plain.contains([' ', '(', '[', '{'])).then_some(Cow::Owned(plain))
}

/// The text in lower case, with `@` and `.` for the words in brackets that stand for them. `None` if it has none.
#[must_use]
pub fn with_marks(text: &str) -> Option<String> {
    // Most texts have no brackets.
    memchr::memchr3(b'[', b'(', b'{', text.as_bytes())?;
    let begins = |(at, _)| {
        text.get(at + 1..).is_some_and(|rest| {
            ["at", "dot"].iter().any(|word| {
                text::strip_prefix_ci(rest, word).is_some_and(|rest| rest.starts_with([']', ')', '}']))
            })
        })
    };
    let marked = |text: String, word: &str, mark: &str| {
        [('[', ']'), ('(', ')'), ('{', '}')].iter().fold(text, |text, (open, close)| {
            let word = format!("{open}{word}{close}");
            text.split(&word).map(str::trim).collect::<Vec<_>>().join(mark)
        })
    };
    let is_one = text.match_indices(['[', '(', '{']).any(begins);
    is_one.then(|| marked(marked(text.to_lowercase(), "at", "@"), "dot", "."))
}

/// Removes a name when it or the address is in brackets or quotes: `Ana (ana@acme.example)`, `Ana
/// <ana@acme.example>`, `ana@acme.example (Ana)`, `"Ana" ana@acme.example`.
fn bracketed(text: &str) -> Option<Cow<'_, str>> {
    if let Some((name, rest)) = text.strip_prefix('"').and_then(|rest| rest.split_once("\" "))
        && !has_address(name)
        && has_address(rest)
        && !rest.starts_with(['@', '<'])
    {
        return Some(Cow::Borrowed(rest));
    }
    [('<', '>'), ('(', ')'), ('[', ']'), ('{', '}')].iter().find_map(|&(open, close)| {
        let (outside, inside, blank) = if let Some(rest) = text.strip_suffix(close) {
            let (outside, inside) = rest.rsplit_once(open)?;
            (outside.trim_end(), inside, outside.ends_with(' '))
        } else {
            let (inside, outside) = text.strip_prefix(open)?.split_once(close)?;
            (outside.trim_start(), inside, outside.starts_with(' '))
        };
        if outside.is_empty() {
            return None;
        }
        let name = outside.trim_matches(['"', '\'', ' ']);
        match (has_address(outside), has_address(inside)) {
            (false, true) => Some(inside),
            // After a page of an unknown host, the brackets may be part of the name.
            (true, false) if blank && (outside.contains('@') || is_network_page(outside)) => Some(outside),
            (true, true) if name.eq_ignore_ascii_case(inside.trim()) => Some(inside),
            _ => None,
        }
        .map(Cow::Borrowed)
    })
}

/// Whether `text` is an address on a known network.
fn is_network_page(text: &str) -> bool {
    let address = text.split_once("://").map_or(text, |(_, address)| address);
    names_network(text::strip_prefix_ci(address, "www.").unwrap_or(address))
}

/// The part of `Ana Lopez | https://…` or `https://… - Ana` that is an address, if all other parts
/// are words.
pub(super) fn parts(text: &str) -> Option<Cow<'_, str>> {
    for mark in ["|", " - ", " – ", " — ", " · ", " • ", " / ", " => ", " -> ", " → ", " » "] {
        if !text.contains(mark) {
            continue;
        }
        let mut addresses = text.split(mark).map(str::trim).filter(|part| has_address(part));
        let address = addresses.next()?;
        let is_words = |part: &str| part.bytes().filter(u8::is_ascii_digit).count() < 5;
        let others = text.split(mark).map(str::trim).filter(|part| !has_address(part)).all(is_words);
        return (others && addresses.all(|other| other == address)).then_some(Cow::Borrowed(address));
    }
    None
}

/// Removes a label: `LinkedIn: …`, `E-mail (work): …`, `"email": …`, `phone=…`; and words before
/// `https://`.
pub(super) fn label(text: &str) -> Option<Cow<'_, str>> {
    if let Some((label, rest)) = text.split_once(':')
        && is_property(label)
    {
        return Some(Cow::Borrowed(rest.trim_start()));
    }
    if let Some((before, _)) = text.split_once("://") {
        let start = before.rfind(|c: char| !c.is_ascii_alphabetic()).map_or(0, |at| at + 1);
        let words = text.get(..start)?;
        let is_words = !words.is_empty() && !has_address(words) && !words.contains(['/', '?', '%', '\\']);
        let apart = words.ends_with([' ', ':', '=', '-', '(', '[', '"', '\'', '>']);
        return (is_words && apart && words.chars().count() <= LABEL)
            .then(|| text.get(start..).map(Cow::Borrowed))
            .flatten();
    }
    let Some((label, rest)) = text.split_once(':') else { return bare_label(text) };
    let label = label.trim_end_matches(['"', '\'', ' ']);
    let is_part = |c: char| c.is_alphabetic() || " ._-/&'()".contains(c) || text::is_mark(c);
    let is_label = label.starts_with(char::is_alphabetic)
        && label.chars().count() <= LABEL
        && label.chars().all(is_part)
        // A host is not a label: `linkedin.com:443/…`.
        && !label.trim_end_matches('.').contains('.')
        && !SCHEMES.iter().any(|scheme| label.eq_ignore_ascii_case(scheme));
    if is_label && !rest.starts_with("//") && !may_be_password(text, label, rest) {
        Some(Cow::Borrowed(rest.trim_start()))
    } else {
        bare_label(text)
    }
}

/// Whether `text` may be a user, a password and a host, as in `ana:secret@acme.example`. Then `secret@acme.example` is
/// nobody's address, or a stranger's.
fn may_be_password(text: &str, label: &str, rest: &str) -> bool {
    let is_known = || {
        let lower = label.to_lowercase();
        let mut words = lower.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
        // The name of a user has no blank.
        label.contains(' ')
            || words.all(|word| MAIL.contains(&word) || MAIL_KINDS.contains(&word) || word.contains("mail"))
    };
    let is_joined =
        !rest.starts_with([' ', '<', '(', '[', '"', '“']) && text.as_bytes().get(label.len()) == Some(&b':');
    // In `YouTube:youtube.com/@ana`, the @ is a part of the path.
    let is_of_host = rest.find('@').is_some_and(|at| !rest.get(..at).unwrap_or_default().contains('/'));
    is_joined && is_of_host && text::strip_prefix_ci(rest, "mailto:").is_none() && !is_known()
}

/// Whether `label` is a vCard property with a group or parameters (RFC 6350): `item1.EMAIL`,
/// `TEL;TYPE=CELL`.
fn is_property(label: &str) -> bool {
    const NAMES: [&str; 6] = ["EMAIL", "IMPP", "SOCIALPROFILE", "TEL", "URL", "X-SOCIALPROFILE"];
    let name = label.split(';').next().unwrap_or_default();
    let name = name.split_once('.').map_or(name, |(_, name)| name);
    name.len() < label.len() && NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Removes a label that no colon follows: `Email ana@acme.example`, `phone=+12015550123`.
fn bare_label(text: &str) -> Option<Cow<'_, str>> {
    let (word, rest) = text.split_once(['=', ' '])?;
    let is_label = LABELS.iter().any(|label| word.eq_ignore_ascii_case(label));
    is_label.then(|| Cow::Borrowed(rest.trim_start_matches(['=', ' '])))
}
