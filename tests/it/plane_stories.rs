//! The test plane keeps its own promises: it is real, it is shared, and it leaves nothing behind.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{Api, DeleteParams, PostParams};
use kube::runtime::wait::{await_condition, conditions};

use crate::plane::supervisor::{Dialect, Order, Supervisor};
use crate::plane::{KUBERNETES_VERSION, Options, Plane, Programs, make_scratch};

/// Set for the re-executed launcher only: says what it launches.
const HELPER: &str = "WINDLASS_TEST_PLANE_HELPER";
const LIMIT: Duration = Duration::from_secs(90);

#[tokio::test]
async fn the_plane_is_ready_and_reports_its_pinned_version() -> Result<()> {
    let plane = Plane::shared()?;
    let version = plane.client().await?.apiserver_version().await?;
    if plane.is_pinned() {
        assert_eq!(version.git_version, KUBERNETES_VERSION);
    }
    Ok(())
}

#[tokio::test]
async fn a_deleted_namespace_ends_with_what_is_in_it() -> Result<()> {
    let plane = Plane::shared()?;
    if !plane.has_controller_manager() {
        return Ok(());
    }
    let client = plane.client().await?;
    let name = plane.namespace("deleted").await?.name;
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), &name);
    let mut map = ConfigMap::default();
    map.metadata.name = Some("content".into());
    maps.create(&PostParams::default(), &map).await?;

    let namespaces: Api<Namespace> = Api::all(client);
    let uid = namespaces.get(&name).await?.metadata.uid.context("a uid")?;
    namespaces.delete(&name, &DeleteParams::default()).await?;
    tokio::time::timeout(LIMIT, await_condition(namespaces, &name, conditions::is_deleted(&uid))).await??;
    assert!(maps.get_opt("content").await?.is_none());
    Ok(())
}

#[tokio::test]
async fn tests_share_one_plane_and_not_their_namespaces() -> Result<()> {
    let here = Plane::shared()?;
    // Another test is another thread with another runtime, which ends before this one uses the plane again.
    let there = std::thread::spawn(|| -> Result<(&'static Plane, String)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let plane = Plane::shared()?;
        Ok((plane, runtime.block_on(plane.namespace("shared"))?.name))
    });
    let Ok(there) = there.join() else {
        bail!("the other test panicked")
    };
    let (there, theirs) = there?;
    let ours = here.namespace("shared").await?.name;
    assert!(std::ptr::eq(here, there));
    assert_ne!(ours, theirs);
    let namespaces: Api<Namespace> = Api::all(here.client().await?);
    assert!(namespaces.get_opt(&theirs).await?.is_some());
    Ok(())
}

#[tokio::test]
async fn kubectl_and_the_audit_log_see_the_same_write() -> Result<()> {
    let plane = Plane::shared()?;
    let namespace = plane.namespace("audit").await?.name;
    let manifest = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}}"#;
    plane
        .kubectl_stdin(&["create", "-n", &namespace, "-f", "-"], manifest)
        .await?
        .ok()?;
    let got = plane
        .kubectl(&["get", "-n", &namespace, "configmap/one", "-o", "name"])
        .await?
        .ok()?;
    assert_eq!(got.trim(), "configmap/one");

    let refused = plane.kubectl(&["get", "-n", &namespace, "configmap/two"]).await?;
    assert!(!refused.status.success() && refused.stderr.contains("NotFound"), "{refused:?}");

    let log = std::fs::read_to_string(plane.audit_log_path())?;
    let writes = log
        .lines()
        .filter(|line| line.contains(r#""verb":"create""#) && line.contains(&format!("{namespace}/configmaps")));
    assert_eq!(writes.count(), 1);
    Ok(())
}

#[tokio::test]
async fn helm_sees_the_plane_and_nothing_else() -> Result<()> {
    let plane = Plane::shared()?;
    if plane.is_pinned() {
        let namespace = plane.namespace("helm").await?.name;
        assert_eq!(plane.helm(&["list", "-q", "-n", &namespace]).await?.ok()?.trim(), "");
    }
    Ok(())
}

#[tokio::test]
async fn a_token_is_whoever_it_was_made_for() -> Result<()> {
    let plane = Plane::shared()?;
    let namespace = plane.namespace("token").await?.name;
    plane
        .kubectl(&["create", "serviceaccount", "reader", "-n", &namespace])
        .await?
        .ok()?;
    let token = plane.kubectl(&["create", "token", "reader", "-n", &namespace]).await?.ok()?;
    let maps: Api<ConfigMap> = Api::namespaced(plane.client_with_token(token.trim()).await?, &namespace);
    let refused = maps.get("any").await;
    assert!(
        matches!(&refused, Err(kube::Error::Api(status)) if status.code == 403),
        "{refused:?}"
    );
    Ok(())
}

#[tokio::test]
async fn kill9_hits_the_program_itself_and_returns_when_it_is_gone() -> Result<()> {
    let plane = Plane::shared()?;
    for supervised in [None, Some(supervisor_of(Dialect::Shell)?)] {
        let log = make_log(plane)?;
        let script = "trap 'exit 7' TERM; echo up $WORD; while :; do read line; done";
        let child = match &supervised {
            // Its stdin is empty, so the loop spins: a child that is as alive as can be.
            None => {
                plane
                    .spawn(Path::new("/bin/sh"), &["-c", script], &[("WORD", "it's")], &log)
                    .await?
            }
            Some(shell) => shell.spawn(sh(script, &[("WORD", "it's")], &log)).await?,
        };
        let start = start_time(child.pid());
        assert!(start.is_some() || cfg!(not(target_os = "linux")), "it runs");
        until("it speaks", || child.log().contains("up it's")).await?;
        let exit = child.kill9().await?;
        assert_eq!((exit.code, exit.signal), (None, Some(9)));
        assert!(start.is_none() || start_time(child.pid()) != start, "it is gone");
        assert!(child.has_ended());
    }
    Ok(())
}

#[tokio::test]
async fn a_child_may_end_in_order_and_its_exit_code_arrives() -> Result<()> {
    for dialect in dialects()? {
        let supervisor = supervisor_of(dialect)?;
        let log = make_log(Plane::shared()?)?;
        // A line break and quotes in arguments must arrive as they are.
        let child = supervisor
            .spawn(sh(
                "trap 'exit 7' TERM; echo \"two\nlines\"; while :; do sleep 0.05; done",
                &[],
                &log,
            ))
            .await?;
        until("it speaks", || child.log() == "two\nlines\n").await?;
        child.terminate()?;
        assert_eq!(child.wait().await?.code, Some(7));
    }
    Ok(())
}

#[tokio::test]
async fn a_program_that_is_not_there_is_an_error_and_not_a_wait() -> Result<()> {
    let plane = Plane::shared()?;
    let log = make_log(plane)?;
    let started = plane.spawn(Path::new("/nonexistent/program"), &[], &[], &log).await;
    match started {
        Err(error) => assert!(error.to_string().contains("/nonexistent/program"), "{error}"),
        // A shell learns so only after the start.
        Ok(child) => assert_eq!(child.wait().await?.code, Some(127)),
    }
    Ok(())
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_sigkilled_launcher_leaves_no_process_and_no_folder_behind() -> Result<()> {
    Plane::shared()?; // built by now
    after_sigkill_nothing_is_left("plane", |launched| {
        assert!(launched.pids.len() >= 3, "supervisor, etcd, kube-apiserver: {launched:?}");
    })
    .await
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_sigkilled_launcher_leaves_nothing_behind_without_the_pinned_binary() -> Result<()> {
    after_sigkill_nothing_is_left("shell", |_| ()).await
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_sigkilled_supervisor_takes_its_children_along() -> Result<()> {
    for dialect in dialects()? {
        if matches!(dialect, Dialect::Shell) {
            continue; // says itself that it cannot
        }
        let supervisor = supervisor_of(dialect)?;
        let log = make_log(Plane::shared()?)?;
        let child = supervisor.spawn(sh("echo up; exec sleep 1000", &[], &log)).await?;
        let start = start_time(child.pid());
        Command::new("/bin/sh")
            .args(["-c", &format!("kill -9 {}", supervisor.pid())])
            .status()?;
        assert!(child.wait().await.is_err());
        until("the child is gone", || start_time(child.pid()) != start).await?;
        assert!(supervisor.spawn(sh("true", &[], &log)).await.is_err());
    }
    Ok(())
}

/// Not a test: the launcher that the stories above run in a process of its own and kill.
#[tokio::test]
#[ignore = "run by other tests, in a process of its own"]
async fn launcher_that_will_be_killed() -> Result<()> {
    let Ok(what) = std::env::var(HELPER) else { return Ok(()) };
    let say = |scratch: &Path, pids: &[u32]| {
        let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
        writeln!(std::io::stdout(), "\nLAUNCHED {} {}", scratch.display(), pids.join(" "))
    };
    // Both are held until the end of stdin, which comes only if the test that runs this ends first.
    let wait = || std::io::stdin().read_to_end(&mut Vec::new());
    // One child that does not mind SIGTERM, with a child of its own.
    let stubborn = "trap '' TERM; sleep 1000 & while :; do sleep 1; done";
    if what == "plane" {
        let plane = Plane::start(Options::default()).await?;
        let child = plane
            .spawn(Path::new("/bin/sh"), &["-c", stubborn], &[], &plane.scratch().join("child.log"))
            .await?;
        let mut pids = plane.pids();
        pids.push(child.pid());
        say(plane.scratch(), &pids)?;
        wait()?;
    } else {
        let scratch = make_scratch()?;
        let supervisor = Supervisor::start(Dialect::Shell, &scratch)?;
        let log = scratch.join("child.log");
        let children = (
            supervisor.spawn(sh(stubborn, &[], &log)).await?,
            supervisor.spawn(sh("exec sleep 1000", &[], &log)).await?,
        );
        say(&scratch, &[supervisor.pid(), children.0.pid(), children.1.pid()])?;
        wait()?;
    }
    Ok(())
}

#[derive(Debug)]
struct Launched {
    scratch: PathBuf,
    /// With the time each started: a number alone may come to mean another process.
    pids: Vec<(u32, u64)>,
}

async fn after_sigkill_nothing_is_left(what: &str, check: impl FnOnce(&Launched)) -> Result<()> {
    let mut process = Command::new(std::env::current_exe()?)
        .args(["plane_stories::launcher_that_will_be_killed", "--exact", "--ignored", "--nocapture"])
        .env(HELPER, what)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let lines = BufReader::new(process.stdout.take().context("a pipe")?).lines();
    let launched = tokio::task::spawn_blocking(move || read_launched(lines)).await??;
    check(&launched);
    ensure!(launched.scratch.is_dir());

    process.kill()?; // SIGKILL
    process.wait()?;
    until("every process is gone", || {
        launched.pids.iter().all(|(pid, start)| start_time(*pid) != Some(*start))
    })
    .await?;
    until("the folder is gone", || !launched.scratch.exists()).await
}

fn read_launched(lines: impl Iterator<Item = std::io::Result<String>>) -> Result<Launched> {
    for line in lines {
        let line = line?;
        let Some(rest) = line.strip_prefix("LAUNCHED ") else { continue };
        let (scratch, pids) = rest.split_once(' ').context("pids")?;
        let pid = |text: &str| -> Result<(u32, u64)> {
            let pid = text.parse()?;
            Ok((pid, start_time(pid).with_context(|| format!("process {pid} does not run"))?))
        };
        return Ok(Launched {
            scratch: scratch.into(),
            pids: pids.split(' ').map(pid).collect::<Result<_>>()?,
        });
    }
    bail!("the launcher ended without launching")
}

/// When a living process started, in ticks since boot; `None` if there is none, or only its remains.
fn start_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

async fn until(what: &str, condition: impl Fn() -> bool) -> Result<()> {
    let begin = Instant::now();
    while !condition() {
        ensure!(begin.elapsed() < LIMIT, "not within {LIMIT:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

fn dialects() -> Result<Vec<Dialect>> {
    Ok(match Programs::find()? {
        Programs::Pinned(binary) => vec![Dialect::Binary(binary), Dialect::Shell],
        Programs::Assets(_) => vec![Dialect::Shell],
    })
}

fn supervisor_of(dialect: Dialect) -> Result<Supervisor> {
    Supervisor::start(dialect, &make_scratch()?)
}

fn sh<'a>(script: &str, env: &[(&str, &str)], log: &'a Path) -> Order<'a> {
    let mut all = vec![("PATH".to_owned(), std::env::var("PATH").unwrap_or_default())];
    all.extend(env.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    Order {
        program: Path::new("/bin/sh"),
        args: vec!["-c".into(), script.into()],
        env: all,
        log,
    }
}

fn make_log(plane: &Plane) -> Result<PathBuf> {
    let id = uuid::Uuid::new_v4();
    Ok(std::fs::create_dir_all(plane.scratch().join("logs")).map(|()| plane.scratch().join(format!("logs/{id}.log")))?)
}
