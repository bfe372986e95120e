//! Resolves names as the operating system does. The error has its own type, so that `trouble` finds
//! it anywhere in a chain of errors.
//!
//! The answer is not cached here: each request opens its own connection, and asks again.

use std::error::Error;
use std::{fmt, io};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The resolver of the system (`getaddrinfo`).
///
/// It works on a thread that may block, because `getaddrinfo` does.
pub(super) struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            match tokio::net::lookup_host((name.as_str(), 0)).await {
                Ok(addresses) => Ok(Box::new(addresses.collect::<Vec<_>>().into_iter()) as Addrs),
                Err(error) => Err(Unresolved(error).into()),
            }
        })
    }
}

/// The name has no address, or the resolver could not be reached. It does not contain the name.
///
/// Nothing was sent: the caller reports it as a failed name of the service, or of the proxy.
#[derive(Debug)]
pub(super) struct Unresolved(io::Error);

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name could not be resolved")
    }
}

impl Error for Unresolved {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}
