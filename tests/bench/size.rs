//! How large what ships is.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use serde_json::json;

use crate::figures::Figure;
use crate::figures::Goal;
use crate::stage::ROOT;

/// The binary, and the root folder of the image as `deploy/image/assemble` puts it together.
pub fn measure(binary: &Path) -> anyhow::Result<Vec<Figure>> {
    let megabytes = |bytes: u64| u32::try_from(bytes / 1000).map(|kb| f64::from(kb) / 1000.0);
    let size = megabytes(std::fs::metadata(binary)?.len())?;
    let folder = std::env::temp_dir().join(format!("windlass-bench-image-{}", std::process::id()));
    let assembled = Command::new(format!("{ROOT}/deploy/image/assemble"))
        .args([binary, &folder])
        .output()
        .context("deploy/image/assemble")?;
    drop(std::fs::remove_dir_all(&folder));
    anyhow::ensure!(
        assembled.status.success(),
        "deploy/image/assemble: {}",
        String::from_utf8_lossy(&assembled.stderr)
    );
    let said = String::from_utf8(assembled.stdout)?;
    let last = said.lines().last().unwrap_or_default();
    let numbers: Vec<u64> = last.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [all, compressed, ..] = numbers.as_slice() else {
        anyhow::bail!("deploy/image/assemble does not say how large it is: {last}");
    };
    Ok(vec![
        Figure::measure(
            "the binary",
            Goal::AtMost(15.0),
            size,
            "MB",
            "size of the file, built as it ships (10^6 bytes)",
        ),
        Figure::measure(
            "the image",
            Goal::AtMost(20.0),
            megabytes(*all)?,
            "MB",
            "all files of the image's root folder, as deploy/image/assemble puts it together and counts it (10^6 bytes)",
        )
        .with(json!({"compressed, MB": megabytes(*compressed)?})),
    ])
}
