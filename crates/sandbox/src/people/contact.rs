//! Writes contacts field by field into the buffer of the reply. They are nested as the service's
//! contacts are, with nulls, gaps and numbers in the same places.
//!
//! The order of the fields, and what can be null or missing, is part of what tests rely on. Two kinds of text
//! go through different methods: what is known to need no escapes (`raw`), and what comes from the request
//! (`text`).

use exactbuyer_core::identifier::FieldType;

use super::names::Name;
use super::{Draws, Outline, is_private, pools};

/// Writes JSON, piece by piece.
///
/// Its methods return the pen, so that calls can be chained.
pub(super) struct Pen<'a>(pub(super) &'a mut Vec<u8>);

impl Pen<'_> {
    /// Writes text that needs no escapes: keys, punctuation, and the entries of the pools.
    #[inline]
    fn raw(&mut self, text: &str) -> &mut Self {
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    /// Writes a whole number, in digits.
    fn number(&mut self, n: usize) -> &mut Self {
        self.0.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
        self
    }

    /// Writes `n` with two digits.
    fn two(&mut self, n: usize) -> &mut Self {
        if n < 10 {
            self.0.push(b'0');
        }
        self.number(n)
    }

    /// Writes any text as a JSON string.
    fn text(&mut self, text: &str) -> &mut Self {
        write_text(self.0, text);
        self
    }
}

/// Writes a JSON string with its quotes.
pub(crate) fn write_text(out: &mut Vec<u8>, text: &str) {
    let plain = !text.bytes().any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\');
    if plain {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        // Writing into a vector cannot fail.
        let _ = serde_json::to_writer(out, text);
    }
}

/// Writes the contact of one person.
///
/// The result is one JSON object. `draws` must be in the state that [`Outline::draw`] left.
pub(super) fn write_person(outline: &Outline<'_>, hash: u64, draws: &mut Draws, pen: &mut Pen<'_>) {
    let name = &Name::draw(draws, outline.spelling);
    let employer = draws.pick(&pools::COMPANIES);
    let job = draws.pick(&pools::JOBS);

    pen.raw(r#"{"id":"#).number(usize::try_from(hash >> 12).unwrap_or(0));
    write_name(name, draws, pen);
    pen.raw(r#","headline":""#).raw(job.0).raw(" at ").raw(employer.0).raw("\"");
    write_emails(outline, name, employer.1, draws, pen);
    write_phones(outline, draws, pen);
    write_profiles(outline, name, draws, pen);
    write_location(draws, pen);
    write_employment(employer, job, draws, pen);
    write_experiences(draws, pen);
    write_education(draws, pen);
    write_rest(draws, pen);
}

/// The middle name is null, missing or there.
fn write_name(name: &Name<'_>, draws: &mut Draws, pen: &mut Pen<'_>) {
    pen.raw(r#","full_name":""#).raw(&name.given).raw(" ").raw(&name.family);
    pen.raw(r#"","first_name":""#).raw(&name.given).raw("\"");
    // Null for most people, and missing for some, because clients meet both.
    match draws.below(6) {
        0 => pen.raw(r#","middle_name":"Jo""#),
        1 | 2 => pen,
        _ => pen.raw(r#","middle_name":null"#),
    };
    pen.raw(r#","last_name":""#).raw(&name.family).raw("\"");
    if draws.chance(0.9) {
        pen.raw(r#","gender":""#).raw(name.gender).raw("\"");
    } else {
        pen.raw(r#","gender":null"#);
    }
    if draws.chance(0.4) {
        let year = draws.number(1955, 47);
        pen.raw(r#","birth_year":"#).number(year);
    } else {
        pen.raw(r#","birth_year":null"#);
    }
}

/// The address that was looked up is one of them: the work address, or the first private one.
fn write_emails(outline: &Outline<'_>, name: &Name<'_>, domain: &str, draws: &mut Draws, pen: &mut Pen<'_>) {
    let asked = outline.asked(FieldType::Email);
    let (private, work) = match asked {
        Some(address) if is_private(address) => (Some(address), None),
        other => (None, other),
    };
    pen.raw(r#","current_work_email":"#);
    match (outline.work_email, work) {
        (false, _) => pen.raw("null"),
        (true, Some(address)) => pen.text(address),
        (true, None) => {
            pen.raw("\"").raw(name.given_slug).raw(".").raw(name.family_slug).raw("@").raw(domain).raw("\"")
        }
    };
    pen.raw(r#","personal_emails":["#);
    for nth in 0..outline.personal_emails {
        pen.raw(if nth > 0 { "," } else { "" });
        match private {
            Some(address) if nth == 0 => pen.text(address),
            _ => {
                let (year, mailbox) = (draws.number(1955, 60), draws.pick(&pools::MAILBOXES));
                pen.raw("\"").raw(name.given_slug).raw(name.family_slug).number(year);
                pen.raw("@").raw(mailbox).raw("\"")
            }
        };
    }
    pen.raw("]");
}

/// The number that was looked up is the first one.
fn write_phones(outline: &Outline<'_>, draws: &mut Draws, pen: &mut Pen<'_>) {
    const TYPES: [&str; 4] = [r#""mobile""#, r#""work""#, r#""landline""#, "null"];
    pen.raw(r#","phone_numbers":["#);
    for nth in 0..outline.phones {
        pen.raw(if nth > 0 { "," } else { "" });
        pen.raw(r#"{"E164":"#);
        match outline.asked(FieldType::Phone) {
            Some(number) if nth == 0 => {
                pen.text(number);
            }
            _ => {
                let (prefix, digits) = draws.pick(&pools::DIAL_PLANS);
                pen.raw("\"").raw(prefix);
                for _ in 0..digits {
                    let digit = draws.below(10);
                    pen.number(digit);
                }
                pen.raw("\"");
            }
        }
        pen.raw(r#","type":"#).raw(draws.pick(&TYPES));
        pen.raw(r#","valid":"#).raw(if draws.chance(0.9) { "true}" } else { "false}" });
    }
    pen.raw("]");
}

/// The profile that was looked up is the first one, with the network of its own address.
fn write_profiles(outline: &Outline<'_>, name: &Name<'_>, draws: &mut Draws, pen: &mut Pen<'_>) {
    const NETWORKS: [(&str, &str); 3] =
        [("linkedin", "linkedin.com/in/"), ("twitter", "twitter.com/"), ("github", "github.com/")];
    pen.raw(r#","social_profiles":["#);
    for (nth, (network, base)) in NETWORKS.iter().enumerate().take(outline.profiles) {
        pen.raw(if nth > 0 { "," } else { "" });
        match outline.asked(FieldType::SocialProfile) {
            Some(url) if nth == 0 => {
                pen.raw(r#"{"network":""#).raw(network_of(url)).raw(r#"","url":"#).text(url);
            }
            _ => {
                let suffix = draws.below(10_000);
                pen.raw(r#"{"network":""#).raw(network).raw(r#"","url":""#).raw(base);
                pen.raw(name.given_slug).raw("-").raw(name.family_slug).raw("-").number(suffix).raw("\"");
            }
        }
        let followers = draws.below(25_000);
        pen.raw(r#","followers":"#).number(followers).raw("}");
    }
    pen.raw("]");
}

/// The network of a profile, from the text of its address.
fn network_of(url: &str) -> &'static str {
    const NETWORKS: [&str; 5] = ["linkedin", "twitter", "github", "facebook", "instagram"];
    NETWORKS.into_iter().find(|network| url.starts_with(network)).unwrap_or("other")
}

/// The city may be null; coordinates get random digits, so that they hardly repeat.
fn write_location(draws: &mut Draws, pen: &mut Pen<'_>) {
    let (city, region, country, code, latitude, longitude) = draws.pick(&pools::CITIES);
    pen.raw(r#","location":{"city":"#);
    if draws.chance(0.9) {
        pen.raw("\"").raw(city).raw("\"");
    } else {
        pen.raw("null");
    }
    pen.raw(r#","region":""#).raw(region).raw(r#"","country":""#).raw(country);
    pen.raw(r#"","country_code":""#).raw(code);
    let (north, east) = (draws.number(100, 900), draws.number(100, 900));
    pen.raw(r#"","latitude":"#).raw(latitude).number(north);
    pen.raw(r#","longitude":"#).raw(longitude).number(east).raw("}");
}

/// The current job. Everybody has one.
fn write_employment(
    (company, domain, industry): (&str, &str, &str),
    (title, seniority, function): (&str, &str, &str),
    draws: &mut Draws,
    pen: &mut Pen<'_>,
) {
    pen.raw(r#","employment":{"name":""#).raw(company).raw(r#"","domain":""#).raw(domain);
    pen.raw(r#"","size":""#).raw(draws.pick(&pools::SIZES)).raw(r#"","industry":""#).raw(industry);
    let (founded, year, month) = (draws.number(1890, 130), draws.number(2012, 13), draws.number(1, 12));
    pen.raw(r#"","founded":"#)
        .number(founded)
        .raw(r#","job":{"title":""#)
        .raw(title)
        .raw(r#"","seniority":""#)
        .raw(seniority);
    pen.raw(r#"","function":""#).raw(function).raw(r#"","start_date":""#).number(year).raw("-").two(month);
    pen.raw(r#"","is_current":true}}"#);
}

/// Earlier jobs, none to two.
fn write_experiences(draws: &mut Draws, pen: &mut Pen<'_>) {
    pen.raw(r#","experiences":["#);
    for nth in 0..draws.below(3) {
        pen.raw(if nth > 0 { "," } else { "" });
        let (company, ..) = draws.pick(&pools::COMPANIES);
        let (title, seniority, _) = draws.pick(&pools::JOBS);
        let (start, years, month) = (draws.number(1998, 12), draws.number(1, 5), draws.number(1, 12));
        pen.raw(r#"{"company":{"name":""#).raw(company);
        pen.raw(r#""},"title":""#).raw(title).raw(r#"","seniority":""#).raw(seniority);
        pen.raw(r#"","start_date":""#).number(start).raw("-").two(month);
        pen.raw(r#"","end_date":""#).number(start + years).raw("-").two(month).raw("\"}");
    }
    pen.raw("]");
}

/// One or two schools, or no such field.
fn write_education(draws: &mut Draws, pen: &mut Pen<'_>) {
    // Missing for some people, and not empty: a missing field differs from a field that is null.
    if draws.chance(0.15) {
        return;
    }
    pen.raw(r#","education":["#);
    for nth in 0..draws.number(1, 2) {
        pen.raw(if nth > 0 { "," } else { "" });
        let school = draws.pick(&pools::SCHOOLS);
        let (degree, subject) = draws.pick(&pools::DEGREES);
        let ended = draws.number(1975, 50);
        pen.raw(r#"{"school":{"name":""#).raw(school);
        pen.raw(r#""},"degrees":[""#).raw(degree).raw(r#""],"majors":[""#).raw(subject);
        pen.raw(r#""],"end_year":"#).number(ended).raw("}");
    }
    pen.raw("]");
}

/// Skills, languages and some numbers; the last member closes the object.
fn write_rest(draws: &mut Draws, pen: &mut Pen<'_>) {
    pen.raw(r#","skills":["#);
    for nth in 0..draws.number(1, 5) {
        pen.raw(if nth > 0 { ",\"" } else { "\"" }).raw(draws.pick(&pools::SKILLS)).raw("\"");
    }
    pen.raw(r#"],"languages":["#);
    for nth in 0..draws.number(1, 2) {
        pen.raw(if nth > 0 { ",\"" } else { "\"" }).raw(draws.pick(&pools::LANGUAGES)).raw("\"");
    }
    let (likelihood, month, day) = (draws.number(50, 50), draws.number(1, 12), draws.number(1, 28));
    pen.raw(r#"],"likelihood":0."#).number(likelihood);
    pen.raw(r#","is_verified":"#).raw(if draws.chance(0.5) { "true" } else { "false" });
    pen.raw(r#","updated_at":"2026-"#).two(month).raw("-").two(day).raw("\"}");
}
