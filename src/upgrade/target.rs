//! What a start is aimed at: (vendor, authority, object), and the name and hash that its ledger is found by.
//!
//! The canonical form and the hash are a **persisted contract**: receipts of every past version are found by them. The golden
//! vectors below must never change.

use std::fmt;

use data_encoding::BASE32_NOPAD;
use sha2::Digest;
use sha2::Sha256;

/// Which of the four vendor APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VendorType {
    /// Aruba Central (classic).
    ArubaCentral,
    /// A VMware disaster recovery appliance.
    RecoveryAppliance,
    /// An IBM Z Hardware Management Console.
    Hmc,
    /// vCenter Supervisor clusters.
    VCenter,
}

impl VendorType {
    const ALL: [VendorType; 4] = [
        VendorType::ArubaCentral,
        VendorType::RecoveryAppliance,
        VendorType::Hmc,
        VendorType::VCenter,
    ];

    /// What the vendor shows that proves that a start was *not* taken (`vendors.md` 5.2).
    pub fn disproof(self) -> Disproof {
        match self {
            VendorType::VCenter => Disproof::Unchanged,
            VendorType::RecoveryAppliance => Disproof::Witness,
            VendorType::Hmc | VendorType::ArubaCentral => Disproof::None,
        }
    }

    /// How a start is found again among the vendor's jobs (`vendors.md` 3.3, 5.2).
    pub fn jobs(self) -> Jobs {
        match self {
            VendorType::RecoveryAppliance => Jobs::Listed,
            VendorType::Hmc => Jobs::Named,
            VendorType::VCenter | VendorType::ArubaCentral => Jobs::None,
        }
    }

    /// The persisted name: first part of a target's canonical form and of a receipt's name.
    pub fn slug(self) -> &'static str {
        match self {
            VendorType::ArubaCentral => "arubacentral",
            VendorType::RecoveryAppliance => "recoveryappliance",
            VendorType::Hmc => "hmc",
            VendorType::VCenter => "vcenter",
        }
    }
}

/// What a vendor has of jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jobs {
    /// None: the target itself shows what goes on.
    None,
    /// The answer to a start names one, and that one can be asked for. They cannot be listed, so a start whose answer was lost has none.
    /// That its job is done means nothing as long as the target is not at its version.
    Named,
    /// All of them can be listed.
    Listed,
}

/// What proves that a start was not taken, once the grace period is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disproof {
    /// The target looks as before. A start that was taken would be seen in it.
    Unchanged,
    /// The target is at the version of before, and its list of jobs is the one of before, whole: nothing is new, nothing is gone, and the job
    /// that Windlass had it do right before the start is still listed.
    Witness,
    /// Nothing does.
    None,
}

/// Canonical host:port that is connected to: lowercase IDNA host, explicit port. Made by [`Authority::from_url`] only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Authority(String);

/// A URL that names no authority we would connect to.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AuthorityError {
    /// Not a URL at all.
    #[error("{url:?} is not a URL: {why}")]
    NotAUrl {
        /// What was given.
        url: String,
        /// What the parser said.
        why: String,
    },
    /// Another scheme than https.
    #[error("{url:?} must use https")]
    NotHttps {
        /// What was given.
        url: String,
    },
    /// Something besides host and port.
    #[error("{url:?} must be https://host or https://host:port, without user, path, query or fragment")]
    NotBare {
        /// What was given.
        url: String,
    },
}

impl Authority {
    /// Reads `https://host[:port]`. The host is lowercased and IDNA-encoded; the default port 443 becomes explicit.
    pub fn from_url(url: &str) -> Result<Authority, AuthorityError> {
        let parsed = url::Url::parse(url).map_err(|e| AuthorityError::NotAUrl {
            url: url.to_owned(),
            why: e.to_string(),
        })?;
        if parsed.scheme() != "https" {
            return Err(AuthorityError::NotHttps { url: url.to_owned() });
        }
        let bare = parsed.username().is_empty()
            && parsed.password().is_none()
            && matches!(parsed.path(), "" | "/")
            && parsed.query().is_none()
            && parsed.fragment().is_none();
        let host = parsed.host_str().map(|h| h.trim_end_matches('.').to_lowercase());
        match (bare, host.filter(|h| !h.is_empty()), parsed.port_or_known_default()) {
            (true, Some(host), Some(port)) if same_when_read_again(&host) => Ok(Authority(format!("{host}:{port}"))),
            _ => Err(AuthorityError::NotBare { url: url.to_owned() }),
        }
    }

    /// Stands for an authority that is not known: equal to none that can be connected to.
    pub fn unknown() -> Authority {
        Authority(String::new())
    }

    /// `host:port`; an IPv6 host is in brackets.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `https://host:port`.
    pub fn base_url(&self) -> String {
        format!("https://{}", self.0)
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a host without its last dots still is that host. `0xa.1..` is a name, but `0xa.1` is 10.0.0.1: one endpoint would have two
/// authorities, and a target there two ledgers.
fn same_when_read_again(host: &str) -> bool {
    url::Url::parse(&format!("https://{host}")).is_ok_and(|again| again.host_str() == Some(host))
}

/// One thing that can be upgraded, and the key of its ledger.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetKey {
    /// Which API.
    pub vendor: VendorType,
    /// Where it is.
    pub authority: Authority,
    /// Which object there: `domain-c8`, `console`, `appliance`, `customer/<id>/<deviceType>`.
    pub object: String,
}

/// Object of a recovery appliance's key.
pub const APPLIANCE: &str = "appliance";

/// Object of an HMC's key: the console itself, not a machine that it manages.
pub const CONSOLE: &str = "console";

/// What the object of a customer's key begins with.
const CUSTOMER: &str = "customer/";

/// Length of the hash in characters: 100 bits, far from collision for any number of targets, and short enough for names.
const HASH_CHARS: usize = 20;

impl TargetKey {
    /// The key of a Supervisor cluster.
    pub fn cluster(authority: Authority, cluster: &str) -> TargetKey {
        TargetKey {
            vendor: VendorType::VCenter,
            authority,
            object: cluster.to_owned(),
        }
    }

    /// The key of a recovery appliance: one endpoint is one appliance.
    pub fn appliance(authority: Authority) -> TargetKey {
        TargetKey {
            vendor: VendorType::RecoveryAppliance,
            authority,
            object: APPLIANCE.to_owned(),
        }
    }

    /// The key of an HMC.
    pub fn console(authority: Authority) -> TargetKey {
        TargetKey {
            vendor: VendorType::Hmc,
            authority,
            object: CONSOLE.to_owned(),
        }
    }

    /// The key of the devices of one type (IAP, MAS, HP, CX or CONTROLLER) of a customer of Aruba Central.
    pub fn customer(authority: Authority, id: &str, device_type: &str) -> TargetKey {
        TargetKey {
            vendor: VendorType::ArubaCentral,
            authority,
            object: format!("{CUSTOMER}{id}/{device_type}"),
        }
    }

    /// The key that such an object belongs to; `None` where it is the object of another kind of target.
    pub fn customer_object(authority: Authority, object: &str) -> Option<TargetKey> {
        let (id, device_type) = object.strip_prefix(CUSTOMER)?.split_once('/')?;
        Some(TargetKey::customer(authority, id, device_type))
    }

    /// Customer and device type of such a key.
    pub fn as_customer(&self) -> Option<(&str, &str)> {
        let of_central = self.vendor == VendorType::ArubaCentral;
        self.object.strip_prefix(CUSTOMER).filter(|_| of_central)?.split_once('/')
    }

    /// The endpoint itself is the target: there is no other object there, and people know it by the Connection that leads to it.
    pub fn is_endpoint(&self) -> bool {
        matches!(self.vendor, VendorType::RecoveryAppliance | VendorType::Hmc)
    }

    /// Reads the canonical form back; `None` for a text that is not the canonical form of any key.
    pub fn parse(canonical: &str) -> Option<TargetKey> {
        let mut parts = canonical.splitn(3, '|');
        let (slug, host, object) = (parts.next()?, parts.next()?, parts.next()?);
        let vendor = VendorType::ALL.into_iter().find(|v| v.slug() == slug)?;
        let authority = Authority::from_url(&format!("https://{host}"))
            .ok()
            .filter(|a| a.as_str() == host)?;
        Some(TargetKey {
            vendor,
            authority,
            object: object.to_owned(),
        })
    }

    /// `type|authority|object`, for people and compared on every read.
    pub fn canonical(&self) -> String {
        format!("{}|{}|{}", self.vendor.slug(), self.authority, self.object)
    }

    /// First 20 characters of the lowercase unpadded base32 of the sha256 over the parts, each prefixed by its length in bytes
    /// as a big-endian 32-bit number, so that no two different keys share an input.
    pub fn hash(&self) -> String {
        let mut sha = Sha256::new();
        for part in [self.vendor.slug(), self.authority.as_str(), &self.object] {
            sha.update(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            sha.update(part.as_bytes());
        }
        let mut text = BASE32_NOPAD.encode(&sha.finalize()).to_lowercase();
        text.truncate(HASH_CHARS);
        text
    }

    /// Name of the receipt with this sequence number in this target's ledger.
    pub fn receipt_name(&self, seq: u32) -> String {
        format!("{}-{}-{seq:05}", self.vendor.slug(), self.hash())
    }
}

impl fmt::Display for TargetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.canonical())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(vendor: VendorType, url: &str, object: &str) -> TargetKey {
        TargetKey {
            vendor,
            authority: Authority::from_url(url).unwrap(),
            object: object.to_owned(),
        }
    }

    /// Receipts of every past version are found by these. The first was also computed by hand, in Python:
    /// `base64.b32encode(sha256(b"".join(struct.pack(">I", len(p)) + p for p in parts)).digest()).lower()[:20]`; so were the others.
    #[test]
    fn the_persisted_hashes_never_change() {
        for (vendor, url, object, canonical, hash) in [
            (
                VendorType::VCenter,
                "https://vc1.example",
                "domain-c8",
                "vcenter|vc1.example:443|domain-c8",
                "4zur24ls5xnrf3hvwxdm",
            ),
            (
                VendorType::ArubaCentral,
                "https://apigw-prod2.central.arubanetworks.com",
                "customer/4d1c9a70/CX",
                "arubacentral|apigw-prod2.central.arubanetworks.com:443|customer/4d1c9a70/CX",
                "2rfqdafptfb25eozl5r3",
            ),
            (
                VendorType::Hmc,
                "https://hmc1.bank.example:6794",
                "console",
                "hmc|hmc1.bank.example:6794|console",
                "3gcf56nlseiyiyh2wy7l",
            ),
            (
                VendorType::RecoveryAppliance,
                "https://srm-a.dr.example",
                "appliance",
                "recoveryappliance|srm-a.dr.example:443|appliance",
                "7qwutg7yfnmu7rnf5g36",
            ),
            (
                VendorType::VCenter,
                "https://[2001:DB8:0::1]:8443/",
                "domain-c8",
                "vcenter|[2001:db8::1]:8443|domain-c8",
                "j7x5rsfbfzvcikkdgfnk",
            ),
            (
                VendorType::VCenter,
                "https://BÜCHER.example",
                "domain-c21",
                "vcenter|xn--bcher-kva.example:443|domain-c21",
                "nf473jyo67imj4neilso",
            ),
        ] {
            let key = key(vendor, url, object);
            assert_eq!(key.canonical(), canonical);
            assert_eq!(key.hash(), hash, "{canonical}");
            assert_eq!(key.receipt_name(2), format!("{}-{hash}-00002", vendor.slug()));
        }
    }

    #[test]
    fn spellings_of_one_endpoint_are_one_authority() {
        let canonical = Authority::from_url("https://vc1.example").unwrap();
        for same in [
            "https://VC1.example",
            "https://vc1.example:443",
            "https://vc1.example/",
            "https://vc1.example.",
        ] {
            assert_eq!(Authority::from_url(same).unwrap(), canonical, "{same}");
        }
        assert_eq!(canonical.as_str(), "vc1.example:443");
        assert_eq!(
            Authority::from_url("https://bücher.example").unwrap().as_str(),
            "xn--bcher-kva.example:443"
        );
        assert_eq!(Authority::from_url("https://[::1]:8443").unwrap().as_str(), "[::1]:8443");
    }

    #[test]
    fn anything_but_a_bare_https_authority_is_refused() {
        for bad in [
            "http://vc1",
            "https://u@vc1",
            "https://u:p@vc1",
            "https://vc1/api",
            "https://vc1?x=1",
            "https://vc1#f",
            "vc1",
            "https://",
            "https://.",
            "https://10..",
            "https://0xa.1..",
        ] {
            assert!(Authority::from_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn no_two_keys_share_a_hash_input() {
        let a = key(VendorType::VCenter, "https://vc1:44", "3x");
        let b = key(VendorType::VCenter, "https://vc1:443", "x");
        assert_ne!(a.hash(), b.hash());
    }

    #[test]
    fn receipt_names_are_valid_object_names_and_sort_by_sequence() {
        let k = key(VendorType::RecoveryAppliance, "https://srm-a.dr.example", "appliance");
        let name = k.receipt_name(7);
        assert!(
            name.len() <= 63 && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'),
            "{name}"
        );
        assert!(k.receipt_name(7) < k.receipt_name(12));
    }
}
