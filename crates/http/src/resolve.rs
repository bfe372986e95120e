//! Names into addresses, as the system does it. Its error has a type, by which `trouble` finds it wherever it
//! stands in a chain of errors.

use std::fmt;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The resolver of the system (`getaddrinfo`).
pub(super) struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            match tokio::net::lookup_host((name.as_str(), 0)).await {
                Ok(addresses) => Ok(Box::new(addresses.collect::<Vec<_>>().into_iter()) as Addrs),
                Err(_) => Err(Unresolved.into()),
            }
        })
    }
}

/// A name has no address, or nobody could be asked. Does not say which name.
#[derive(Debug)]
pub(super) struct Unresolved;

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name could not be resolved")
    }
}

impl std::error::Error for Unresolved {}
