//! The log of an instance: its lines of JSON.

use serde_json::Value;

use super::signet::Signet;
use super::wait::{PATIENCE, eventually};

impl Signet {
    /// The lines of the log so far. Panics at a line that begins as JSON and is none.
    pub fn log(&self) -> Vec<Value> {
        let output = self.output();
        let lines = output.split_inclusive('\n').filter(|line| line.starts_with('{') && line.ends_with('\n'));
        lines.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
    }

    /// The first line that `wanted` accepts, once it is there.
    pub async fn logged(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually(PATIENCE, what, async || self.log().into_iter().find(|line| wanted(line))).await
    }

    /// The access line of a request, by the id its answer carries.
    pub async fn access_line(&self, request_id: &str) -> Value {
        let what = format!("the access line of {request_id}");
        self.logged(&what, |line| line["target"] == "signet::access" && line["span"]["request_id"] == request_id).await
    }
}
