//! The API server's clock as a story has it: what is created was created when the story's clock showed that time.
//!
//! The operator compares the API server's clock with its own, and reads from it how old a receipt is. A story that lives on another day than the
//! machine lets the [proxy](super::proxy) tell both the same time.

use std::collections::HashMap;
use std::sync::Mutex;

use hyper::body::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use crate::sim::lock;

/// A clock, and what was created by it.
pub struct Era {
    now: Box<dyn Fn() -> Timestamp + Send + Sync>,
    /// By uid, to the second as the API server writes it.
    born: Mutex<HashMap<String, String>>,
}

impl Era {
    /// Of a story whose clock this is.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Era {
        Era {
            now: Box::new(now),
            born: Mutex::default(),
        }
    }

    /// A reply, a list or an event of a watch in this era; what is no JSON as it is. An event keeps its end of line.
    pub fn tell(&self, body: Bytes) -> Bytes {
        let Ok(mut value) = serde_json::from_slice::<Value>(&body) else {
            return body;
        };
        self.set(&mut value);
        let line = if body.ends_with(b"\n") { "\n" } else { "" };
        Bytes::from(format!("{value}{line}"))
    }

    fn set(&self, value: &mut Value) {
        for item in value.get_mut("items").and_then(Value::as_array_mut).into_iter().flatten() {
            self.set(item);
        }
        if let Some(object) = value.get_mut("object") {
            self.set(object);
        }
        let metadata = &mut value["metadata"];
        if let (Some(uid), true) = (metadata["uid"].as_str(), metadata["creationTimestamp"].is_string()) {
            let mut born = lock(&self.born);
            let at = born
                .entry(uid.to_owned())
                .or_insert_with(|| (self.now)().strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
            metadata["creationTimestamp"] = Value::from(at.as_str());
        }
    }
}
