//! What to try while the demo stays up.
//!
//! Called by `main` without `--once`. Only text.

use crate::plane::Programs;
use crate::seen::NAMESPACE;
use crate::stage::Stage;

/// Commands that work as they stand.
pub fn hints(stage: &Stage) -> anyhow::Result<String> {
    let (program, role) = Programs::find()?.command("kubectl")?;
    let mut kubectl = program.display().to_string();
    for word in role {
        kubectl = format!("{kubectl} {word}");
    }
    let config = stage.plane.kubeconfig_path().display();
    let (control, appliance, console, central) = (
        stage.vcenter.control_url(),
        stage.appliance.control_url(),
        stage.console.control_url(),
        stage.central.control_url(),
    );
    let (scratch, listen) = (stage.plane.scratch().display(), &stage.listen);
    Ok(format!(
        r#"
It stays up for you to look around; Ctrl-C ends and removes everything. In another terminal:

  export KUBECONFIG={config}
  alias kubectl='{kubectl}'        # if you have none

  kubectl get upgrades,winv -A -o wide
  kubectl get cub vc1-1-30 -n {NAMESPACE} -o yaml
  kubectl get upgradereceipts -o wide
  kubectl explain cub.spec.strategy
  kubectl delete namespace {NAMESPACE} && kubectl apply -f {scratch}/manifests/     # starts nothing
  kubectl patch cub vc1-1-30 -n {NAMESPACE} --type merge -p '{{"spec":{{"desiredVersion":"v1.31.4+vmware.1"}}}}'     # the next upgrade

The simulated vendors can be steered:

  curl -s {control}/starts
  curl -s {control}/state
  curl -s -X POST {control}/clusters/domain-c8 -d '{{"fail_after_nodes":1}}'     # its next upgrade fails
  curl -s -X POST {control}/rules -d '{{"match":{{"method":"POST","query":"upgradeMultiple"}},"action":{{"do":"drop","when":"after"}},"remaining":1}}'
  curl -s {appliance}/state
  curl -s -X POST {appliance}/settings -d '{{"repository_unreachable":true}}'     # what it offers cannot be told
  curl -s {console}/state
  curl -s {central}/state

The operator's metrics: curl -s http://{listen}/metrics
"#
    ))
}
