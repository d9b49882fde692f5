//! `signet audit …`

use std::fmt::Write as _;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use signet_storage::audit::verify::Report;

use super::command::{Command, Reply, Run};
use crate::{
    admin::{
        Desk,
        audit::{self, AuditQuery, AuditView},
    },
    audit::events,
};

/// `signet audit …`
#[derive(Debug, Subcommand, Serialize, Deserialize)]
pub enum AuditCommand {
    /// Show the newest rows.
    Tail(Tail),
    /// Print rows as JSON Lines, the oldest first.
    Export(Export),
    /// Look for rows that were changed, removed or inserted. Exit code 1 when there are any.
    Verify(Verify),
    /// Move expired rows into compressed files.
    Archive(Archive),
    /// List the events that the log can hold.
    Events,
}

/// `signet audit tail`
#[derive(Debug, Args, Serialize, Deserialize)]
pub struct Tail {
    /// How many, at most 500.
    #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=500))]
    lines: i64,
    /// Show new ones as they come, until Ctrl-C.
    #[arg(short, long)]
    follow: bool,
    /// Only this event, or all that begin with this up to a dot, such as `client`.
    #[arg(long)]
    event: Option<String>,
    /// The place in the chain that was shown last.
    #[arg(skip)]
    after: Option<i64>,
}

/// `signet audit export`
#[derive(Debug, Args, Serialize, Deserialize)]
pub struct Export {
    /// Not before this date or moment (2026-01-31, 2026-01-31T12:00:00Z).
    #[arg(long, value_parser = moment)]
    from: Option<DateTime<Utc>>,
    /// Before this date or moment.
    #[arg(long, value_parser = moment)]
    to: Option<DateTime<Utc>>,
    /// Only this event, or all that begin with this up to a dot, such as `client`.
    #[arg(long)]
    event: Option<String>,
    /// Where the page before ended.
    #[arg(skip)]
    after: Option<String>,
}

/// `signet audit verify`
#[derive(Debug, Clone, Copy, Args, Serialize, Deserialize)]
pub struct Verify {
    /// Read the archive files too.
    #[arg(long)]
    archives: bool,
}

/// `signet audit archive`
#[derive(Debug, Clone, Copy, Args, Serialize, Deserialize)]
pub struct Archive {
    /// Rows from before this date or moment, instead of those past `audit.retention_days`.
    #[arg(long, value_parser = moment)]
    before: Option<DateTime<Utc>>,
}

/// A date is its first moment, in UTC.
fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    let date = text.parse::<NaiveDate>().ok().and_then(|date| date.and_hms_opt(0, 0, 0)).map(|at| at.and_utc());
    date.or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc()))
        .ok_or_else(|| "give a date such as 2026-01-31 or a moment such as 2026-01-31T12:00:00Z".to_owned())
}

impl Run for AuditCommand {
    async fn run(self, desk: &Desk) -> Result<Reply, Reply> {
        match self {
            Self::Tail(tail) => tail.run(desk).await,
            Self::Export(export) => export.run(desk).await,
            Self::Verify(verify) => {
                let report = audit::verify(desk, verify.archives).await?;
                let value = serde_json::to_value(&report).unwrap_or_default();
                let text = told(&report, verify.archives);
                Ok(if report.is_good() { Reply::done(text, value) } else { Reply::Wrong { text, value } })
            }
            Self::Archive(archive) => {
                let done = audit::archive(desk, archive.before).await?;
                let text = match done.files {
                    0 => "No row has expired.".to_owned(),
                    _ => format!("{} rows went into {}.", done.rows, desk.audit.archive_dir.display()),
                };
                Ok(Reply::done(text, serde_json::to_value(done).unwrap_or_default()))
            }
            Self::Events => {
                let all = events::catalogue();
                let lines: Vec<_> =
                    all.iter().map(|one| format!("{:<28} {:<8} {}", one.event, one.result, one.meaning)).collect();
                Ok(Reply::done(lines.join("\n"), json!(all)))
            }
        }
    }
}

impl Tail {
    async fn run(mut self, desk: &Desk) -> Result<Reply, Reply> {
        const PAUSE: u64 = 500;
        let views = if let Some(after) = self.after {
            audit::linked_after(desk, after, self.event.clone()).await?
        } else {
            // First the end of the chain: what is linked after it is shown by the next round.
            let end = audit::last_place(desk).await?;
            let query = AuditQuery { event: self.event.clone(), limit: Some(self.lines), ..AuditQuery::default() };
            let mut views = audit::list(desk, query).await?.items;
            views.reverse();
            if self.follow {
                views.retain(|view| view.chain_index.is_some_and(|index| index <= end));
            }
            self.after = Some(end);
            views
        };
        let text = views.iter().map(line).collect::<Vec<_>>().join("\n");
        let values: Vec<Value> = views.iter().map(|view| json!(view)).collect();
        let full = views.len() >= 200;
        if let Some(last) = views.iter().filter_map(|view| view.chain_index).max() {
            self.after = self.after.max(Some(last));
        }
        let pause = if full { 0 } else { PAUSE };
        if self.follow {
            let then = Box::new(Command::Audit(AuditCommand::Tail(self)));
            return Ok(Reply::More { text, value: values, then, pause });
        }
        Ok(Reply::Lines { text, value: values })
    }
}

impl Export {
    async fn run(mut self, desk: &Desk) -> Result<Reply, Reply> {
        let query = AuditQuery {
            event: self.event.clone(),
            from: self.from,
            to: self.to,
            after: self.after.take(),
            ascending: true,
            limit: Some(500),
            ..AuditQuery::default()
        };
        let page = audit::list(desk, query).await?;
        let values: Vec<Value> = page.items.iter().map(|view| json!(view)).collect();
        let text = values.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
        match page.next {
            None => Ok(Reply::Lines { text, value: values }),
            Some(next) => {
                self.after = Some(next);
                let then = Box::new(Command::Audit(AuditCommand::Export(self)));
                Ok(Reply::More { text, value: values, then, pause: 0 })
            }
        }
    }
}

/// A row on a line.
fn line(view: &AuditView) -> String {
    let mut text =
        format!("{}  {:<24} {:<8}", view.at.to_rfc3339_opts(SecondsFormat::Millis, true), view.event, view.result);
    let actor = match view.actor.kind.as_str() {
        "user" => view.actor.username.clone().or_else(|| view.actor.user.map(|id| id.to_string())),
        "operator" => view.actor.operator.clone(),
        _ => None,
    };
    let _ = match actor {
        Some(actor) => write!(text, " by {actor}"),
        None => write!(text, " by {}", view.actor.kind),
    };
    let account = view.username.clone().or_else(|| view.account.map(|id| id.to_string()));
    for (name, value) in [
        ("account", account.as_ref()),
        ("client", view.client_id.as_ref()),
        ("object", view.object.as_ref()),
        ("detail", view.detail.as_ref()),
        ("typed", view.typed.as_ref()),
        ("from", view.address.as_ref()),
        ("request", view.request_id.as_ref()),
    ] {
        if let Some(value) = value {
            let _ = write!(text, " {name}={value}");
        }
    }
    text
}

/// The findings for people.
fn told(report: &Report, archives: bool) -> String {
    let mut text = match (report.rows, report.from) {
        (0, _) if report.is_good() => "There is nothing to verify.".to_owned(),
        (rows, from) => format!("{rows} rows were followed, from place {} to {}.", from + 1, report.to),
    };
    if archives {
        let _ = write!(text, " {} archive files were read.", report.archives);
    }
    if report.is_good() {
        text.push_str(" Every row is as it was written, and none is missing.");
    }
    for finding in &report.findings {
        let _ =
            write!(text, "\n{}", serde_json::to_value(finding.kind).unwrap_or_default().as_str().unwrap_or_default());
        if let Some(index) = finding.chain_index {
            let _ = write!(text, "  place {index}");
        }
        if let (Some(id), Some(at)) = (finding.id, finding.at) {
            let _ = write!(text, "  row {id} of {}", at.to_rfc3339_opts(SecondsFormat::Millis, true));
        }
        let _ = write!(text, "\n  {}", finding.message);
    }
    if report.more > 0 {
        let _ = write!(text, "\nand {} more", report.more);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// a date is its first moment in UTC.
    #[test]
    fn moments() {
        assert_eq!(moment("2026-01-31").unwrap().to_rfc3339(), "2026-01-31T00:00:00+00:00");
        assert_eq!(moment("2026-01-31T12:00:00+02:00").unwrap().to_rfc3339(), "2026-01-31T10:00:00+00:00");
        assert!(moment("yesterday").is_err() && moment("2026-02-30").is_err());
    }
}
