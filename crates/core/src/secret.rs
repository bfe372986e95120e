//! The API key. No other type of this crate holds it.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

use secrecy::{ExposeSecret, SecretString};

/// An API key. Its memory is overwritten with zeros when it is dropped, and `Debug` does not show it. Only
/// [`ApiKey::expose`] does.
#[derive(Debug, Clone)]
pub struct ApiKey(SecretString);

impl ApiKey {
    /// The key, trimmed. `None` if it is empty, or has a character that no HTTP header can carry.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = !text.is_empty() && text.bytes().all(|b| (0x21..=0x7e).contains(&b));
        fits.then(|| Self(text.into()))
    }

    /// The key itself: for the header, and for its fingerprints.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// A number that is the same for the same key within this process. The key cannot be derived from it, because each
    /// process has a random salt.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        static SALT: OnceLock<RandomState> = OnceLock::new();
        SALT.get_or_init(RandomState::new).hash_one(self.expose())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_does_not_show_the_key() {
        let key = ApiKey::new(" canary-0123 ");
        assert_eq!(key.as_ref().map(ApiKey::expose), Some("canary-0123"));
        assert!(!format!("{key:?}").contains("canary"));
    }
}
