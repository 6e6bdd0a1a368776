//! Builds the pinned Kubernetes binary (`tests/testplane`) on first use, into cargo's target folder, under a file lock.
//!
//! Called by [`super::programs`]. Keyed by the Go sources, so it rebuilds only when these change. It may not touch anything
//! outside the target folder and Go's own caches.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, bail};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::terminal::Terminal;

/// The version the binary reports; without these flags it says v0.0.0.
pub const KUBERNETES_VERSION: &str = "v1.36.3";
const LDFLAGS: &str = "-s -w -X k8s.io/component-base/version.gitVersion=v1.36.3 \
    -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36";

/// `GOGC=off` saves a sixth of the time and peaks at about 3 GB: only where twice that is free.
const MEMORY_FOR_SPEED_KIB: u64 = 6 * 1024 * 1024;

/// Binaries of other sources (another checkout may share the target folder) are kept for this long.
const KEEP: Duration = Duration::from_hours(24);

const ALTERNATIVE: &str = "or set KUBEBUILDER_ASSETS to a folder with etcd, kube-apiserver, kube-controller-manager and kubectl";

/// The path of the binary, built if need be. Blocks for as long as that takes.
pub fn pinned_binary() -> anyhow::Result<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testplane");
    let cache = target_folder()?.join("testplane");
    let binary = cache.join(format!("testplane-{}", key(&source)?));
    if binary.exists() {
        return Ok(binary);
    }
    fs::create_dir_all(&cache)?;
    let mut terminal = Terminal::open();
    let gate = File::create(cache.join("lock"))?;
    if gate.try_lock().is_err() {
        terminal.say("another process builds the Kubernetes binary; waiting for it");
        gate.lock()?;
    }
    if !binary.exists() {
        check_go(&source)?;
        // Built beside and renamed: a build that was killed leaves nothing that looks finished.
        let partial = cache.join(format!("partial-{}", std::process::id()));
        build(&source, &partial, &mut terminal)?;
        fs::rename(&partial, &binary)?;
        forget_old(&cache, &binary);
    }
    Ok(binary)
}

fn build(source: &Path, output: &Path, terminal: &mut Terminal) -> anyhow::Result<()> {
    let begin = Instant::now();
    terminal.say(&format!(
        "building etcd, kube-apiserver, kube-controller-manager, kubectl and helm from pinned Go modules into {}",
        output.parent().unwrap_or(output).display()
    ));
    terminal.say("this happens once; with cold caches it takes about ten minutes on two cores, with warm ones seconds");
    terminal.update("reading the list of packages (downloads the modules if need be)");
    let listed = go(source).args(["list", "-deps", "./cmd/testplane"]).output()?;
    if !listed.status.success() {
        bail!(
            "`go list` failed in {}:\n{}",
            source.display(),
            String::from_utf8_lossy(&listed.stderr)
        );
    }
    let total = listed.stdout.lines().count();

    let mut command = go(source);
    command
        .args(["build", "-v", "-trimpath", "-ldflags", LDFLAGS, "-o"])
        .arg(output)
        .arg("./cmd/testplane");
    if memory_available_kib() > MEMORY_FOR_SPEED_KIB {
        command.env("GOGC", "off");
    }
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let pipe = child.stderr.take().context("no stderr")?;
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        BufReader::new(pipe)
            .lines()
            .map_while(Result::ok)
            .try_for_each(|line| sender.send(line))
    });
    let (mut packages, mut tail) = (0, Vec::new());
    loop {
        match lines.recv_timeout(Duration::from_secs(1)) {
            Ok(line) => {
                // `-v` names each package on a line of its own; anything else is worth showing if the build fails.
                if line.contains(' ') || line.starts_with('#') {
                    tail.push(line);
                } else {
                    packages += 1;
                }
                if packages % 10 != 0 {
                    continue;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        terminal.update(&format!(
            "compiled {packages} packages of {total} less those in the cache, then one link; {}",
            minutes(begin)
        ));
    }
    if !child.wait()?.success() {
        let from = tail.len().saturating_sub(30);
        bail!("the test plane's Go build failed:\n{}", tail[from..].join("\n"));
    }
    terminal.say(&format!("built in {}", minutes(begin)));
    Ok(())
}

fn go(source: &Path) -> Command {
    let mut command = Command::new("go");
    // The flags of the user's own Go work (`-mod=vendor`, `-race`) are not meant for this; nor is a workspace above it.
    command.current_dir(source).env("GOFLAGS", "-buildvcs=false").env("GOWORK", "off");
    command
}

/// Go switches to the version that go.mod asks for by itself, unless it is told not to or is too old to know how.
fn check_go(source: &Path) -> anyhow::Result<()> {
    let text = fs::read_to_string(source.join("go.mod"))?;
    let needed = text
        .lines()
        .find_map(|line| line.strip_prefix("go "))
        .context("go.mod names no Go version")?
        .trim();
    let answer = match go(source).args(["env", "GOVERSION"]).output() {
        Ok(answer) => answer,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            bail!("the test plane needs Go {needed} or newer, and `go` is not in PATH: install it, {ALTERNATIVE}")
        }
        Err(error) => return Err(error).context("cannot run `go`"),
    };
    let found = String::from_utf8_lossy(&answer.stdout).trim().trim_start_matches("go").to_owned();
    if !answer.status.success() || version(&found) < version(needed) {
        let said = String::from_utf8_lossy(&answer.stderr).trim().to_owned();
        bail!("the test plane needs Go {needed} or newer, this is `{found}` {said}: install it, {ALTERNATIVE}");
    }
    Ok(())
}

fn version(text: &str) -> Vec<u32> {
    text.split(|c: char| !c.is_ascii_digit())
        .map_while(|part| part.parse().ok())
        .collect()
}

fn key(source: &Path) -> anyhow::Result<String> {
    let commands = source.join("cmd/testplane");
    let mut files: Vec<PathBuf> = fs::read_dir(&commands)
        .with_context(|| format!("no {}", commands.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "go"));
    files.extend([source.join("go.mod"), source.join("go.sum")]);
    files.sort();
    let mut hash = Sha256::new();
    hash.update([std::env::consts::OS, std::env::consts::ARCH, LDFLAGS].join("\n"));
    for path in files {
        let content = fs::read(&path).with_context(|| format!("no {}", path.display()))?;
        hash.update(path.file_name().unwrap_or_default().as_encoded_bytes());
        hash.update(content.len().to_le_bytes());
        hash.update(content);
    }
    Ok(HEXLOWER.encode(&hash.finalize()[..8]))
}

/// Cargo's target folder: cargo tags it, and this program lies in it.
fn target_folder() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?;
    let tagged = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
    let set = || std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    Ok(tagged
        .map(Path::to_owned)
        .or_else(set)
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target")))
}

fn forget_old(cache: &Path, current: &Path) {
    let old = |path: &Path| {
        let age = fs::metadata(path)
            .and_then(|data| data.modified())
            .ok()
            .and_then(|at| SystemTime::now().duration_since(at).ok());
        path != current && !path.ends_with("lock") && age.is_some_and(|age| age > KEEP)
    };
    for entry in fs::read_dir(cache).into_iter().flatten().flatten() {
        if old(&entry.path()) {
            // Room is all that is lost if this fails.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Zero where it cannot be told.
fn memory_available_kib() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}

fn minutes(begin: Instant) -> String {
    let seconds = begin.elapsed().as_secs();
    format!("{} min {:02} s", seconds / 60, seconds % 60)
}
