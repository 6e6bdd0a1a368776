//! What people are told: by `kubectl`, and by Events.

use serde_json::Value;

use crate::ground::Ground;

impl Ground {
    /// What `kubectl` prints in this namespace.
    pub async fn kubectl(&self, args: &[&str]) -> anyhow::Result<String> {
        self.plane.kubectl(&[&["-n", &self.namespace], args].concat()).await?.ok()
    }

    /// Events about the object of this name, oldest first: reason, action and note.
    pub async fn events(&self, name: &str) -> anyhow::Result<Vec<[String; 3]>> {
        let list: Value = serde_json::from_str(&self.kubectl(&["get", "events.events.k8s.io", "-o", "json"]).await?)?;
        let items = list["items"].as_array().into_iter().flatten();
        let mut of_name: Vec<&Value> = items.filter(|e| e["regarding"]["name"] == name).collect();
        let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        of_name.sort_by_key(|e| text(&e["eventTime"]));
        let told = of_name.into_iter().map(|e| [&e["reason"], &e["action"], &e["note"]].map(text));
        Ok(told.collect())
    }
}
