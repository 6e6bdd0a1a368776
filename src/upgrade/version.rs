//! Comparing version strings of four vendors that share no scheme (protocol, section 7).
//!
//! A version is cut into tokens at every non-alphanumeric character and between letters and digits. Numbers compare as numbers of any
//! length. What is *sent* is never derived from this: it is byte-equal to what the vendor lists.

use std::cmp::Ordering;

/// How the version asked for relates to the one the target is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Asked for is newer.
    Newer,
    /// Asked for is older.
    Older,
    /// No difference over the shorter of the two.
    Same,
    /// They differ first in words: nobody can say.
    Incomparable,
}

#[derive(Debug, PartialEq, Eq)]
enum Token<'a> {
    /// Digits without leading zeros, so that length and then text order them.
    Number(&'a str),
    Word(&'a str),
}

fn tokens(version: &str) -> Vec<Token<'_>> {
    let mut out = Vec::new();
    for part in version.split(|c: char| !c.is_ascii_alphanumeric()) {
        let mut rest = part;
        while let Some(first) = rest.chars().next() {
            let digits = first.is_ascii_digit();
            let end = rest.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(rest.len());
            let (token, tail) = rest.split_at(end);
            out.push(if digits {
                Token::Number(token.trim_start_matches('0'))
            } else {
                Token::Word(token)
            });
            rest = tail;
        }
    }
    out
}

/// True when a target that reports `current` is at the version asked for: `desired` is a token prefix of `current`.
///
/// "9.0.0" is met by "9.0.0-10010"; "9.0.0-1001" is not.
pub fn is_at(desired: &str, current: &str) -> bool {
    let (desired, current) = (tokens(desired), tokens(current));
    !desired.is_empty() && current.starts_with(&desired)
}

/// How `desired` relates to `current`: the first differing pair of tokens decides.
pub fn order(desired: &str, current: &str) -> Order {
    for pair in tokens(desired).iter().zip(&tokens(current)) {
        match pair {
            (Token::Number(d), Token::Number(c)) => match d.len().cmp(&c.len()).then_with(|| d.cmp(c)) {
                Ordering::Equal => {}
                Ordering::Greater => return Order::Newer,
                Ordering::Less => return Order::Older,
            },
            (d, c) if d == c => {}
            _ => return Order::Incomparable,
        }
    }
    Order::Same
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_table_of_versions_seen_at_the_four_vendors() {
        for (desired, current, expected) in [
            ("v1.30.5+vmware.2", "v1.29.7+vmware.1", Order::Newer),
            ("v1.29.7+vmware.1", "v1.30.5+vmware.2", Order::Older),
            ("v1.30.5+vmware.10", "v1.30.5+vmware.9", Order::Newer),
            ("9.0.2-10455", "9.0.0-10010", Order::Newer),
            ("10.13.1010", "10.13.1010", Order::Same),
            ("9.0.0", "9.0.0-10010", Order::Same),
            ("H41", "H30", Order::Newer),
            ("H41", "J41", Order::Incomparable),
            ("1.a", "1.2", Order::Incomparable),
            ("1.010", "1.10", Order::Same),
            ("99999999999999999999999999", "9999999999999999999999999", Order::Newer),
            ("", "1", Order::Same),
        ] {
            assert_eq!(order(desired, current), expected, "{desired} against {current}");
        }
    }

    #[test]
    fn a_shorter_number_never_passes_for_a_longer_one() {
        assert!(is_at("9.0.0", "9.0.0-10010"));
        assert!(is_at("v1.30.5+vmware.2", "v1.30.5+vmware.2-fips"));
        assert!(!is_at("9.0.0-1001", "9.0.0-10010"));
        assert!(!is_at("9.0.0-10011", "9.0.0-10010"));
        assert!(!is_at("9.0.0-10010", "9.0.0"));
        assert!(!is_at("", "9.0.0"));
    }

    proptest! {
        #[test]
        fn order_is_antisymmetric_and_a_version_is_at_itself(a in "[a-z0-9.+-]{0,20}", b in "[a-z0-9.+-]{0,20}") {
            let expected = match order(&a, &b) {
                Order::Newer => Order::Older,
                Order::Older => Order::Newer,
                same => same,
            };
            prop_assert_eq!(order(&b, &a), expected);
            prop_assert_eq!(order(&a, &a), Order::Same);
            prop_assert_eq!(is_at(&a, &a), a.chars().any(|c| c.is_ascii_alphanumeric()));
        }

        #[test]
        fn being_at_a_version_excludes_being_older_or_newer(a in "[a-c0-9.+-]{1,12}", b in "[a-c0-9.+-]{1,12}") {
            if is_at(&a, &b) {
                prop_assert_eq!(order(&a, &b), Order::Same);
            }
        }

        #[test]
        fn any_bytes_are_survived(a in ".*", b in ".*") {
            let _ = (order(&a, &b), is_at(&a, &b));
        }
    }
}
