//! What people see: what the demo says, and the table of the upgrade, which on a terminal stays below and is updated in place.
//!
//! Called by everything here. On a pipe only lines of the table that changed are written, beneath what was said. A reader that went
//! away is no panic: [`Screen::closed`] says so, and `main` ends the demo.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::io::Write;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

/// A table's head lines and rows, laid out already. Heads begin each block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Lines; `true` for a head.
    pub lines: Vec<(bool, String)>,
}

/// Standard output.
pub struct Screen {
    begin: Instant,
    tty: bool,
    closed: CancellationToken,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The table as it was shown last.
    table: Table,
    /// How many of its lines stand below the cursor's home and are replaced by the next write.
    drawn: usize,
    frozen: bool,
    /// On a pipe each head is written once.
    headed: BTreeSet<String>,
}

impl Screen {
    /// Time runs from here on.
    pub fn new() -> Screen {
        Screen {
            begin: Instant::now(),
            tty: std::io::stdout().is_terminal(),
            closed: CancellationToken::new(),
            state: Mutex::default(),
        }
    }

    /// Returns once nobody reads any more.
    pub async fn closed(&self) {
        self.closed.cancelled().await;
    }

    /// Says what happens, with the time since the beginning.
    pub fn say(&self, text: &str) {
        self.line(&format!("[{:>3} s] {text}", self.begin.elapsed().as_secs()));
    }

    /// Writes lines that stay, above the table.
    pub fn line(&self, text: &str) {
        let mut state = self.state();
        let mut out = erase(&state);
        out.push_str(text);
        out.push('\n');
        out.push_str(&draw(&mut state));
        self.write(&out);
    }

    /// Writes a text that stays, each line behind a bar: a file, or what a tool said.
    pub fn quote(&self, text: &str) {
        let quoted: Vec<String> = text
            .trim_end()
            .lines()
            .map(|line| format!("        | {line}").trim_end().to_owned())
            .collect();
        self.line(&quoted.join("\n"));
    }

    /// Shows the table as it is now.
    pub fn show(&self, table: Table) {
        let mut state = self.state();
        if state.frozen || state.table == table {
            return;
        }
        let out = if self.tty {
            let erased = erase(&state);
            state.drawn = table.lines.len();
            state.table = table;
            erased + &draw(&mut state)
        } else {
            let changed = changed(&state, &table);
            state
                .headed
                .extend(table.lines.iter().filter(|(head, _)| *head).map(|(_, line)| line.clone()));
            state.table = table;
            changed
        };
        self.write(&out);
    }

    /// The table stays where it is, and what is said from now on comes below it.
    pub fn freeze(&self) {
        let mut state = self.state();
        state.frozen = true;
        state.drawn = 0;
    }

    /// The next change of the table is shown again, below all that was said.
    pub fn thaw(&self) {
        self.state().frozen = false;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
            self.closed.cancel();
        }
    }
}

/// Takes the drawn table off the terminal.
fn erase(state: &State) -> String {
    match state.drawn {
        0 => String::new(),
        lines => format!("\x1b[{lines}A\r\x1b[J"),
    }
}

/// Draws the table again, if one was drawn. Lines that are too long end at the edge instead of wrapping, or the way back up would be
/// another one.
fn draw(state: &mut State) -> String {
    if state.drawn == 0 {
        return String::new();
    }
    let lines: Vec<String> = state
        .table
        .lines
        .iter()
        .map(|(head, line)| {
            if *head {
                format!("\x1b[1m{line}\x1b[0m\n")
            } else {
                format!("{line}\n")
            }
        })
        .collect();
    state.drawn = lines.len();
    format!("\x1b[?7l{}\x1b[?7h", lines.concat())
}

/// The lines that are not as before.
fn changed(state: &State, now: &Table) -> String {
    let news = |(head, line): &&(bool, String)| {
        if *head {
            !state.headed.contains(line)
        } else {
            !state.table.lines.contains(&(false, line.clone()))
        }
    };
    let lines: Vec<String> = now.lines.iter().filter(news).map(|(_, line)| format!("        {line}\n")).collect();
    lines.concat()
}
