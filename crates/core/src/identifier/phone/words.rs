//! Words beside digits that came without a field type: whether they say that the digits are a phone number.

use super::digits::digit;
use crate::identifier::text;

/// So many digits in one piece are an id, an amount or a time more often than a phone number.
const UNBROKEN: usize = 7;

/// Starts of words that mean a phone number. These words are in lower case and without accents.
#[rustfmt::skip] // a table
const STARTS: [&str; 20] = [
    "call", "cellul", "celular", "fax", "handy", "mobi", "movil", "phone", "rufnummer", "telef", "telem", "telep",
    "whatsapp", "мобил", "телефон", "τηλεφων", "κινητ", "電話", "电话", "携帯",
];

/// Ends of such words: `workPhone`.
const ENDS: [&str; 5] = ["fon", "fax", "mobile", "phone", "手机"];

/// Such words.
#[rustfmt::skip] // a table
const WORDS: [&str; 27] = [
    "cel", "cell", "cep", "dial", "durchwahl", "dw", "ext", "extension", "fixe", "fixo", "gsm", "hotline", "kom",
    "komorka", "landline", "mob", "ph", "portable", "sms", "tel", "tlf", "toll", "τηλ", "моб", "тел", "טלפון",
    "هاتف",
];

/// Places and letters that stand beside a number. They mean one only if there is no other word.
#[rustfmt::skip] // a table
const ALONE: [&str; 27] = [
    "bureau", "buro", "business", "c", "casa", "contact", "direct", "f", "h", "home", "lavoro", "m", "main", "no",
    "number", "o", "office", "oficina", "p", "privat", "private", "t", "trabajo", "w", "work", "x", "전화",
];

/// Words that mean something else, whatever stands beside them.
#[rustfmt::skip] // a table
const OTHERS: [&str; 20] = [
    "account", "amount", "case", "created", "customer", "date", "duration", "eur", "id", "ids", "invoice", "order",
    "price", "ref", "reference", "ticket", "time", "timestamp", "updated", "usd",
];

/// Whether the words of `text` show that its digits are something else: `Order: 2015550123`, `{"id": 2015550123}`.
///
/// Digits in several pieces, and digits after a plus, have the form of a phone number already, so any word may be
/// beside them.
pub(in crate::identifier) fn mean_something_else(text: &str) -> bool {
    let mut pieces = text.split(|c| digit(c).is_none()).filter(|piece| !piece.is_empty());
    let is_unbroken = pieces.next().is_some_and(|piece| piece.chars().count() >= UNBROKEN);
    let is_one = is_unbroken && pieces.all(|piece| piece.chars().count() < 3);
    if text.contains('+') || !is_one {
        return false;
    }
    let plain = text::without_accents(text).to_lowercase();
    let words: Vec<&str> =
        plain.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).collect();
    if words.is_empty() {
        return false;
    }
    let is_alone = words.iter().all(|word| ALONE.contains(word));
    let is_other = words.iter().any(|word| OTHERS.contains(word));
    is_other || !is_alone && !words.iter().any(|word| means_phone(word))
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
            "Work order: 2015550123",
            "{\"work_phone_order\":2015550123}",
            "call_id: 2015550123",
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
            "Ph. 2015550123",
            "TELÉFONO: 612345678",
            "Te\u{301}l: 0612345678",
            "Büro: 03023125000",
            "Toll-free: 8004663569",
            "Ana: 201-5550123",
            "Ana: (201) 5550123",
            "Ana: 0171 2345678",
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
