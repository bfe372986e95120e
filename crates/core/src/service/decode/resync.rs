//! Finds the end of a value that is not JSON by its brackets and quotes alone. So one broken record
//! does not hide the records after it.

/// The position of the comma or closing bracket that follows the value at `from`, or `None` if the
/// brackets do not match.
///
/// A closing bracket closes the nearest open bracket of its kind. So a record with one missing
/// bracket inside still ends where it should. The time is linear in the length of the text.
pub(super) fn end_of_value(bytes: &[u8], from: usize) -> Option<usize> {
    let mut open: Vec<u8> = Vec::new();
    let mut at = from;
    loop {
        match *bytes.get(at)? {
            b'"' => at = end_of_string(bytes, at + 1)?,
            bracket @ (b'{' | b'[') => open.push(bracket + 2),
            bracket @ (b'}' | b']') => {
                if open.is_empty() {
                    return Some(at);
                }
                while open.pop()? != bracket {}
            }
            b',' if open.is_empty() => return Some(at),
            _ => {}
        }
        at += 1;
    }
}

/// The position of the quote that ends the string whose text begins at `from`.
fn end_of_string(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if *bytes.get(at)? == b'"' {
            return Some(at);
        }
        at += 2;
    }
}
