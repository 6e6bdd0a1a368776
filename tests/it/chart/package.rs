//! The package that a release pushes, made by `deploy/chart/package` with the real helm: it names the image that was pushed with it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::process::Output;

use serde_json::json;

use super::Manifests;
use super::ROOT;
use super::helm;
use super::rendered;
use crate::plane::Programs;

/// Runs the script where `helm` is the plane's.
fn package(folder: &Path, image: &str) -> Output {
    let (program, first) = Programs::find().unwrap().command("helm").unwrap();
    let bin = folder.join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let helm = bin.join("helm");
    std::fs::write(
        &helm,
        format!("#!/bin/sh\nexec '{}' {} \"$@\"\n", program.display(), first.join(" ")),
    )
    .unwrap();
    std::fs::set_permissions(&helm, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var("PATH").unwrap();
    Command::new(format!("{ROOT}/deploy/chart/package"))
        .arg(image)
        .arg(folder.join("chart"))
        .env("PATH", format!("{}:{path}", bin.display()))
        .env("HOME", folder)
        .output()
        .unwrap()
}

#[tokio::test]
async fn a_released_chart_runs_the_image_that_was_released_with_it() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("package-{}", std::process::id()));
    let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
    let image = format!("registry.example:5000/fork/windlass@{digest}");
    let at = folder.clone();
    let (made, without, unpinned) = tokio::task::spawn_blocking(move || {
        let tried = |image: &str| package(&at, image);
        (
            tried(&image),
            tried("registry.example/windlass"),
            tried("registry.example/windlass:0.1.0"),
        )
    })
    .await
    .unwrap();
    for refused in [without, unpinned] {
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && said.contains("is no image by its digest"), "{said}");
    }
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let packed = folder.join(format!("chart/windlass-{}.tgz", env!("CARGO_PKG_VERSION")));
    let args = ["template", "windlass", packed.to_str().unwrap(), "--namespace", "windlass-system"];
    let all = Manifests::read(&helm(&args).await.ok().unwrap()).sorted();
    let named = json!({"image": {"repository": "registry.example:5000/fork/windlass", "digest": digest}});
    assert_eq!(all, rendered(&named).await.sorted(), "and nothing else differs");
    std::fs::remove_dir_all(folder).unwrap();
}
