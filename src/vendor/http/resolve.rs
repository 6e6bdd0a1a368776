//! Name resolution behind the fence.
//!
//! The resolver is a parameter, so that tests can change its answers between two calls, as a hostile DNS would.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;

use futures::future::BoxFuture;
use reqwest::dns::Addrs;
use reqwest::dns::Name;
use reqwest::dns::Resolve;
use reqwest::dns::Resolving;

use super::fence::Fence;

/// Turns a host name into addresses.
pub trait Lookup: Send + Sync + fmt::Debug {
    /// The addresses as they are now.
    fn lookup(&self, host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The system's resolver.
#[derive(Clone, Copy, Debug)]
pub struct SystemDns;

impl Lookup for SystemDns {
    fn lookup(&self, host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host.as_str(), 0)).await?.map(|a| a.ip()).collect()) })
    }
}

/// What reqwest asks at every connect: what it gets is what it connects to, so nothing unchecked is ever connected to.
#[derive(Debug)]
pub(super) struct FencedResolver(pub Arc<Fence>);

impl Resolve for FencedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let fence = Arc::clone(&self.0);
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found = fence.lookup().lookup(host.clone()).await?;
            some(fence.filter(&host, found)?)
        })
    }
}

/// A resolver's answer, as reqwest wants it: at least one address, or an error.
pub(super) fn some(ips: Vec<IpAddr>) -> Result<Addrs, Box<dyn std::error::Error + Send + Sync>> {
    if ips.is_empty() {
        return Err(Box::from(io::Error::new(io::ErrorKind::NotFound, "the name has no address")));
    }
    Ok(Box::new(ips.into_iter().map(|ip| SocketAddr::new(ip, 0))))
}
