//! Asking for the word: on a terminal, or of whatever is on standard input.

use std::io;
use std::io::BufRead;
use std::io::Write;

use super::Known;
use super::Verdict;
use super::fits;
use super::reason_fits;
use crate::vendor::text::harmless;

/// The verdict and the reason: those that were given, else asked for. `None`: nobody wants to say anything, or the input is over.
pub fn word(
    input: &mut impl BufRead,
    out: &mut impl Write,
    verdict: Option<Verdict>,
    reason: Option<&str>,
    sure: bool,
    known: &Known,
) -> anyhow::Result<Option<(Verdict, String)>> {
    let verdict = match verdict {
        Some(verdict) => {
            fits(known, verdict)?;
            verdict
        }
        None => match ask_verdict(input, out, known)? {
            Some(verdict) => verdict,
            None => return Ok(None),
        },
    };
    let reason = match reason {
        Some(reason) => harmless(reason),
        None => match line(input, out, "how do you know? ")? {
            Some(reason) => reason,
            None => return Ok(None),
        },
    };
    reason_fits(&reason)?;
    if sure {
        return Ok(Some((verdict, reason)));
    }
    if verdict == Verdict::NotStarted {
        writeln!(out, "if it was started after all, NotStarted lets Windlass start it a second time")?;
    }
    let question = format!("write {} to receipt {}, for ever? (yes/no) ", verdict.word(), known.record.receipt);
    let sure = line(input, out, &question)?;
    Ok(sure.filter(|answer| answer.eq_ignore_ascii_case("yes")).map(|_| (verdict, reason)))
}

/// Asks until it is a word that fits.
fn ask_verdict(input: &mut impl BufRead, out: &mut impl Write, known: &Known) -> anyhow::Result<Option<Verdict>> {
    let fitting: Vec<Verdict> = Verdict::ALL.into_iter().filter(|v| fits(known, *v).is_ok()).collect();
    let words: Vec<&str> = fitting.iter().map(|v| v.word()).collect();
    let question = format!("what became of it? ({}; empty to leave it) ", words.join(", "));
    loop {
        let Some(answer) = line(input, out, &question)? else {
            return Ok(None);
        };
        if let Some(verdict) = fitting.iter().find(|v| v.word().eq_ignore_ascii_case(&answer)) {
            return Ok(Some(*verdict));
        }
        writeln!(out, "{answer:?} is none of {}", words.join(", "))?;
    }
}

/// One line of an answer; `None` for an empty one, and at the end of the input.
fn line(input: &mut impl BufRead, out: &mut impl Write, question: &str) -> io::Result<Option<String>> {
    write!(out, "{question}")?;
    out.flush()?;
    let mut answer = String::new();
    if input.read_line(&mut answer)? == 0 {
        writeln!(out)?;
        return Ok(None);
    }
    Ok(Some(harmless(&answer)).filter(|answer| !answer.is_empty()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::known;
    use super::*;

    fn told(typed: &str, verdict: Option<Verdict>, reason: Option<&str>, sure: bool) -> (Option<(Verdict, String)>, String) {
        let mut out = Vec::new();
        let word = word(&mut typed.as_bytes(), &mut out, verdict, reason, sure, &known(&json!({}))).unwrap();
        (word, String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_word_is_asked_for_with_its_reason_and_once_more() {
        let (word, out) = told("notstarted\nasked IBM, PMR 12345\nyes\n", None, None, false);
        assert_eq!(word, Some((Verdict::NotStarted, "asked IBM, PMR 12345".to_owned())));
        assert!(out.contains("start it a second time"), "{out}");
    }

    #[test]
    fn nothing_is_written_that_was_not_said_twice() {
        for typed in [
            "",
            "\n",
            "started\n",
            "started\n\n",
            "started\nseen\n",
            "started\nseen\nno\n",
            "started\nseen\ny\n",
        ] {
            assert_eq!(told(typed, None, None, false).0, None, "{typed:?}");
        }
        assert_eq!(told("", Some(Verdict::Failed), Some("seen"), false).0, None, "the input is over");
        assert!(told("", Some(Verdict::Failed), Some("seen"), true).0.is_some());
    }

    #[test]
    fn a_word_that_is_none_is_asked_for_again() {
        let (word, out) = told("maybe\nFailed\nthe log says so\nYES\n", None, None, false);
        assert_eq!(word.map(|w| w.0), Some(Verdict::Failed));
        assert!(out.contains("\"maybe\" is none of NotStarted, Started, Succeeded, Failed"), "{out}");
    }

    #[test]
    fn a_reason_that_says_nothing_or_too_much_is_refused() {
        let mut out = Vec::new();
        let long = "x".repeat(1025);
        for reason in ["", " \n", long.as_str()] {
            let refused = word(
                &mut &b""[..],
                &mut out,
                Some(Verdict::Failed),
                Some(reason),
                true,
                &known(&json!({})),
            );
            assert!(refused.is_err(), "{reason:?}");
        }
    }
}
