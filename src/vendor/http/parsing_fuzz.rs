//! What is read from a server's head, from a Connection and from the command line, as any text at all.

use std::net::IpAddr;
use std::net::Ipv6Addr;

use jiff::Timestamp;
use proptest::prelude::*;

use super::clients::bundle;
use super::reply::retry_after;
use super::*;
use crate::upgrade::target::TargetKey;
use crate::upgrade::target::VendorType;

/// Hosts, ports and what may be around them, in every order; some of it spells addresses in the ways that URLs know.
fn urls() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "https://",
        "http://",
        "//",
        "/",
        "\\",
        ":",
        "@",
        "?",
        "#",
        "|",
        "%2e",
        "%00",
        " ",
        "\t",
        "\n",
        ".",
        "..",
        "-",
        "_",
        "*",
        "[",
        "]",
        "::",
        "::1",
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "0177.0.0.1",
        "2130706433",
        "0xa",
        "1",
        "10",
        "256",
        "vc1",
        "VC1",
        "example",
        "localhost",
        "bücher",
        "xn--bcher-kva",
        "xn--",
        "ß",
        "。",
        "１",
        "ﬁ",
        "\u{ad}",
        "\u{200d}",
        "443",
        "65535",
        "65536",
        "0",
    ]);
    prop_oneof![
        4 => prop::collection::vec(part.clone(), 1..6).prop_map(|parts| format!("https://{}", parts.concat())),
        1 => prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat()),
        1 => any::<String>(),
        1 => any::<String>().prop_map(|host| format!("https://{host}")),
    ]
}

fn dates() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "Sun,", "Mon,", "22", "0", "99", "Nov", "Foo", "2026", "9999", "0000", "-1", "10:00:00", "24:00:60", "GMT", "+9959", "UT", "-",
        "(", ")", "\\", "\0",
    ]);
    prop_oneof![
        Just("Sun, 22 Nov 2026 10:01:30 GMT".to_owned()),
        prop::collection::vec(word, 0..9).prop_map(|words| words.join(" ")),
        "-?[0-9]{0,40}",
        any::<String>(),
    ]
}

fn ips() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<std::net::Ipv4Addr>().prop_map(IpAddr::from),
        any::<Ipv6Addr>().prop_map(IpAddr::from)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn one_endpoint_has_one_authority_and_it_is_the_one_that_is_connected_to(url in urls()) {
        match Authority::from_url(&url) {
            Ok(authority) => {
                let again = Authority::from_url(&authority.base_url());
                prop_assert_eq!(again.as_ref(), Ok(&authority), "{}", url);
                let base = Url::parse(&authority.base_url()).unwrap();
                let connected = format!("{}:{}", base.host_str().unwrap(), base.port_or_known_default().unwrap());
                prop_assert_eq!(authority.as_str(), connected, "{}", url);
                prop_assert!(base.username().is_empty() && base.password().is_none() && base.path() == "/" && base.query().is_none());
                let key = TargetKey { vendor: VendorType::VCenter, authority, object: "domain-c8".to_owned() };
                prop_assert_eq!(TargetKey::parse(&key.canonical()), Some(key));
            }
            Err(error) => {
                let shown = VendorError::NoRequest { operation: "connect", why: error.to_string() };
                prop_assert!(shown.message().chars().count() <= 512);
            }
        }
    }

    #[test]
    fn a_key_is_read_back_as_it_was_written_or_not_at_all(text in prop_oneof![any::<String>(), urls().prop_map(|url| format!("vcenter|{url}|x")), "(vcenter|hmc|x)[|](vc1|VC1|10.1)(:443|:0443|:|)[|].*"]) {
        if let Some(key) = TargetKey::parse(&text) {
            prop_assert_eq!(key.canonical(), text);
            prop_assert!(key.receipt_name(u32::MAX).len() <= 63);
        }
    }

    #[test]
    fn a_pause_of_any_text_is_one_or_none(text in dates(), now in prop_oneof![Just(Timestamp::UNIX_EPOCH), Just(Timestamp::MIN), Just(Timestamp::MAX)]) {
        let pause = retry_after(&text, now);
        if !text.trim().is_empty() && text.trim().bytes().all(|b| b.is_ascii_digit()) {
            prop_assert!(pause.is_some());
        }
        if text.trim().starts_with('-') {
            prop_assert_eq!(pause, None);
        }
        // The longest does not overflow what is done with it.
        let limiter = Limiter::new(NonZeroU32::MIN, Duration::MAX, Clock::system());
        limiter.pause(pause.unwrap_or(Duration::MAX));
    }

    #[test]
    fn a_fence_is_never_talked_around(ip in ips(), host in urls(), listed in prop::collection::vec(any::<String>(), 0..3)) {
        let fence = Fence::default();
        let literal = match ip {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => format!("[{v6}]"),
        };
        prop_assert_eq!(fence.check_host(&literal).is_ok(), fence.check(ip).is_ok());
        prop_assert_eq!(fence.check(ip).is_ok(), fence.filter("h", vec![ip]).is_ok());
        if let IpAddr::V4(v4) = ip {
            prop_assert_eq!(fence.check(ip).is_ok(), fence.check(v4.to_ipv6_mapped().into()).is_ok());
        }
        let _ = fence.check_host(&host);
        let _ = fence.only_hosts(listed).check_host(&host);
    }

    #[test]
    fn a_range_of_any_text_is_read_or_refused(text in prop_oneof![any::<String>(), "[0-9a-f:.]{0,20}/[0-9-]{0,5}"], ip in ips()) {
        if let Ok(range) = text.parse::<ipnet::IpNet>() {
            let denied = Fence::default().deny([range]).check(ip).is_err();
            prop_assert!(!range.contains(&ip) || denied);
            prop_assert!(!range.contains(&ip) || Fence::default().allow([range]).check(ip).is_ok());
        }
    }
}

/// A good bundle, torn in one place or put together from pieces.
fn bundles() -> impl Strategy<Value = String> {
    let good = rcgen::generate_simple_self_signed(["vc1.example".to_owned()]).unwrap().cert.pem();
    let pieces = prop::sample::select(vec![
        good.clone(),
        "-----BEGIN CERTIFICATE-----\n".to_owned(),
        "-----END CERTIFICATE-----\n".to_owned(),
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".to_owned(),
        "-----BEGIN ".to_owned(),
        "=\n".to_owned(),
        "MIIB".to_owned(),
        "\u{feff}\r\n".to_owned(),
    ]);
    let torn = (any::<prop::sample::Index>(), any::<char>()).prop_map(move |(at, c)| {
        let mut text: Vec<char> = good.chars().collect();
        let at = at.index(text.len());
        text[at] = c;
        text.into_iter().collect::<String>()
    });
    prop_oneof![torn, prop::collection::vec(pieces, 0..6).prop_map(|p| p.concat()), any::<String>()]
}

proptest! {
    #[test]
    fn a_bundle_of_any_text_is_trusted_whole_or_refused_in_few_words(text in bundles()) {
        match bundle(&text) {
            Ok(roots) => {
                let begun = text.split(['\n', '\r']).filter(|line| line.starts_with("-----BEGIN CERTIFICATE-----"));
                prop_assert_eq!(roots.len(), begun.count(), "{}", text);
            }
            Err(error) => prop_assert!(error.message().chars().count() <= 512 && error.reason() == "TLSUntrusted"),
        }
    }
}
