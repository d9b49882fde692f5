//! `signet routes`: the route page as the program has it.

use serde_json::Value;

use super::output::{Output, Written};
use crate::{
    guard::route::{Line, Requirement},
    routes,
};

/// Prints the table: a line for each path and method, or an array of them.
pub(super) fn print(output: Output) -> Result<Written, serde_json::Error> {
    let table = routes::table();
    let value: Value = serde_json::to_value(&table)?;
    let lines: Vec<String> = table.iter().map(describe).collect();
    Ok(output.answer(&lines.join("\n"), &[value]))
}

fn describe(line: &Line) -> String {
    let requirement = match line.requirement {
        Requirement::Public => "public".to_owned(),
        Requirement::Session => "session".to_owned(),
        Requirement::Token { scope, .. } => format!("token with {scope}"),
        Requirement::Permission { permission } => permission.to_owned(),
    };
    let note = if line.development { "   development only" } else { "" };
    format!("{:7} {:44} {requirement}{note}", line.method, line.path)
}
