//! Text from outside, made fit for a status, an Event or a log line.
//!
//! A vendor's body never gets there: only fields that were parsed from the vendor's own error shape, through [`sanitize`]; anything
//! else is named by what it looks like and how long it is ([`describe_body`]). Otherwise a Connection that points at an internal
//! service would be a way to read it.

/// Longest text that reaches a person, in characters.
pub const LONGEST: usize = 512;

/// One line of at most [`LONGEST`] characters, without control characters and without the invisible ones that reorder or hide text.
pub fn sanitize(text: &str) -> String {
    let whole = harmless(text);
    if whole.chars().count() <= LONGEST {
        return whole;
    }
    // Room for the mark is made by leaving out one more.
    whole.chars().take(LONGEST - 1).chain(std::iter::once('…')).collect()
}

/// One line of any length, without control characters and without the invisible ones that reorder or hide text. What a terminal is shown
/// goes through here at the latest: a status may hold what somebody else than Windlass wrote.
pub fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut space = false;
    for c in text.chars() {
        if c.is_control() || c.is_whitespace() {
            space = true;
            continue;
        }
        if invisible(c) {
            continue;
        }
        if std::mem::take(&mut space) && !out.is_empty() {
            out.push(' ');
        }
        out.push(c);
    }
    out
}

/// Characters that print nothing themselves but change what is seen: zero-width, joiners, direction overrides, byte order mark, tags.
fn invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// What a body looks like and how long it is; never what it says.
pub fn describe_body(body: &[u8]) -> String {
    let kind = match body {
        [] => return "an empty body".to_owned(),
        _ if is_html(body) => "HTML",
        _ if serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok() => "JSON",
        _ if std::str::from_utf8(body).is_ok() => "text",
        _ => "binary data",
    };
    format!("{kind}, {} bytes", body.len())
}

/// Whether a body starts like a web page.
pub fn is_html(body: &[u8]) -> bool {
    let start = body.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(body.len());
    let head: Vec<u8> = body.iter().skip(start).take(15).map(u8::to_ascii_lowercase).collect();
    head.starts_with(b"<!doctype html") || head.starts_with(b"<html")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn control_characters_and_direction_overrides_are_gone() {
        assert_eq!(sanitize("a\r\nb\tc\u{1b}[31md\u{202e}e\u{0}"), "a b c [31mde");
    }

    #[test]
    fn long_text_is_cut_with_a_mark() {
        let cut = sanitize(&"ä".repeat(600));
        assert_eq!(cut.chars().count(), LONGEST);
        assert!(cut.ends_with('…'));
        assert_eq!(sanitize(&"ä".repeat(512)), "ä".repeat(512));
    }

    #[test]
    fn bodies_are_named_never_quoted() {
        assert_eq!(describe_body(b"\n <!DOCTYPE html><title>secret</title>"), "HTML, 38 bytes");
        assert_eq!(describe_body(b"<HTML>"), "HTML, 6 bytes");
        assert_eq!(describe_body(b"{\"a\":1}"), "JSON, 7 bytes");
        assert_eq!(describe_body(b"root:x:0:0"), "text, 10 bytes");
        assert_eq!(describe_body(&[0xff, 0xfe]), "binary data, 2 bytes");
        assert_eq!(describe_body(b""), "an empty body");
    }

    proptest! {
        #[test]
        fn whatever_comes_in_is_one_short_printable_line(text in any::<String>(), times in 1..200_usize) {
            let out = sanitize(&text.repeat(times));
            prop_assert!(out.chars().count() <= LONGEST);
            prop_assert!(!out.chars().any(|c| c.is_control() || invisible(c)));
        }
    }
}
