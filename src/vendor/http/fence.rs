//! The address fence: which addresses a Connection may lead us to.
//!
//! A Connection's URL is written by a tenant, and we connect from inside the cluster with our own network rights. Admission checks the
//! host name once; DNS may say something else later. So the check that counts is on the *address*, after every resolution, and the
//! connection goes to the checked address only.

use std::fmt;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::sync::Arc;

use ipnet::IpNet;

use super::proxy::ProxyUrl;
use super::resolve::Lookup;
use super::resolve::SystemDns;

/// Instance metadata on AWS by IPv6 (AWS documentation, "Instance metadata"); the one metadata address outside the link-local ranges.
const AWS_METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254);

/// Why an address may not be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forbidden {
    /// 127.0.0.0/8, `::1`.
    Loopback,
    /// 169.254.0.0/16 with the clouds' metadata services, `fe80::/10`, and `fd00:ec2::254`.
    LinkLocal,
    /// 0.0.0.0/8, `::`.
    Unspecified,
    /// 224.0.0.0/4, `ff00::/8`.
    Multicast,
    /// 255.255.255.255.
    Broadcast,
    /// In a range that the installation denies: the API server, the Services, other metadata services.
    Denied,
    /// The host is not on the installation's list.
    HostNotListed,
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Forbidden::Loopback => "a loopback address",
            Forbidden::LinkLocal => "a link-local or metadata address",
            Forbidden::Unspecified => "an unspecified address",
            Forbidden::Multicast => "a multicast address",
            Forbidden::Broadcast => "the broadcast address",
            Forbidden::Denied => "an address that this installation denies",
            Forbidden::HostNotListed => "a host that is not on this installation's list",
        })
    }
}

/// The fence forbids an endpoint. Found in the error chain of a failed connect, too. Never names the address: a tenant could ask for
/// the addresses of internal names.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{host} is {why}, which Windlass does not connect to: correct spec.url or its DNS, or ask who runs Windlass to allow it")]
pub struct FenceError {
    /// Host, as in the URL.
    pub host: String,
    /// Why not.
    pub why: Forbidden,
}

/// What is forbidden and what is allowed, for the whole installation, and the resolver or the proxy that the fence stands before.
#[derive(Clone, Debug)]
pub struct Fence {
    allow: Vec<IpNet>,
    deny: Vec<IpNet>,
    hosts: Vec<String>,
    lookup: Arc<dyn Lookup>,
    proxy: Option<ProxyUrl>,
}

impl Default for Fence {
    fn default() -> Self {
        Fence {
            allow: Vec::new(),
            deny: Vec::new(),
            hosts: Vec::new(),
            lookup: Arc::new(SystemDns),
            proxy: None,
        }
    }
}

impl Fence {
    /// Addresses that the fence is lifted for (`--allow-cidr`). Wins over everything else but the host list.
    #[must_use]
    pub fn allow(mut self, ranges: impl IntoIterator<Item = IpNet>) -> Fence {
        self.allow.extend(ranges);
        self
    }

    /// Further addresses to forbid (`network.deniedCIDRs`).
    #[must_use]
    pub fn deny(mut self, ranges: impl IntoIterator<Item = IpNet>) -> Fence {
        self.deny.extend(ranges);
        self
    }

    /// When not empty, only these hosts, each exact or `*.suffix` (`network.allowedHosts`). Only restricts.
    #[must_use]
    pub fn only_hosts(mut self, hosts: impl IntoIterator<Item = String>) -> Fence {
        self.hosts.extend(hosts.into_iter().map(|h| h.to_lowercase()));
        self
    }

    /// Another resolver than the system's.
    #[must_use]
    pub fn resolved_by(mut self, lookup: Arc<dyn Lookup>) -> Fence {
        self.lookup = lookup;
        self
    }

    /// Everything goes through this proxy (`network.proxyURL`), which resolves names: of them only the host list is left to check.
    #[must_use]
    pub fn through(mut self, proxy: Option<ProxyUrl>) -> Fence {
        self.proxy = proxy;
        self
    }

    pub(super) fn lookup(&self) -> &Arc<dyn Lookup> {
        &self.lookup
    }

    pub(super) fn proxy(&self) -> Option<&ProxyUrl> {
        self.proxy.as_ref()
    }

    /// Checks the host of a URL before any resolution: the host list, IP literals (no resolver ever sees those) and `localhost`.
    pub fn check_host(&self, host: &str) -> Result<(), FenceError> {
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_lowercase();
        let listed = |pattern: &String| match pattern.strip_prefix('*') {
            Some(suffix) => suffix.starts_with('.') && bare.len() > suffix.len() && bare.ends_with(suffix),
            None => *pattern == bare,
        };
        if !self.hosts.is_empty() && !self.hosts.iter().any(listed) {
            return Err(FenceError {
                host: host.to_owned(),
                why: Forbidden::HostNotListed,
            });
        }
        let literal = match bare.parse::<IpAddr>() {
            Ok(ip) => ip,
            Err(_) if bare == "localhost" || bare.ends_with(".localhost") => IpAddr::V4(Ipv4Addr::LOCALHOST),
            Err(_) => return Ok(()),
        };
        self.check(literal).map_err(|why| FenceError {
            host: host.to_owned(),
            why,
        })
    }

    /// Checks one address, and every IPv4 address that is embedded in it.
    pub fn check(&self, ip: IpAddr) -> Result<(), Forbidden> {
        let allowed = |ip: &IpAddr| self.allow.iter().any(|range| range.contains(ip));
        if allowed(&ip) {
            return Ok(());
        }
        for face in faces(ip) {
            if allowed(&face) {
                continue;
            }
            if let Some(why) = special(face) {
                return Err(why);
            }
            if self.deny.iter().any(|range| range.contains(&face)) {
                return Err(Forbidden::Denied);
            }
        }
        Ok(())
    }

    /// Of a resolver's answer, the addresses that may be connected to; an error when there is none left.
    pub(super) fn filter(&self, host: &str, ips: Vec<IpAddr>) -> Result<Vec<IpAddr>, FenceError> {
        let mut good = Vec::new();
        let mut bad = None;
        for ip in ips {
            match self.check(ip) {
                Ok(()) => good.push(ip),
                Err(why) => {
                    tracing::debug!(host, %ip, "an address is behind the fence");
                    bad = bad.or(Some(why));
                }
            }
        }
        match bad {
            Some(why) if good.is_empty() => Err(FenceError {
                host: host.to_owned(),
                why,
            }),
            _ => Ok(good),
        }
    }
}

/// The classes that are forbidden everywhere.
fn special(ip: IpAddr) -> Option<Forbidden> {
    match ip {
        IpAddr::V4(v4) if v4.is_loopback() => Some(Forbidden::Loopback),
        IpAddr::V4(v4) if v4.is_link_local() => Some(Forbidden::LinkLocal),
        IpAddr::V4(v4) if v4.octets()[0] == 0 => Some(Forbidden::Unspecified),
        IpAddr::V4(v4) if v4.is_multicast() => Some(Forbidden::Multicast),
        IpAddr::V4(v4) if v4.is_broadcast() => Some(Forbidden::Broadcast),
        IpAddr::V6(v6) if v6.is_loopback() => Some(Forbidden::Loopback),
        IpAddr::V6(v6) if v6.is_unspecified() => Some(Forbidden::Unspecified),
        IpAddr::V6(v6) if v6.is_multicast() => Some(Forbidden::Multicast),
        IpAddr::V6(v6) if v6.is_unicast_link_local() || v6 == AWS_METADATA_V6 => Some(Forbidden::LinkLocal),
        _ => None,
    }
}

/// The address and every IPv4 address that something on the way may read out of it.
fn faces(ip: IpAddr) -> Vec<IpAddr> {
    let IpAddr::V6(v6) = ip else { return vec![ip] };
    let v4 = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    let mut all = vec![ip];
    match v6.segments() {
        // `::1` and `::` are themselves, not compatible forms of 0.0.0.1 and 0.0.0.0.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => {}
        // v4-compatible (RFC 4291 2.5.5.1), v4-mapped (2.5.5.2), v4-translated (RFC 2765), NAT64 well-known (RFC 6052).
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            all.push(v4(high, low));
        }
        // NAT64 local use (RFC 8215): a /48 whose users choose the prefix length. Both ends of the choice are looked at: the last four
        // bytes (/96), and two bytes, the reserved byte, two bytes (/48; RFC 6052 2.2). A place that was not chosen is mostly zeros.
        [0x64, 0xff9b, 1, first, second, third, high, low] => {
            let places = [v4(high, low), v4(first, ((second & 0xff) << 8) | (third >> 8))];
            all.extend(places.into_iter().filter(|place| special(*place) != Some(Forbidden::Unspecified)));
        }
        // 6to4 (RFC 3056).
        [0x2002, high, low, ..] => all.push(v4(high, low)),
        _ => {}
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(fence: &Fence, ip: &str) -> Option<Forbidden> {
        fence.check(ip.parse().unwrap()).err()
    }

    fn nets(of: &[&str]) -> Vec<IpNet> {
        of.iter().map(|n| n.parse().unwrap()).collect()
    }

    #[test]
    fn every_class_in_every_disguise() {
        use Forbidden::*;
        let table = [
            ("127.0.0.1", Some(Loopback)),
            ("127.255.255.254", Some(Loopback)),
            ("::1", Some(Loopback)),
            ("169.254.169.254", Some(LinkLocal)),
            ("169.254.0.1", Some(LinkLocal)),
            ("fe80::1", Some(LinkLocal)),
            ("febf::1", Some(LinkLocal)),
            ("fd00:ec2::254", Some(LinkLocal)),
            ("0.0.0.0", Some(Unspecified)),
            ("0.1.2.3", Some(Unspecified)),
            ("::", Some(Unspecified)),
            ("224.0.0.1", Some(Multicast)),
            ("239.255.255.250", Some(Multicast)),
            ("ff02::1", Some(Multicast)),
            ("255.255.255.255", Some(Broadcast)),
            // mapped, compatible, translated
            ("::ffff:127.0.0.1", Some(Loopback)),
            ("::ffff:169.254.169.254", Some(LinkLocal)),
            ("::ffff:0.0.0.0", Some(Unspecified)),
            ("::ffff:224.0.0.1", Some(Multicast)),
            ("::ffff:255.255.255.255", Some(Broadcast)),
            ("::127.0.0.1", Some(Loopback)),
            ("::169.254.169.254", Some(LinkLocal)),
            ("::ffff:0:169.254.169.254", Some(LinkLocal)),
            // 6to4
            ("2002:7f00:1::", Some(Loopback)),
            ("2002:a9fe:a9fe::1", Some(LinkLocal)),
            ("2002:0:0::", Some(Unspecified)),
            ("2002:e000:1::", Some(Multicast)),
            ("2002:ffff:ffff::", Some(Broadcast)),
            // NAT64
            ("64:ff9b::127.0.0.1", Some(Loopback)),
            ("64:ff9b::169.254.169.254", Some(LinkLocal)),
            ("64:ff9b:1::169.254.169.254", Some(LinkLocal)),
            ("64:ff9b:1:a9fe:a9:fe00::", Some(LinkLocal)),
            // what people have
            ("10.1.2.3", None),
            ("172.16.0.9", None),
            ("192.168.1.1", None),
            ("203.0.113.9", None),
            ("2001:db8::9", None),
            ("fd12:3456::1", None),
            ("::ffff:10.1.2.3", None),
            ("64:ff9b::10.1.2.3", None),
            ("64:ff9b:1::10.1.2.3", None),
            ("64:ff9b:1:7::10.1.2.3", None),
            ("64:ff9b:1:a01:2:300::", None),
            ("2002:a01:203::1", None),
        ];
        for (ip, expected) in table {
            assert_eq!(verdict(&Fence::default(), ip), expected, "{ip}");
        }
    }

    #[test]
    fn denied_ranges_hold_for_embedded_addresses_and_allowing_wins() {
        let fence = Fence::default().deny(nets(&["10.96.0.0/12", "fd00:10::/32"]));
        for ip in ["10.96.0.1", "::ffff:10.96.0.1", "64:ff9b::10.96.0.1", "2002:a60:1::", "fd00:10::1"] {
            assert_eq!(verdict(&fence, ip), Some(Forbidden::Denied), "{ip}");
        }
        assert_eq!(verdict(&fence, "10.1.0.1"), None);
        let fence = fence.allow(nets(&["127.0.0.0/8", "10.96.0.5/32"]));
        for ip in ["127.0.0.1", "::ffff:127.0.0.1", "10.96.0.5"] {
            assert_eq!(verdict(&fence, ip), None, "{ip}");
        }
        assert_eq!(verdict(&fence, "::1"), Some(Forbidden::Loopback));
        assert_eq!(verdict(&fence, "10.96.0.6"), Some(Forbidden::Denied));
    }

    #[test]
    fn literals_and_localhost_are_checked_without_a_resolver() {
        let fence = Fence::default();
        for host in [
            "127.0.0.1",
            "[::1]",
            "[::ffff:169.254.169.254]",
            "localhost",
            "a.localhost",
            "LOCALHOST",
        ] {
            assert!(fence.check_host(host).is_err(), "{host}");
        }
        for host in ["vc1.example", "10.0.0.1", "[2001:db8::1]", "localhost.example"] {
            assert!(fence.check_host(host).is_ok(), "{host}");
        }
        assert!(fence.allow(nets(&["127.0.0.0/8"])).check_host("localhost").is_ok());
    }

    #[test]
    fn a_host_list_only_restricts() {
        let fence = Fence::default().only_hosts(["vc1.example".to_owned(), "*.dr.Example".to_owned(), "127.0.0.1".to_owned()]);
        for host in ["vc1.example", "a.dr.example", "a.b.dr.example"] {
            assert!(fence.check_host(host).is_ok(), "{host}");
        }
        for (host, why) in [
            ("vc2.example", Forbidden::HostNotListed),
            ("dr.example", Forbidden::HostNotListed),
            ("xdr.example", Forbidden::HostNotListed),
            ("127.0.0.1", Forbidden::Loopback),
        ] {
            assert_eq!(fence.check_host(host).unwrap_err().why, why, "{host}");
        }
    }

    #[test]
    fn of_a_mixed_answer_only_the_checked_addresses_are_left() {
        let ips = |of: &[&str]| -> Vec<IpAddr> { of.iter().map(|i| i.parse().unwrap()).collect() };
        let fence = Fence::default();
        assert_eq!(
            fence.filter("h", ips(&["169.254.169.254", "203.0.113.9"])),
            Ok(ips(&["203.0.113.9"]))
        );
        assert_eq!(fence.filter("h", ips(&["169.254.169.254"])).unwrap_err().why, Forbidden::LinkLocal);
        assert_eq!(fence.filter("h", vec![]), Ok(vec![]));
    }
}
