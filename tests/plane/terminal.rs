//! Tells people what takes long. Used while the pinned binary is built; says nothing otherwise.
//!
//! The test harness captures what print macros write, and this must be seen while it happens: so it writes to the terminal
//! itself, or without one to the stderr handle, which is not captured.

use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

/// Without a terminal, progress is one line this often: enough to see life in a log, not enough to fill it.
const SPARSE: Duration = Duration::from_secs(30);

/// Where progress is shown.
pub struct Terminal {
    tty: Option<File>,
    shown: Instant,
}

impl Terminal {
    /// The controlling terminal, or stderr if there is none.
    pub fn open() -> Self {
        Self {
            tty: File::options().write(true).open("/dev/tty").ok(),
            shown: Instant::now(),
        }
    }

    /// Writes a line that stays.
    pub fn say(&mut self, text: &str) {
        // Progress is a courtesy: a terminal that went away must not fail the build.
        let _ = match &mut self.tty {
            Some(tty) => write!(tty, "\r\x1b[Ktest plane: {text}\n"),
            None => std::io::stderr().write_all(format!("test plane: {text}\n").as_bytes()),
        };
        self.shown = Instant::now();
    }

    /// Shows where things stand: in place on a terminal, now and then in a log.
    pub fn update(&mut self, text: &str) {
        if let Some(tty) = &mut self.tty {
            let _ = write!(tty, "\r\x1b[Ktest plane: {text}").and_then(|()| tty.flush());
        } else if self.shown.elapsed() >= SPARSE {
            self.say(text);
        }
    }
}
