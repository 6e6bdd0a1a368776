//! The installation's HTTP proxy to vendors, where it has one.
//!
//! Named by whoever runs Windlass and never by the environment, in which anybody's proxy may stand. The proxy resolves names for us, so the
//! fence cannot check what they resolve to: its list of hosts and its check of addresses in URLs stay, and the proxy's own rules are the
//! rest. What is said through it is TLS from end to end: a proxy can cut a start's connection, as any network can, and neither read nor
//! repeat the request.

use std::io;
use std::str::FromStr;
use std::sync::Arc;

use reqwest::Url;
use reqwest::dns::Name;
use reqwest::dns::Resolve;
use reqwest::dns::Resolving;

use super::resolve::Lookup;
use super::resolve::some;

/// `http://host:port` of an HTTP proxy that takes CONNECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyUrl(Url);

/// Not the URL of a proxy.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("not http://host:port, without a user and without a path")]
pub struct NotAProxy;

impl FromStr for ProxyUrl {
    type Err = NotAProxy;

    fn from_str(text: &str) -> Result<ProxyUrl, NotAProxy> {
        // The parser takes a port of 80 away, so whether one was written is seen in the text only.
        let port = text
            .trim_end_matches('/')
            .rsplit_once(':')
            .is_some_and(|(_, p)| p.parse::<u16>().is_ok_and(|p| p > 0));
        let url = Url::parse(text).map_err(|_| NotAProxy)?;
        let bare =
            url.username().is_empty() && url.password().is_none() && url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if url.scheme() == "http" && url.has_host() && port && bare {
            Ok(ProxyUrl(url))
        } else {
            Err(NotAProxy)
        }
    }
}

impl ProxyUrl {
    /// For the client's builder.
    pub(super) fn proxy(&self) -> reqwest::Result<reqwest::Proxy> {
        reqwest::Proxy::all(self.0.clone())
    }

    fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }
}

/// Resolves the proxy's own name and no other. The fence is not asked: a proxy may well be on loopback or in a range that is denied to
/// tenants. Any other name here would mean that something goes around the proxy.
#[derive(Debug)]
pub(super) struct OnlyTheProxy {
    pub proxy: ProxyUrl,
    pub lookup: Arc<dyn Lookup>,
}

impl Resolve for OnlyTheProxy {
    fn resolve(&self, name: Name) -> Resolving {
        let known = name.as_str() == self.proxy.host();
        let found = known.then(|| self.lookup.lookup(name.as_str().to_owned()));
        Box::pin(async move {
            match found {
                Some(found) => some(found.await?),
                None => Err(Box::from(io::Error::other("names of vendors are for the proxy to resolve"))),
            }
        })
    }
}

#[cfg(test)]
#[path = "proxy_tests.rs"]
mod tests;
