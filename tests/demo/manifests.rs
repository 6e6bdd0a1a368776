//! The manifests: what people would write, filled in with the simulators' addresses, in the folder where the demo's people find them.
//!
//! Called by the acts. Nothing is applied here.

use std::path::Path;
use std::path::PathBuf;

use crate::sim::appliance;
use crate::sim::aruba;
use crate::sim::hmc;
use crate::sim::vcenter;
use crate::stage::Stage;

const CONNECTION: &str = include_str!("manifests/connection.yaml");
const UPGRADE: &str = include_str!("manifests/upgrade.yaml");
const APPLIANCE: &str = include_str!("manifests/appliance.yaml");
const UPDATE: &str = include_str!("manifests/update.yaml");
const CONSOLE: &str = include_str!("manifests/console.yaml");
const CENTRAL: &str = include_str!("manifests/central.yaml");
const INVENTORIES: &str = include_str!("manifests/inventories.yaml");

/// A console that installs a bundle by itself.
pub const INSTALL: &str = include_str!("manifests/install.yaml");
/// One whose update IBM schedules.
pub const REMOTE: &str = include_str!("manifests/remote.yaml");
/// A customer's switches, but for those of one group.
pub const CUSTOMER: &str = include_str!("manifests/customer.yaml");
/// Another customer's.
pub const CUSTOMER_2: &str = include_str!("manifests/customer-2.yaml");

/// Writes those of the vCenter, and returns the folder. `fixed`: with the edit that a person makes after the rejection.
pub fn vcenter(stage: &Stage, fixed: bool) -> anyhow::Result<PathBuf> {
    let folder = folder(stage)?;
    std::fs::write(folder.join("connection.yaml"), connection(stage, stage.vcenter.ca_pem()))?;
    let fix = || UPGRADE.replace("# ignorePrecheckWarnings", "ignorePrecheckWarnings");
    std::fs::write(folder.join("upgrade.yaml"), if fixed { fix() } else { UPGRADE.to_owned() })?;
    Ok(folder)
}

/// Those of the vCenter as people read them, without the bytes of the certificate.
pub fn readable(stage: &Stage) -> String {
    format!(
        "{}---\n{UPGRADE}",
        connection(stage, "(the certificate authority of the simulator)")
    )
}

/// Writes the appliance's namespace and Connection, and an Inventory of each Connection; returns the two files.
pub fn appliance(stage: &Stage) -> anyhow::Result<[PathBuf; 2]> {
    let folder = folder(stage)?;
    let files = [folder.join("appliance.yaml"), folder.join("inventories.yaml")];
    let sim = &stage.appliance;
    let connection = filled(APPLIANCE, &sim.url(), appliance::USER, appliance::PASSWORD, sim.ca_pem());
    std::fs::write(&files[0], connection)?;
    std::fs::write(&files[1], INVENTORIES)?;
    Ok(files)
}

/// Writes an update of the appliance; returns the file and its text.
pub fn update(stage: &Stage, name: &str, version: &str) -> anyhow::Result<(PathBuf, String)> {
    let file = folder(stage)?.join(format!("{name}.yaml"));
    let text = UPDATE.replace("${NAME}", name).replace("${VERSION}", version);
    std::fs::write(&file, &text)?;
    Ok((file, text))
}

/// Writes the console's namespace, Connection and Inventory; returns the file.
pub fn console(stage: &Stage) -> anyhow::Result<PathBuf> {
    let (file, sim) = (folder(stage)?.join("console.yaml"), &stage.console);
    let text = filled(CONSOLE, &sim.url(), hmc::USER, hmc::PASSWORD, sim.ca_pem());
    std::fs::write(&file, text)?;
    Ok(file)
}

/// Writes the namespace of Central, its Connection and an Inventory of two customers; returns the file.
pub fn central(stage: &Stage) -> anyhow::Result<PathBuf> {
    let (file, sim) = (folder(stage)?.join("central.yaml"), &stage.central);
    let text = [
        ("${CLIENT}", aruba::CLIENT_ID),
        ("${CLIENT_SECRET}", aruba::CLIENT_SECRET),
        ("${ACCOUNT}", aruba::MSP),
        ("${FIRST}", aruba::CUSTOMER),
        ("${SECOND}", aruba::CUSTOMER_2),
    ]
    .iter()
    .fold(CENTRAL.to_owned(), |text, (key, value)| text.replace(key, value));
    std::fs::write(&file, filled(&text, &sim.url(), aruba::USER, aruba::PASSWORD, sim.ca_pem()))?;
    Ok(file)
}

/// Writes an upgrade of the console, or of a customer's devices; returns the file.
pub fn firmware(stage: &Stage, name: &str, text: &str) -> anyhow::Result<PathBuf> {
    let file = folder(stage)?.join(format!("{name}.yaml"));
    std::fs::write(&file, text)?;
    Ok(file)
}

fn connection(stage: &Stage, ca: &str) -> String {
    filled(CONNECTION, &stage.vcenter.url(), vcenter::USER, vcenter::PASSWORD, ca)
}

fn filled(template: &str, url: &str, user: &str, password: &str, ca: &str) -> String {
    let ca = ca.trim_end().lines().collect::<Vec<_>>().join("\n    ");
    let values = [("${URL}", url), ("${USER}", user), ("${PASSWORD}", password), ("${CA}", &ca)];
    values
        .iter()
        .fold(template.to_owned(), |text, (key, value)| text.replace(key, value))
}

fn folder(stage: &Stage) -> anyhow::Result<PathBuf> {
    let folder = stage.plane.scratch().join("manifests");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// As a command line holds it.
pub fn text(path: &Path) -> String {
    path.display().to_string()
}
