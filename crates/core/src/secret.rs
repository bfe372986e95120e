//! The API key. Only this type contains it, and this type cannot print it.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

/// An API key. `Debug` does not show it. Only [`ApiKey::expose`] returns it, and only the transport
/// calls that. Its memory is overwritten when it is dropped.
#[derive(Clone)]
pub struct ApiKey(Box<str>);

impl ApiKey {
    /// The key without blanks around it. `None` if nothing is left, or if it has a character that
    /// an HTTP header cannot contain.
    ///
    /// ```
    /// use exactbuyer_core::secret::ApiKey;
    ///
    /// let key = ApiKey::new(" k-123\n").unwrap();
    /// assert_eq!(key.expose(), "k-123");
    /// assert!(!format!("{key:?}").contains("k-123"));
    /// assert!(ApiKey::new("two\nlines").is_none());
    /// ```
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = !text.is_empty() && text.bytes().all(|b| (0x21..=0x7e).contains(&b));
        fits.then(|| Self(text.into()))
    }

    /// The key itself. It is for the request's header only.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// A number that is the same for the same key in this process and reveals nothing about it. The
    /// salt is new in each process.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        static SALT: OnceLock<RandomState> = OnceLock::new();
        SALT.get_or_init(RandomState::new).hash_one(&*self.0)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(***)")
    }
}

impl Drop for ApiKey {
    fn drop(&mut self) {
        // Safe code cannot write through a `Box<str>`. So take its bytes and overwrite them.
        let mut bytes = std::mem::take(&mut self.0).into_boxed_bytes();
        bytes.fill(0);
        std::hint::black_box(&bytes);
    }
}
