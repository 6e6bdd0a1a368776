//! docs/performance.md and the JSON of the run beside it: written by a run, so that the two say the same.

use std::path::Path;

use serde_json::Value;

use crate::figures::Report;
use crate::stage::ROOT;

/// What stands above the table. Nothing in it is a figure of a run.
const HEAD: &str = include_str!("head.md");

/// Writes both.
pub fn write(report: &Report, run: &Value, json: &Value) -> anyhow::Result<()> {
    let folder = Path::new(ROOT).join("docs");
    let sizes = &run["sizes"];
    let text = format!(
        "{HEAD}\n## This run\n\nVersion {}, measured by a {} build of the bench, on {}; it took {} s. Sizes: {sizes}.\n\n{}\n## How each figure was measured\n\n{}",
        plain(&run["version"]),
        plain(&run["build"]),
        plain(&run["machine"]),
        run["seconds"],
        report.table(),
        report.methods()
    );
    std::fs::write(folder.join("performance.md"), text)?;
    std::fs::write(folder.join("performance.json"), format!("{json:#}\n"))?;
    Ok(())
}

fn plain(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What this machine is, in a line.
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let cpu = field(&read("/proc/cpuinfo"), "model name");
    let memory = field(&read("/proc/meminfo"), "MemTotal");
    let kib: u64 = memory.trim_end_matches(" kB").parse().unwrap_or(0);
    format!(
        "{cores} cores ({cpu}), {} GB of memory, {}",
        kib * 1024 / 1_000_000_000,
        std::env::consts::OS
    )
}
