//! The API key: the one type in the crate that holds it, and that cannot print it.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

/// An API key. Neither `Debug` nor anything else here shows it; only [`ApiKey::expose`] does, and
/// only the transport calls that.
#[derive(Clone)]
pub struct ApiKey(Box<str>);

impl ApiKey {
    /// Takes the key, trimmed; `None` where nothing is left, or where it holds a character that no
    /// HTTP header can carry.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = !text.is_empty() && text.bytes().all(|b| (0x21..=0x7e).contains(&b));
        fits.then(|| Self(text.into()))
    }

    /// The key itself, for the header and nothing else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// A number that is the same for the same key within this process and says nothing about it:
    /// the salt is made anew in each process.
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
        // Safe code cannot write through `Box<str>`: take the bytes and overwrite those.
        let mut bytes = std::mem::take(&mut self.0).into_boxed_bytes();
        bytes.fill(0);
        std::hint::black_box(&bytes);
    }
}
