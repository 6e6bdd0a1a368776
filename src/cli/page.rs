//! How answers look: colours, bars, columns, and times in words.
//!
//! Every verb hands a [`Page`] to its renderer, which is pure: the time, the zone, and whether colours are wanted come in. Texts from the
//! cluster were made harmless where they were read ([`cluster`](super::cluster)).

use std::io::IsTerminal;

use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::upgrade::schedule::At;

/// What an answer is written on.
#[derive(Clone, Debug)]
pub struct Page {
    /// What people type to run this program.
    pub me: &'static str,
    /// Colours, or none.
    pub paint: Paint,
    /// The time that the answer is of.
    pub now: Timestamp,
    /// The zone of whoever reads it.
    pub zone: TimeZone,
}

impl Page {
    /// The page of standard output.
    pub fn of_stdout(me: &'static str, now: Timestamp) -> Page {
        Page {
            me,
            paint: Paint::of_stdout(),
            now,
            zone: local_zone(),
        }
    }

    /// `Sat 28 Nov 01:00 Europe/Madrid`, on the clock of whoever reads it.
    pub fn moment(&self, at: Timestamp) -> String {
        self.moment_in(at, &self.zone)
    }

    /// The same on the clock of a zone.
    pub fn moment_in(&self, at: Timestamp, zone: &TimeZone) -> String {
        // People read minutes: a second more or less is nobody's concern here.
        let at = At {
            instant: Timestamp::from_second(at.as_second() - at.as_second().rem_euclid(60)).unwrap_or(at),
            zone: zone.clone(),
        };
        at.words(self.now)
    }

    /// `Sat 28 Nov 01:00 Europe/Madrid (in 5d 8h)`.
    pub fn moment_and_wait(&self, at: Timestamp) -> String {
        format!("{} ({})", self.moment(at), self.apart(at))
    }

    /// `in 5d 8h` or `3m ago`.
    pub fn apart(&self, at: Timestamp) -> String {
        let apart = at.duration_since(self.now);
        if apart.is_positive() {
            format!("in {}", span(apart))
        } else {
            format!("{} ago", span(apart))
        }
    }

    /// `3m`, without a direction.
    pub fn age(&self, at: Timestamp) -> String {
        span(at.duration_since(self.now))
    }
}

/// The two largest units of a span: `5d 8h`, `12m`, `40s`.
pub fn span(apart: SignedDuration) -> String {
    let seconds = apart.abs().as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    let two = |a: i64, unit: &str, b: i64, small: &str| {
        if b == 0 {
            format!("{a}{unit}")
        } else {
            format!("{a}{unit} {b}{small}")
        }
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m"),
        (0, _, _) => two(hours, "h", minutes, "m"),
        _ => two(days, "d", hours, "h"),
    }
}

/// The zone of this machine; UTC where it has none with a name.
#[expect(
    clippy::disallowed_methods,
    reason = "people read times on their own clock; no decision rests on it"
)]
fn local_zone() -> TimeZone {
    let zone = TimeZone::system();
    match zone.iana_name() {
        Some(_) if !zone.is_unknown() => zone,
        _ => TimeZone::UTC,
    }
}

/// Colours, where they are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint(bool);

impl Paint {
    /// None.
    pub const PLAIN: Paint = Paint(false);

    /// All.
    pub const COLOURS: Paint = Paint(true);

    /// Colours on a terminal that can show them, unless `NO_COLOR` is set (no-color.org).
    pub fn of_stdout() -> Paint {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Paint(std::io::stdout().is_terminal() && !unwanted && !dumb)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.0 && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    /// The colour of a state: green is done, red needs somebody, yellow is in doubt, blue is under way.
    pub fn state(self, word: &str, text: &str) -> String {
        match word {
            "SUCCESS" | "ok" => self.with("32", text),
            "FAILED" | "REJECTED" | "FAIL" | "refuse" => self.with("31", text),
            "UNKNOWN" | "CANCELLED" | "warn" => self.with("33", text),
            "STARTED" | "RUNNING" | "start" => self.with("34", text),
            _ => text.to_owned(),
        }
    }

    /// What to look at first.
    pub fn strong(self, text: &str) -> String {
        self.with("1", text)
    }

    /// What to look at last.
    pub fn faint(self, text: &str) -> String {
        self.with("2", text)
    }
}

/// Cells of a bar.
const BAR: usize = 20;

/// `[########............]  40%`.
pub fn bar(percent: i32) -> String {
    let percent = percent.clamp(0, 100);
    let full = usize::try_from(percent).unwrap_or(0) * BAR / 100;
    format!("[{}{}] {percent:>3}%", "#".repeat(full), ".".repeat(BAR - full))
}

/// One cell: its text, and how it is painted once it is padded.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    text: String,
    state: Option<String>,
}

impl Cell {
    /// Painted as a state.
    pub fn state(word: &str, text: impl Into<String>) -> Cell {
        Cell {
            text: text.into(),
            state: Some(word.to_owned()),
        }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Cell {
        Cell {
            text: text.into(),
            state: None,
        }
    }
}

/// Rows whose cells stand under each other, two spaces apart; an empty column takes no place. The last cell of a row is not padded.
pub fn columns(rows: &[Vec<Cell>], paint: Paint) -> Vec<String> {
    let width = |column: usize| rows.iter().filter_map(|r| r.get(column)).map(|c| c.text.chars().count()).max();
    let widths: Vec<usize> = (0..).map_while(width).collect();
    rows.iter()
        .map(|row| {
            let mut line = String::new();
            let mut owed = 0;
            for (cell, width) in row.iter().zip(&widths).filter(|(_, width)| **width > 0) {
                if cell.text.is_empty() {
                    owed += width + 2;
                    continue;
                }
                line.push_str(&" ".repeat(std::mem::take(&mut owed)));
                let text = match &cell.state {
                    Some(state) => paint.state(state, &cell.text),
                    None => cell.text.clone(),
                };
                line.push_str(&text);
                owed = width - cell.text.chars().count() + 2;
            }
            line
        })
        .collect()
}

/// Answers are put together of lines.
pub trait Lines {
    /// Appends a line, and its end.
    fn line(&mut self, line: impl AsRef<str>);

    /// Appends part of a line, or several.
    fn text(&mut self, text: impl AsRef<str>);
}

impl Lines for String {
    fn line(&mut self, line: impl AsRef<str>) {
        self.push_str(line.as_ref());
        self.push('\n');
    }

    fn text(&mut self, text: impl AsRef<str>) {
        self.push_str(text.as_ref());
    }
}

/// `1 upgrade`, `2 upgrades`.
pub fn many(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::super::testing::page;
    use super::*;

    #[test]
    fn waits_are_told_in_their_two_largest_units() {
        let page = page();
        let at = |seconds: i64| page.now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
        for (seconds, words) in [
            (0, "0s ago"),
            (40, "in 40s"),
            (-185, "3m ago"),
            (3600, "in 1h"),
            (3661, "in 1h 1m"),
            (5 * 86_400 + 8 * 3600 + 59, "in 5d 8h"),
            (86_400, "in 1d"),
        ] {
            assert_eq!(page.apart(at(seconds)), words);
        }
    }

    #[test]
    fn a_time_is_told_in_the_zone_of_who_reads_it() {
        let page = page();
        let at = "2026-11-28T00:00:00Z".parse().unwrap();
        assert_eq!(page.moment(at), "Sat 28 Nov 01:00 Europe/Madrid");
        assert_eq!(page.moment_in(at, &TimeZone::UTC), "Sat 28 Nov 00:00 UTC");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_colours_do_not_count() {
        let rows = vec![
            vec![Cell::from("a"), Cell::state("SUCCESS", "SUCCESS"), Cell::from(""), Cell::from("x")],
            vec![Cell::from("long"), Cell::from(""), Cell::from(""), Cell::from("y")],
        ];
        assert_eq!(columns(&rows, Paint::PLAIN), ["a     SUCCESS  x", "long           y"]);
        let coloured = columns(&rows, Paint::COLOURS).remove(0);
        assert_eq!(coloured, "a     \u{1b}[32mSUCCESS\u{1b}[0m  x");
    }

    #[test]
    fn a_bar_shows_no_more_than_there_is() {
        assert_eq!(bar(0), "[....................]   0%");
        assert_eq!(bar(64), "[############........]  64%");
        assert_eq!(bar(99), "[###################.]  99%");
        assert_eq!(bar(200), "[####################] 100%");
    }
}
