//! The pipe that every child of a launcher hangs on.
//!
//! One supervisor process per plane starts the children that [`Supervisor::spawn`] orders over its stdin. When that pipe closes,
//! for whatever reason this process ended (return, panic, Ctrl-C, SIGKILL), the supervisor ends the children, then removes the
//! scratch folder. Used by [`super::Plane`] only. Nothing here may depend on the tokio runtime that called it: the plane outlives
//! the tests that use it, and each test has its own runtime. So the reader is a thread, and waiting uses `watch`, which works in any.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;

/// How the supervisor is run, and so how orders are written to it.
#[derive(Clone, Debug)]
pub enum Dialect {
    /// The `supervise` role of the pinned binary: JSON orders.
    Binary(PathBuf),
    /// `/bin/sh` with `supervise.sh`, for planes that must not need Go: shell orders.
    Shell,
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// The exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
}

/// What to run.
pub struct Order<'a> {
    /// The program's path.
    pub program: &'a Path,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its whole environment: nothing of ours leaks into it.
    pub env: Vec<(String, String)>,
    /// Where stdout and stderr are appended.
    pub log: &'a Path,
}

#[derive(Clone, Debug, Default)]
struct Life {
    pid: Option<u32>,
    end: Option<Result<Exit, String>>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "event")]
    kind: String,
    id: u64,
    #[serde(default)]
    pid: u32,
    #[serde(default)]
    code: i32,
    #[serde(default)]
    signal: i32,
    #[serde(default)]
    error: String,
}

struct Line {
    /// `None` once closed.
    orders: Mutex<Option<ChildStdin>>,
    lives: Mutex<HashMap<u64, watch::Sender<Life>>>,
    dialect: Dialect,
}

/// The launcher's end of one supervisor process.
pub struct Supervisor {
    line: Arc<Line>,
    process: Mutex<std::process::Child>,
    pid: u32,
    folder: PathBuf,
    next: AtomicU64,
}

impl Supervisor {
    /// Starts a supervisor that owns `folder` from now on: it removes it at the end.
    pub fn start(dialect: Dialect, folder: &Path) -> anyhow::Result<Self> {
        let mut command = match &dialect {
            Dialect::Binary(binary) => {
                let mut command = Command::new(binary);
                command.arg("supervise");
                command
            }
            Dialect::Shell => {
                let mut command = Command::new("/bin/sh");
                command.args(["-c", include_str!("supervise.sh"), "supervise"]);
                command
            }
        };
        let mut process = command
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(folder.join("supervisor.log"))?)
            // Ctrl-C goes to the whole foreground group: the supervisor must outlive the launcher, to clean up after it.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start a supervisor ({dialect:?})"))?;
        let (Some(orders), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            bail!("the supervisor has no pipes");
        };
        let line = Arc::new(Line {
            orders: Mutex::new(Some(orders)),
            lives: Mutex::default(),
            dialect,
        });
        let reader = Arc::clone(&line);
        std::thread::Builder::new()
            .name("plane-supervisor".into())
            .spawn(move || reader.listen(answers))?;
        let pid = process.id();
        Ok(Self {
            line,
            process: Mutex::new(process),
            pid,
            folder: folder.to_owned(),
            next: AtomicU64::new(1),
        })
    }

    /// Starts a child; returns when it runs, or with the reason why it cannot.
    pub async fn spawn(&self, order: Order<'_>) -> anyhow::Result<Child> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let text = self.line.dialect.start(id, &order)?;
        let (sender, mut life) = watch::channel(Life::default());
        lock(&self.line.lives).insert(id, sender);
        self.line.send(&text)?;
        let first = life.wait_for(|life| life.pid.is_some() || life.end.is_some()).await?.clone();
        match first {
            Life { pid: Some(pid), .. } => Ok(Child {
                id,
                pid,
                life,
                line: Arc::clone(&self.line),
                log: order.log.to_owned(),
            }),
            Life {
                end: Some(Err(reason)), ..
            } => bail!("cannot run {}: {reason}", order.program.display()),
            _ => bail!("cannot run {}", order.program.display()),
        }
    }

    /// The supervisor's own process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }
}

impl Drop for Supervisor {
    /// Closes the pipe and waits until everything is gone, so that who drops a plane may start the next one in its place.
    fn drop(&mut self) {
        drop(lock(&self.line.orders).take());
        let process = self.process.get_mut().unwrap_or_else(PoisonError::into_inner);
        let deadline = Instant::now() + Duration::from_secs(10);
        while matches!(process.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                // Its children die with it.
                let _ = process.kill();
                let _ = process.wait();
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A supervised child. Dropping it kills it.
pub struct Child {
    id: u64,
    pid: u32,
    life: watch::Receiver<Life>,
    line: Arc<Line>,
    log: PathBuf,
}

impl Child {
    /// The process id of the program itself, not of the supervisor.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Where its stdout and stderr go.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        std::fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Sends SIGKILL to its process group and returns when it is gone and reaped.
    pub async fn kill9(&self) -> anyhow::Result<Exit> {
        self.line.signal(self.id, "KILL")?;
        self.wait().await
    }

    /// Sends SIGTERM and returns at once; `wait` tells when and how it ended.
    pub fn terminate(&self) -> anyhow::Result<()> {
        self.line.signal(self.id, "TERM")
    }

    /// Returns when it has ended and is reaped, at once if it already has.
    pub async fn wait(&self) -> anyhow::Result<Exit> {
        let mut life = self.life.clone();
        let end = life.wait_for(|life| life.end.is_some()).await?.end.clone();
        end.unwrap_or_else(|| Err("no end".into())).map_err(anyhow::Error::msg)
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.life.borrow().end.is_some()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.has_ended() {
            // If the supervisor is gone, so is the child.
            let _ = self.line.signal(self.id, "KILL");
        }
    }
}

impl Line {
    fn send(&self, order: &str) -> anyhow::Result<()> {
        let mut orders = lock(&self.orders);
        let pipe = orders.as_mut().context("the plane is stopping")?;
        pipe.write_all(order.as_bytes())
            .and_then(|()| pipe.flush())
            .context("the supervisor is gone")
    }

    fn signal(&self, id: u64, name: &str) -> anyhow::Result<()> {
        self.send(&match self.dialect {
            Dialect::Binary(_) => format!("{}\n", json!({"do": "signal", "id": id, "signal": name})),
            Dialect::Shell => format!("signal {id} {name}\n"),
        })
    }

    /// Runs until the supervisor ends, and with it every child that had not ended before.
    fn listen(&self, answers: ChildStdout) {
        for text in BufReader::new(answers).lines().map_while(Result::ok) {
            let Ok(event) = serde_json::from_str::<Event>(&text) else {
                continue;
            };
            let mut lives = lock(&self.lives);
            let Some(life) = lives.get(&event.id) else { continue };
            if event.kind == "started" {
                life.send_modify(|life| life.pid = Some(event.pid));
                continue;
            }
            let end = if event.kind == "failed" {
                Err(event.error)
            } else {
                let signal = (event.signal != 0).then_some(event.signal);
                Ok(Exit {
                    code: signal.is_none().then_some(event.code),
                    signal,
                })
            };
            life.send_modify(|life| life.end = Some(end));
            lives.remove(&event.id);
        }
        // From here on nobody answers: who still orders must hear so, and who waits too.
        drop(lock(&self.orders).take());
        for (_, life) in lock(&self.lives).drain() {
            life.send_modify(|life| life.end = Some(Err("the supervisor ended".into())));
        }
    }
}

impl Dialect {
    fn start(&self, id: u64, order: &Order<'_>) -> anyhow::Result<String> {
        let program = order.program.to_str().context("a program's path must be UTF-8")?;
        let log = order.log.to_str().context("a log's path must be UTF-8")?;
        let env = order.env.iter().map(|(key, value)| format!("{key}={value}"));
        Ok(match self {
            Self::Binary(_) => {
                let env: Vec<String> = env.collect();
                let order = json!({"do": "start", "id": id, "program": program, "args": order.args, "env": env, "log": log});
                format!("{order}\n")
            }
            Self::Shell => {
                let mut words = vec!["start".to_owned(), id.to_string(), quote(log), "env".into(), "-i".into()];
                words.extend(env.map(|pair| quote(&pair)));
                words.push(quote(program));
                words.extend(order.args.iter().map(|arg| quote(arg)));
                words.join(" ") + "\n"
            }
        })
    }
}

/// One word for the shell, on one line.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''").replace('\n', r#"'"$nl"'"#))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
