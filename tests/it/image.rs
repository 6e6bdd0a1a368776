//! The image's root folder, put together by `deploy/image/assemble` and run as a container would run it: in that folder alone, as nobody in
//! particular. The binary is the one that all stories run; the release's goes the same way.
#![allow(clippy::unwrap_used, clippy::panic, reason = "only tests are in here")]

mod names;

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;
use std::sync::OnceLock;

use serde_json::Value;
use serde_json::json;

use self::names::Names;
use crate::chart::ROOT;
use crate::ground::patiently;
use crate::sim::vcenter::Config;
use crate::sim::vcenter::VERSION_NEW;
use crate::world::World;

const BINARY: &str = env!("CARGO_BIN_EXE_windlass");

/// A name that nobody knows but who is asked from within the image.
const HOST: &str = "vc1.in-the-image.example";

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn ok(output: &Output) -> String {
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

fn assemble(binary: &str, folder: &Path) -> Output {
    let script = format!("{ROOT}/deploy/image/assemble");
    Command::new(script).arg(binary).arg(folder).output().unwrap()
}

/// A fresh folder of this name, assembled.
fn assembled(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("image-{name}-{}", std::process::id()));
    let said = ok(&assemble(BINARY, &folder));
    assert!(said.contains("/usr/bin/windlass") && said.contains("bytes in all"), "{said}");
    // What ships has a list of what it was made of wherever the tool for it is installed.
    let list = folder.join("windlass.spdx.json");
    let told = std::fs::read_to_string(&list).unwrap_or_default();
    assert_eq!(
        !said.contains("none: cargo-sbom"),
        told.contains("\"name\": \"windlass\"") || told.contains("\"name\":\"windlass\""),
        "{said}"
    );
    folder
}

/// Removes a folder at the end of a test.
struct Gone(PathBuf);

impl Drop for Gone {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// The files of a folder, from its root on.
fn files(root: &Path) -> BTreeSet<String> {
    let (mut all, mut folders) = (BTreeSet::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                all.insert(format!("/{}", path.strip_prefix(root).unwrap().display()));
            }
        }
    }
    all
}

/// Program and arguments that run something with this folder as its whole file system; `None` where the machine lets nobody do that.
fn inside(root: &Path) -> Option<(PathBuf, Vec<String>)> {
    static FIRST: OnceLock<Option<Vec<&'static str>>> = OnceLock::new();
    let works = |first: &[&str]| {
        let tried = Command::new(first[0])
            .args(&first[1..])
            .arg(root)
            .args(["/usr/bin/windlass", "version"])
            .output();
        tried.is_ok_and(|output| output.status.success())
    };
    // An administrator becomes nobody; anybody else becomes an administrator of a namespace with nothing in it.
    let ways: [&[&str]; 2] = [&["chroot", "--userspec=65532:65532"], &["unshare", "--map-root-user", "chroot"]];
    let first = FIRST
        .get_or_init(|| ways.iter().find(|way| works(way)).map(|way| way.to_vec()))
        .clone()?;
    let program = std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(first[0]))
        .find(|file| file.is_file())?;
    let mut args: Vec<String> = first[1..].iter().map(|arg| (*arg).to_owned()).collect();
    args.push(root.display().to_string());
    Some((program, args))
}

fn skipped() {
    println!("skipped: neither chroot nor unshare --map-root-user is allowed here");
}

#[test]
fn an_image_never_holds_more_than_the_binary_needs() {
    let folder = Gone(assembled("files"));
    let root = folder.0.join("root");
    let mut wanted: BTreeSet<String> = ["/etc/group", "/etc/nsswitch.conf", "/etc/passwd", "/usr/bin/windlass"]
        .map(str::to_owned)
        .into();
    let named = ok(&Command::new("ldd").arg(BINARY).output().unwrap());
    let libraries = named.split_whitespace().filter(|word| word.starts_with('/'));
    wanted.extend(libraries.map(str::to_owned));
    assert_eq!(files(&root), wanted);
    assert!(wanted.len() < 12, "the binary has come to need more than the C library: {wanted:?}");
    for file in &wanted {
        let mode = std::fs::metadata(root.join(&file[1..])).unwrap().permissions().mode() & 0o7777;
        let program = mode & 0o111 != 0;
        assert_eq!(
            mode,
            if program { 0o755 } else { 0o644 },
            "{file}: nobody but its owner writes it, and it lends nobody's rights"
        );
    }
    let recipe = std::fs::read_to_string(folder.0.join("Containerfile")).unwrap();
    assert!(recipe.contains("\nFROM scratch\nCOPY root/ /\n") && recipe.contains("\nUSER 65532:65532\n"));
}

#[test]
fn a_folder_is_whole_or_not_there() {
    let folder = Gone(Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("image-none-{}", std::process::id())));
    for (binary, why) in [("/nowhere/windlass", "build it first"), ("/etc/passwd", "is no program")] {
        let refused = assemble(binary, &folder.0);
        assert!(
            !refused.status.success() && text(&refused.stderr).contains(why),
            "{}",
            text(&refused.stderr)
        );
        assert!(!folder.0.exists());
    }
    let refused = Command::new(format!("{ROOT}/deploy/image/assemble")).output().unwrap();
    assert!(text(&refused.stderr).contains("usage: assemble BINARY FOLDER"));
}

#[test]
fn a_folder_that_holds_anything_else_is_never_touched() {
    let folder = Gone(Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("image-others-{}", std::process::id())));
    let slashed = PathBuf::from(format!("{}/", folder.0.display()));
    let kept = |file: &str, says: &str| {
        let refused = assemble(BINARY, &slashed);
        assert!(
            !refused.status.success() && text(&refused.stderr).contains(says),
            "{}",
            text(&refused.stderr)
        );
        assert_eq!(std::fs::read_to_string(folder.0.join(file)).unwrap(), "years of work", "{file}");
    };
    std::fs::create_dir_all(folder.0.join("root")).unwrap();
    std::fs::write(folder.0.join("root/notes"), "years of work").unwrap();
    kept("root/notes", "lacks root/ or Containerfile");
    std::fs::write(folder.0.join("Containerfile"), "FROM scratch").unwrap();
    std::fs::write(folder.0.join("thesis.tex"), "years of work").unwrap();
    kept("thesis.tex", "holds thesis.tex");
    std::fs::remove_dir_all(&folder.0).unwrap();
    std::fs::write(&folder.0, "years of work").unwrap();
    let refused = assemble(BINARY, &folder.0);
    assert!(text(&refused.stderr).contains("is no folder"), "{}", text(&refused.stderr));
    assert_eq!(std::fs::read_to_string(&folder.0).unwrap(), "years of work");
    std::fs::remove_file(&folder.0).unwrap();
    // An empty one is taken, one of before is replaced, and nothing is left in it or beside it.
    std::fs::create_dir(&folder.0).unwrap();
    for _ in 0..2 {
        ok(&assemble(BINARY, &slashed));
        assert!(!folder.0.join("root/stale").exists());
        std::fs::write(folder.0.join("root/stale"), "of before").unwrap();
    }
    let name = folder.0.file_name().unwrap().to_str().unwrap();
    let beside = std::fs::read_dir(folder.0.parent().unwrap()).unwrap();
    let beside: Vec<_> = beside.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(beside.iter().filter(|n| n.starts_with(name)).collect::<Vec<_>>(), [name]);
}

#[test]
fn what_is_in_the_image_is_enough_to_run() {
    let folder = Gone(assembled("version"));
    let Some((program, args)) = inside(&folder.0.join("root")) else {
        return skipped();
    };
    let run = |more: &[&str]| Command::new(&program).args(&args).args(more).env_clear().output().unwrap();
    let version = ok(&run(&["/usr/bin/windlass", "version"]));
    assert_eq!(version.trim(), format!("windlass {}", env!("CARGO_PKG_VERSION")));
    assert!(ok(&run(&["/usr/bin/windlass", "crds"])).contains("kind: CustomResourceDefinition"));
    assert!(!run(&["/bin/sh", "-c", "true"]).status.success(), "there is no shell to be had");
}

#[test]
fn an_image_is_made_of_it_and_of_nothing_else() {
    let folder = Gone(assembled("buildah"));
    let storage = Gone(folder.0.with_extension("storage"));
    let buildah = |args: &[&str]| {
        let at = |part: &str| storage.0.join(part).display().to_string();
        Command::new("buildah")
            .args(["--root", &at("root"), "--runroot", &at("run"), "--storage-driver", "vfs"])
            .args(args)
            .output()
    };
    let (file, context) = (folder.0.join("Containerfile").display().to_string(), folder.0.display().to_string());
    let args = [
        "build",
        "--isolation",
        "chroot",
        "--file",
        &file,
        "--tag",
        "windlass:test",
        &context,
    ];
    let Ok(built) = buildah(&args) else {
        println!("skipped: there is no buildah");
        return;
    };
    ok(&built);
    let found = ok(&buildah(&["inspect", "--type", "image", "windlass:test"]).unwrap());
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    let config = &found["OCIv1"]["config"];
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(
        (&config["Entrypoint"], &config["Cmd"]),
        (&json!(["/usr/bin/windlass"]), &json!(["run"]))
    );
    assert_eq!(found["OCIv1"]["rootfs"]["diff_ids"].as_array().unwrap().len(), 1, "one layer");
}

/// The whole operator, with nothing of this machine but its network: a name is resolved, a zone of time is known, a vendor whose authority nobody
/// named is not trusted though the public ones are there, an upgrade runs, and no file is written.
#[tokio::test]
async fn an_upgrade_runs_from_within_the_image_and_writes_no_file() -> anyhow::Result<()> {
    let folder = Gone(tokio::task::spawn_blocking(|| assembled("operator")).await?);
    let root = folder.0.join("root");
    let Some((program, mut args)) = inside(&root) else {
        skipped();
        return Ok(());
    };
    let config = Config {
        names: vec![HOST.to_owned()],
        ..Config::with_clusters(1)
    };
    let world = World::new("image", config).await?;
    // What a container is given from outside: who it is, and names.
    let plane = world.plane;
    let token = plane
        .kubectl(&["create", "token", "windlass", "-n", "windlass-system", "--duration=1h"])
        .await?
        .ok()?;
    plane.kubeconfig_for_token(token.trim(), &root.join("kubeconfig"))?;
    let names = Names::serve().await?;
    names.told_to(&root)?;
    let before = files(&root);
    let lease = format!("windlass-{}", world.namespace);
    world.grant_lease(&lease).await?;
    let operator = [
        "/usr/bin/windlass",
        "run",
        "--watch-namespace",
        &world.namespace,
        "--lease",
        &lease,
        "--listen",
        "127.0.0.1:0",
    ];
    args.extend(operator.map(str::to_owned));
    args.extend(["--allow-cidr".to_owned(), "127.0.0.0/8".to_owned()]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let timing = world.timing.to_string();
    let env = [
        ("KUBECONFIG", "/kubeconfig"),
        ("POD_NAME", "image"),
        ("POD_NAMESPACE", "windlass-system"),
        ("WINDLASS_TEST_TIMING", &timing),
    ];
    let log = plane.scratch().join(format!("{}-image.log", world.namespace));
    let child = plane.spawn(&program, &args, &env, &log).await?;

    let url = format!("https://{HOST}:{}", world.vcenter.address().port());
    let mut at_host = world.connection("vc");
    at_host["spec"]["url"] = json!(url);
    world.secret("vc", crate::sim::vcenter::USER, crate::sim::vcenter::PASSWORD).await?;
    world.apply(&at_host).await?;
    world.connected("vc", "Reachable").await?;
    let mut public = at_host.clone();
    public["metadata"]["name"] = json!("public");
    public["spec"].as_object_mut().unwrap().remove("caBundlePEM");
    world.apply(&public).await?;
    world.connected("public", "TLSUntrusted").await?;
    let said = std::fs::read_to_string(&log)?;
    let runs = said.lines().find(|line| line.contains("windlass runs")).unwrap_or_default();
    let runs: Value = serde_json::from_str(runs)?;
    assert!(runs["public_authorities"].as_u64() > Some(100), "{runs}");

    let windows = json!([{"cron": "0 0 1 1 *", "duration": "1m", "timeZone": "Pacific/Auckland"}]);
    let one = json!({"desiredVersion": VERSION_NEW, "clusters": [{"cluster": "domain-c1"}], "schedule": {"windows": windows}});
    world.batch("b", one).await?;
    let waits = world.reason("b", "PENDING", "WaitingForWindow").await?;
    assert!(waits.message().contains("Pacific/Auckland"), "{}", waits.message());
    world.edit("b", json!({"schedule": null})).await?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    world.finish();
    world.state("b", "SUCCESS").await?;
    assert_eq!(world.vcenter.log().posts().len(), 1);
    child.terminate()?;
    let ended = patiently(async || Ok(child.has_ended().then_some(()))).await;
    assert!(ended.is_ok(), "{}", std::fs::read_to_string(&log)?);
    assert_eq!(files(&root), before);
    names.was_asked();
    Ok(())
}
