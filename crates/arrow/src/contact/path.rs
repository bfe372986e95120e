//! Paths to the values of a contact: `employment.job.title`, `phone_numbers[0].E164`,
//! `social_profiles[*].network`, `social_profiles[network=linkedin].url`, or `$` for the whole
//! contact. As in `JSONPath` (RFC 9535), a path may begin with `$.`, and a value in brackets may
//! have quotes.
//!
//! | path | values of a contact |
//! |---|---|
//! | `employment.job.title` | one, or none |
//! | `phone_numbers[0].E164` | that of the first element, or none |
//! | `social_profiles[network=linkedin].url` | that of the first element with this network, or none |
//! | `personal_emails[*]` | a list, with one value for each element |

use exactbuyer_core::error::{Error, ErrorKind};
use exactbuyer_core::service::limits::MAX_DEPTH;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// The member of an object with this name.
    Key(Box<str>),
    /// The element of a list with this index, from 0.
    Index(usize),
    /// Every element of a list.
    Every,
    /// The first element of a list that is an object whose member with the first name equals the
    /// second text. The case of ASCII letters does not matter.
    Where(Box<str>, Box<str>),
}

/// The path to a value, or to several values, of a contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    pub(crate) steps: Vec<Step>,
}

impl Path {
    /// Parses a path.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if `text` is not a path. The message shows what a path looks like.
    ///
    /// ```
    /// use exactbuyer_arrow::Path;
    ///
    /// assert!(!Path::parse("employment.job.title")?.is_list());
    /// assert!(Path::parse("personal_emails[*]")?.is_list());
    /// # Ok::<(), exactbuyer_core::error::Error>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text == "$" {
            return Ok(Self { steps: Vec::new() });
        }
        let mut steps = Vec::new();
        for part in text.strip_prefix("$.").unwrap_or(text).split('.') {
            let (name, brackets) = part.find('[').map_or((part, ""), |at| part.split_at(at));
            if name.is_empty() {
                return Err(wrong(text));
            }
            steps.push(Step::Key(name.into()));
            let mut rest = brackets;
            while let Some(inside) = rest.strip_prefix('[') {
                let (inside, after) = inside.split_once(']').ok_or_else(|| wrong(text))?;
                steps.push(bracket(inside).ok_or_else(|| wrong(text))?);
                rest = after;
            }
            if !rest.is_empty() {
                return Err(wrong(text));
            }
        }
        if steps.len() > MAX_DEPTH {
            return Err(wrong(text));
        }
        Ok(Self { steps })
    }

    /// Whether the path leads to several values, so that its column has lists.
    #[must_use]
    pub fn is_list(&self) -> bool {
        self.steps.contains(&Step::Every)
    }
}

/// The step that stands inside a pair of brackets.
///
/// `None` if it is no step, such as `[-1]` or `[]`.
fn bracket(inside: &str) -> Option<Step> {
    if inside == "*" {
        return Some(Step::Every);
    }
    if let Some((key, value)) = inside.split_once('=') {
        let quoted = |quote| value.strip_prefix(quote).and_then(|rest: &str| rest.strip_suffix(quote));
        let value = quoted('"').or_else(|| quoted('\'')).unwrap_or(value);
        return (!key.is_empty() && !value.is_empty()).then(|| Step::Where(key.into(), value.into()));
    }
    // Only digits. `parse` would also accept "+1".
    inside.bytes().all(|b| b.is_ascii_digit()).then(|| inside.parse().ok().map(Step::Index)).flatten()
}

/// The text is the caller's own, so the message may show it.
fn wrong(text: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        format!(
            "{text:?} is not a path into a contact: write one such as employment.job.title, \
             phone_numbers[0].E164, social_profiles[*].network, social_profiles[network=linkedin].url, \
             or $ for the whole contact"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read() {
        let read = |text| Path::parse(text).map(|path| path.steps);
        assert_eq!(read("$"), Ok(vec![]));
        let steps = vec![Step::Key("a b".into()), Step::Index(10), Step::Every, Step::Key("ü".into())];
        assert_eq!(read("a b[10][*].ü"), Ok(steps));
        assert_eq!(read("p[k=v=w]"), Ok(vec![Step::Key("p".into()), Step::Where("k".into(), "v=w".into())]));
        assert!(Path::parse("a[*]").is_ok_and(|path| path.is_list()));
        assert_eq!(read("$.a[0].b"), read("a[0].b"));
        assert_eq!(read("p[k='v'].u"), read("p[k=v].u"));
        assert_eq!(read(r#"p[k="v"].u"#), read("p[k=v].u"));
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "", ".", "a.", ".a", "a..b", "a[", "a[]", "a[x]", "a[-1]", "a[+1]", "a[1]b", "[0]", "a[=v]",
            "a[k=]", "a[k='']", "$.", "$a.",
        ] {
            assert!(Path::parse(text).is_err(), "{text}");
        }
    }
}
