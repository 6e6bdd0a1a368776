//! What may never be repeated: session ids, passwords, tokens of any kind.
//!
//! Error bodies echo what they are about: an HMC's the whole request (`request-headers`, `request-body`), and Aruba Central is given secrets in
//! the query of a URL. So of a body only few fields are ever read; and their text goes no further when it quotes one of these. Whoever turns a
//! vendor's text into words for people asks here first. It compares, and keeps nothing beyond one answer.

use secrecy::ExposeSecret;
use secrecy::SecretString;

use crate::vendor::text::sanitize;

/// What is known of the secrets of one exchange with a vendor.
pub(super) enum Hush {
    /// These are all of them.
    Secrets(Vec<SecretString>),
    /// Nobody asks, so they are not at hand: no words at all are repeated.
    Everything,
}

impl Hush {
    /// Of these.
    pub fn of(secrets: impl IntoIterator<Item = SecretString>) -> Hush {
        Hush::Secrets(secrets.into_iter().collect())
    }

    /// The vendor's text as one short line; `None` where nothing is left of it, or where it quotes a secret.
    pub fn words(&self, text: &str) -> Option<String> {
        let Hush::Secrets(secrets) = self else { return None };
        let clean = sanitize(text);
        // As it came, since a cut may leave half a secret; and cleaned, since what hides a secret from the eye hides it from us, too.
        let told = secrets.iter().any(|secret| quotes(text, secret) || quotes(&clean, secret));
        (!clean.is_empty() && !told).then_some(clean)
    }
}

/// Plain, escaped as in a JSON body that was put into a text, percent-encoded as in a URL, or encoded as in a query.
fn quotes(text: &str, secret: &SecretString) -> bool {
    let secret = secret.expose_secret();
    let written = serde_json::Value::from(secret).to_string();
    let escaped = written.trim_matches('"');
    let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    // An empty text is in every other.
    !secret.is_empty()
        && (text.contains(secret)
            || !escaped.is_empty() && text.contains(escaped)
            || text.contains(&encoded)
            || unescaped(text).contains(secret))
}

/// The text with each `%XX` as the byte that it stands for. Which characters a URL's writer escapes is their choice, so it is the text that
/// is read and not the secret that is written.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.first_chunk::<2>().filter(|_| *first == b'%');
        let byte = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hush(secrets: &[&str]) -> Hush {
        Hush::of(secrets.iter().map(|secret| SecretString::from(*secret)))
    }

    #[test]
    fn a_message_that_quotes_a_secret_is_dropped_however_it_is_written() {
        let hush = hush(&["sesame", "p\"w\\1", ""]);
        for text in [
            "sesame",
            "the session sesame is not known",
            "ses\u{200b}ame",
            "user=a password=p\"w\\1",
            r#"the body was {"password":"p\"w\\1"}"#,
            "no such thing: /oauth2/token?client_secret=p%22w%5C1",
            "cannot get ftp://user:s%65same@host/",
            "cannot get ftp://user:p%22w%5c1@host/",
            &format!("{} sesame", "x".repeat(600)),
        ] {
            assert_eq!(hush.words(text), None, "{text}");
        }
        assert_eq!(
            hush.words(" The bundle\nis not there. ").as_deref(),
            Some("The bundle is not there.")
        );
        assert_eq!(hush.words("\u{200b}\n"), None);
        assert_eq!(Hush::Everything.words("harmless"), None);
    }

    proptest! {
        #[test]
        fn whatever_stands_around_a_secret_it_is_never_repeated(before in any::<String>(), secret in "[!-~]{1,12}", after in any::<String>()) {
            let text = format!("{before}{secret}{after}");
            prop_assert_eq!(hush(&[&secret]).words(&text), None);
        }
    }
}
