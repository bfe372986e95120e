//! Where a value ends that is not JSON: by brackets and quotes alone, so that one broken record
//! does not take its neighbours with it.

/// The place of the comma or closing bracket that follows the value at `from`, if the brackets in
/// between tell.
///
/// A closing bracket closes the nearest open one of its kind, so that a record with one bracket
/// forgotten inside still ends where it does. Takes as long as the text is, whatever it holds.
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

/// The place of the quote that ends the string whose text begins at `from`.
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
