//! What of an answer's headers is read: how many calls are left, and the cookies of a login.
//!
//! Everything is bounded, and what is not as it should be is not there.

use std::fmt;

use reqwest::header::HeaderMap;
use reqwest::header::SET_COOKIE;
use secrecy::ExposeSecret;
use secrecy::SecretString;

/// Most cookies of one answer that are kept. A login sets two.
const MOST_COOKIES: usize = 16;

/// Longest name, and value, of a cookie that is one.
const LONGEST_COOKIE: usize = 4096;

/// How many calls there may be, and how many are left, as a vendor's gateway says it (`X-RateLimit-...`, Aruba Central).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Calls of a day.
    pub per_day: Option<u32>,
    /// Of those, the ones that are left.
    pub left_today: Option<u32>,
    /// Calls of a second.
    pub per_second: Option<u32>,
    /// Of those, the ones that are left.
    pub left_this_second: Option<u32>,
}

impl Limits {
    pub(super) fn read(headers: &HeaderMap) -> Limits {
        let number = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).and_then(number);
        Limits {
            per_day: number("x-ratelimit-limit-day"),
            left_today: number("x-ratelimit-remaining-day"),
            per_second: number("x-ratelimit-limit-second"),
            left_this_second: number("x-ratelimit-remaining-second"),
        }
    }
}

/// Digits only; what overflows is as good as no limit, and none.
fn number(text: &str) -> Option<u32> {
    let text = text.trim();
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Cookies: credentials, each of them. `Debug` shows none.
#[derive(Clone, Default)]
pub struct Cookies(Vec<(String, SecretString)>);

impl Cookies {
    pub(super) fn read(headers: &HeaderMap) -> Cookies {
        let texts = headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
        Cookies(texts.filter_map(cookie).take(MOST_COOKIES).collect())
    }

    /// The value of the last one of this name: it takes the place of those before it (RFC 6265, 5.3).
    pub fn get(&self, name: &str) -> Option<&SecretString> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

impl fmt::Debug for Cookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cookies", self.0.len())
    }
}

/// Name and value, without attributes; `None` for what would not survive being sent back.
fn cookie(text: &str) -> Option<(String, SecretString)> {
    let (name, value) = text.split(';').next()?.split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    let fits = |part: &str| (1..=LONGEST_COOKIE).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_graphic() && b != b',');
    (fits(name) && fits(value)).then(|| (name.to_owned(), SecretString::from(value)))
}

impl PartialEq for Cookies {
    fn eq(&self, other: &Cookies) -> bool {
        let same = |((a, x), (b, y)): (&(String, SecretString), &(String, SecretString))| a == b && x.expose_secret() == y.expose_secret();
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(same)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::header::HeaderName;
    use reqwest::header::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &[u8])]) -> HeaderMap {
        let mut all = HeaderMap::new();
        for (name, value) in pairs {
            all.append(HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap());
        }
        all
    }

    #[test]
    fn only_plain_numbers_are_limits() {
        for (text, expected) in [
            ("4999", Some(4999)),
            (" 7 ", Some(7)),
            ("0", Some(0)),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("4294967296", None),
            ("many", None),
        ] {
            let told = Limits::read(&headers(&[("x-ratelimit-remaining-day", text.as_bytes())]));
            assert_eq!(told.left_today, expected, "{text:?}");
            assert_eq!((told.per_day, told.per_second, told.left_this_second), (None, None, None));
        }
    }

    #[test]
    fn a_cookie_is_its_name_and_value_and_shows_neither() {
        let told = Cookies::read(&headers(&[
            ("set-cookie", b"csrftoken=abc; Path=/; Secure"),
            ("set-cookie", b"session=old"),
            ("set-cookie", b"session=canary=; HttpOnly"),
            ("set-cookie", b"empty="),
            ("set-cookie", b"no cookie"),
            ("set-cookie", b"two=a b"),
        ]));
        let value = |name| told.get(name).map(ExposeSecret::expose_secret);
        assert_eq!((value("csrftoken"), value("session")), (Some("abc"), Some("canary=")));
        assert_eq!((value("empty"), value("two"), value("Session")), (None, None, None));
        assert_eq!(format!("{told:?}"), "3 cookies");
    }

    proptest! {
        #[test]
        fn a_limit_of_any_bytes_is_the_number_that_it_says_or_none(
            values in prop::collection::vec(prop::collection::vec(any::<u8>().prop_filter("no control", |b| *b == b'\t' || *b >= 32 && *b != 127), 0..40), 4),
            numbers in prop::array::uniform4(any::<u32>()),
        ) {
            let names = ["x-ratelimit-limit-day", "x-ratelimit-remaining-day", "x-ratelimit-limit-second", "x-ratelimit-remaining-second"];
            let pairs: Vec<(&'static str, &[u8])> = names.into_iter().zip(values.iter().map(Vec::as_slice)).collect();
            let told = Limits::read(&headers(&pairs));
            let all = [told.per_day, told.left_today, told.per_second, told.left_this_second];
            for (value, told) in values.iter().zip(all) {
                let plain = std::str::from_utf8(value).ok().filter(|text| text.is_ascii()).map(str::trim).filter(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()));
                prop_assert_eq!(told, plain.and_then(|text| text.parse::<u32>().ok()));
            }
            let texts = numbers.map(|number| number.to_string());
            let pairs: Vec<(&'static str, &[u8])> = names.into_iter().zip(texts.iter().map(String::as_bytes)).collect();
            let told = Limits::read(&headers(&pairs));
            prop_assert_eq!([told.per_day, told.left_today, told.per_second, told.left_this_second], numbers.map(Some));
        }

        #[test]
        fn whatever_is_a_cookie_can_be_sent_back(values in prop::collection::vec(prop::collection::vec(32..=126_u8, 0..60), 0..40)) {
            let all: Vec<(&'static str, &[u8])> = values.iter().map(|value| ("set-cookie", value.as_slice())).collect();
            let cookies = Cookies::read(&headers(&all));
            prop_assert!(cookies.0.len() <= MOST_COOKIES);
            for (name, value) in &cookies.0 {
                let sent = format!("{name}={}", value.expose_secret());
                prop_assert!(HeaderValue::from_str(&sent).is_ok());
                prop_assert!(!value.expose_secret().contains(';'));
            }
        }
    }
}
