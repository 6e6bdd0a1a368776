//! What a run of the bench says: figures with their goals, as a table for people and as JSON.
//!
//! Every figure says in words how it was measured. A figure that is a count is the same on every machine, and a run fails when its goal is missed;
//! one that is a time or a size is judged by people.

use std::fmt::Write as _;

use serde_json::Value;
use serde_json::json;

/// What a figure is meant to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// Not more than this.
    AtMost(f64),
    /// Not less than this.
    AtLeast(f64),
    /// Shown for people; nothing is asked of it.
    None,
}

impl Goal {
    fn met(self, measured: f64) -> Option<bool> {
        match self {
            Goal::AtMost(most) => Some(measured <= most),
            Goal::AtLeast(least) => Some(measured >= least),
            Goal::None => None,
        }
    }

    fn text(self, unit: &str) -> String {
        match self {
            Goal::AtMost(most) => format!("<= {}", number(most, unit)),
            Goal::AtLeast(least) => format!(">= {}", number(least, unit)),
            Goal::None => String::new(),
        }
    }
}

/// One figure.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What it is.
    pub what: String,
    /// What it is meant to be.
    pub goal: Goal,
    /// What it is.
    pub measured: f64,
    /// Unit, or nothing for a count.
    pub unit: &'static str,
    /// The same on every machine: a run fails when its goal is missed.
    pub count: bool,
    /// How it was measured, in words.
    pub how: String,
    /// What it is made of, or how it grows; `Null` where there is nothing to say.
    pub detail: Value,
}

impl Figure {
    /// A time or a size.
    pub fn measure(what: impl Into<String>, goal: Goal, measured: f64, unit: &'static str, how: impl Into<String>) -> Figure {
        Figure {
            what: what.into(),
            goal,
            measured,
            unit,
            count: false,
            how: how.into(),
            detail: Value::Null,
        }
    }

    /// A count.
    pub fn count(what: impl Into<String>, goal: Goal, measured: f64, how: impl Into<String>) -> Figure {
        Figure {
            count: true,
            ..Figure::measure(what, goal, measured, "", how)
        }
    }

    /// What it is made of.
    #[must_use]
    pub fn with(self, detail: Value) -> Figure {
        Figure { detail, ..self }
    }

    fn met(&self) -> Option<bool> {
        self.goal.met(self.measured)
    }

    fn json(&self) -> Value {
        let goal = match self.goal {
            Goal::AtMost(most) => json!({"atMost": most}),
            Goal::AtLeast(least) => json!({"atLeast": least}),
            Goal::None => Value::Null,
        };
        json!({
            "what": self.what, "goal": goal, "measured": self.measured, "unit": self.unit, "met": self.met(), "count": self.count,
            "how": self.how, "detail": self.detail,
        })
    }
}

/// All figures of a run.
#[derive(Default)]
pub struct Report {
    figures: Vec<Figure>,
}

impl Report {
    /// Takes more in.
    pub fn extend(&mut self, figures: Vec<Figure>) {
        self.figures.extend(figures);
    }

    /// Counts whose goal was missed.
    pub fn regressions(&self) -> Vec<String> {
        let missed = self.figures.iter().filter(|f| f.count && f.met() == Some(false));
        missed
            .map(|f| format!("{}: {}, goal {}", f.what, number(f.measured, f.unit), f.goal.text(f.unit)))
            .collect()
    }

    /// As JSON. `run`: what was run, and where.
    pub fn json(&self, run: &Value) -> Value {
        let figures: Vec<Value> = self.figures.iter().map(Figure::json).collect();
        json!({"run": run, "figures": figures})
    }

    /// As a Markdown table.
    pub fn table(&self) -> String {
        let row = |f: &Figure| {
            let verdict = match f.met() {
                Some(true) => "met",
                Some(false) => "**missed**",
                None => "",
            };
            [f.what.clone(), f.goal.text(f.unit), number(f.measured, f.unit), verdict.to_owned()]
        };
        let mut rows = vec![["figure", "goal", "measured", ""].map(str::to_owned)];
        rows.extend(self.figures.iter().map(row));
        let width = |column: usize| rows.iter().map(|r| r[column].chars().count()).max().unwrap_or(0);
        let widths = [0, 1, 2, 3].map(width);
        let mut out = String::new();
        for (at, row) in rows.iter().enumerate() {
            let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            let _ = writeln!(out, "| {} |", cells.join(" | "));
            if at == 0 {
                let rules = widths.map(|width| "-".repeat(width.max(3)));
                let _ = writeln!(out, "| {} |", rules.join(" | "));
            }
        }
        out
    }

    /// How each was measured, as a Markdown list.
    pub fn methods(&self) -> String {
        let mut out = String::new();
        for figure in &self.figures {
            let _ = writeln!(out, "* **{}**: {}", figure.what, figure.how);
            if let Some(parts) = figure.detail.as_object() {
                let parts: Vec<String> = parts.iter().map(|(name, value)| format!("{name} {}", plain(value))).collect();
                let _ = writeln!(out, "  In this run: {}.", parts.join("; "));
            }
        }
        out
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(n) => n.as_f64().map_or_else(String::new, |n| number(n, "")),
        Value::Object(parts) => {
            let parts: Vec<String> = parts.iter().map(|(name, value)| format!("{name} {}", plain(value))).collect();
            format!("({})", parts.join(", "))
        }
        Value::Array(parts) => parts.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// As many digits as say something.
fn number(n: f64, unit: &str) -> String {
    let digits = match n.abs() {
        n if (n - n.round()).abs() < f64::EPSILON => 0,
        n if n >= 100.0 => 0,
        n if n >= 10.0 => 1,
        n if n >= 0.1 => 2,
        _ => 3,
    };
    let space = if unit.is_empty() || unit == "%" { "" } else { " " };
    format!("{n:.digits$}{space}{unit}")
}

/// The value below which so many percent lie, by the nearest rank; 0 for none.
pub fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(rank).copied().unwrap_or(0.0)
}

/// A count as a number that can be divided. None here is near 2^52, from where on it would be rounded.
#[expect(clippy::cast_precision_loss, reason = "counts of this bench are far below 2^52")]
pub fn float(n: usize) -> f64 {
    n as f64
}
