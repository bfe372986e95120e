//! Words beside digits that came without a field type: whether they say that the digits are a phone number.

use super::digits::digit;

/// This many digits in a row are an id, an amount or a time more often than a phone number.
const UNBROKEN: usize = 7;

/// Starts of words that mean a phone number. They are in lower case, as the words below.
#[rustfmt::skip] // a table
const STARTS: [&str; 20] = [
    "call", "cellul", "celular", "fax", "handy", "mobi", "movil", "móvil", "phone", "telef", "telem", "telep",
    "téléph", "whatsapp", "мобил", "телефон", "τηλέφων", "κινητ", "電話", "电话",
];

/// Ends of such words: `workPhone`.
const ENDS: [&str; 5] = ["fon", "fax", "mobile", "phone", "手机"];

/// Such words, and words that are written beside the number of a person.
#[rustfmt::skip] // a table
const WORDS: [&str; 39] = [
    "business", "casa", "cel", "cell", "cep", "dial", "direct", "durchwahl", "dw", "ext", "extension", "fixe",
    "fixo", "gsm", "home", "hotline", "kom", "komórka", "landline", "main", "mob", "office", "portable",
    "privat", "private", "sms", "tel", "tél", "tlf", "work", "x", "τηλ", "моб", "тел", "טלפון", "هاتف", "جوال",
    "携帯", "전화",
];

/// Letters that stand alone before a number: `T: 2015550123`.
const LETTERS: [&str; 8] = ["c", "f", "h", "m", "o", "p", "t", "w"];

/// Whether the words of `text` show that its digits are something else: `Order: 2015550123`, `{"id": 2015550123}`.
///
/// Digits in groups, and digits after a plus, have the form of a phone number already, so any word may be beside them.
pub(in crate::identifier) fn mean_something_else(text: &str) -> bool {
    let is_unbroken = || text.split(|c| digit(c).is_none()).any(|run| run.chars().count() >= UNBROKEN);
    if text.contains('+') || !is_unbroken() {
        return false;
    }
    let words = text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    let words: Vec<String> = words.map(str::to_lowercase).collect();
    match &*words {
        [] => false,
        [only] if LETTERS.contains(&&**only) => false,
        words => !words.iter().any(|word| means_phone(word)),
    }
}

fn means_phone(word: &str) -> bool {
    WORDS.contains(&word)
        || STARTS.iter().any(|start| word.starts_with(start))
        || ENDS.iter().any(|end| word.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unbroken_digits_need_a_word_that_means_a_phone_number() {
        for text in [
            "{\"id\":2015550123,\"name\":\"Ana\"}",
            "{\"created\":1704067200,\"source\":\"import\"}",
            "NPI: 2015550131",
            "Order 2015550132",
            "2015550134 EUR",
            "2015550135 views",
            "2015550136.jpg",
            "external_id=15223456789",
            "Ana M.: 2015550123",
        ] {
            assert!(mean_something_else(text), "{text}");
        }
        for text in [
            "2015550123",
            "[2015550123]",
            "Order: +12015550123",
            "Ana: 201-555-0123",
            "1-800-FLOWERS",
            "Phone: 2015550123",
            "{\"workPhone\":2015550123,\"name\":\"Ana\"}",
            "phone_number=2015550123",
            "Tel 2015550123",
            "T: 2015550123",
            "Telefon (privat): 03023125000",
            "2015550123 x12",
            "2015550123 (work)",
            "тел. 84951234567",
            "tel:2015550123",
        ] {
            assert!(!mean_something_else(text), "{text}");
        }
    }
}
