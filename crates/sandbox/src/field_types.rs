//! What the sandbox knows of each field type: when two values are the same identifier, and which identifiers a person
//! has who is found by such a value. Its rules are much coarser than those of
//! [`exactbuyer_core::identifier`], and on purpose do not use them: a sandbox with the client's rules could never
//! show that they are wrong.

use exactbuyer_core::identifier::FieldType;

use super::people::{Outline, is_private};

/// Writes the folded spelling of `value` over `out`.
///
/// The folded spelling decides what is one identifier for the ledger, for overrides, and for who exists. A
/// phone number without any digit keeps its letters, so that different texts stay different.
pub(super) fn fold(field_type: FieldType, value: &str, out: &mut String) {
    out.clear();
    let value = value.trim();
    match field_type {
        FieldType::Email => lower(value, out),
        FieldType::Phone => {
            out.push('+');
            out.extend(value.chars().filter(char::is_ascii_digit));
            if out.len() == 1 {
                lower(value, out);
            }
        }
        FieldType::SocialProfile => {
            lower(value, out);
            let end = out.find(['?', '#']).unwrap_or(out.len());
            out.truncate(end);
            out.truncate(out.trim_end_matches('/').len());
            for prefix in ["https://", "http://", "www."] {
                if out.starts_with(prefix) {
                    out.drain(..prefix.len());
                }
            }
        }
    }
}

/// Writes `value` in lower case, without an allocation if it is ASCII.
///
/// It appends to `out`.
fn lower(value: &str, out: &mut String) {
    if value.is_ascii() {
        out.push_str(value);
        out.make_ascii_lowercase();
    } else {
        out.extend(value.chars().flat_map(char::to_lowercase));
    }
}

/// Gives a person the identifier by which they are found. Their other identifiers are drawn at random.
///
/// The `match` has no wildcard: a new field type does not compile until it is here.
pub(super) fn imply(person: &mut Outline<'_>, field_type: FieldType, folded: &str) {
    match field_type {
        FieldType::Email if is_private(folded) => person.personal_emails = person.personal_emails.max(1),
        FieldType::Email => person.work_email = true,
        FieldType::Phone => person.phones = person.phones.max(1),
        FieldType::SocialProfile => person.profiles = person.profiles.max(1),
    }
}

/// The part of an identifier that may spell a person's name.
///
/// `ana.almeida@…` spells a name, a phone number never does.
pub(super) fn spelling_of_name(field_type: FieldType, folded: &str) -> Option<&str> {
    match field_type {
        FieldType::Email => folded.rsplit_once('@').and_then(|(local, _)| local.split('+').next()),
        FieldType::Phone => None,
        FieldType::SocialProfile => folded.rsplit('/').next(),
    }
}

/// The folded spelling of a value.
pub(super) fn folded(field_type: FieldType, value: &str) -> String {
    let mut folded = String::new();
    fold(field_type, value, &mut folded);
    folded
}

/// The hash of an identifier for a seed. It is the same on every machine and in every release; the
/// hashers of the standard library and of hashbrown do not guarantee that.
///
/// It decides who exists, so a change of it changes all people of every seed.
pub(super) fn hash(seed: u64, field_type: FieldType, folded: &str) -> u64 {
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut state = seed ^ (u64::from(field_type.number()) + 1).wrapping_mul(ODD);
    for eight in folded.as_bytes().chunks(8) {
        let mut word = [0_u8; 8];
        for (to, from) in word.iter_mut().zip(eight) {
            *to = *from;
        }
        state = (state ^ u64::from_le_bytes(word)).wrapping_mul(ODD).rotate_left(29);
    }
    state ^ folded.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_identifier_meet() {
        for field_type in FieldType::ALL {
            let spellings = match field_type {
                FieldType::Email => ["Ana@X.example ", "ana@x.example", "ANA@X.EXAMPLE"],
                FieldType::Phone => ["+1-773-474-9362", "+1 (773) 474 9362", "17734749362"],
                FieldType::SocialProfile => {
                    ["https://www.linkedin.com/in/Ana/?a=b", "linkedin.com/in/ana", "LinkedIn.com/in/ana/"]
                }
            };
            let [one, other, third] = spellings.map(|spelling| folded(field_type, spelling));
            assert_eq!((&one, &one), (&other, &third));
        }
    }

    #[test]
    fn a_phone_without_digits_keeps_its_letters() {
        assert_eq!(folded(FieldType::Phone, "nobody"), "+nobody");
    }
}
