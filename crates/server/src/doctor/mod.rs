//! `signet doctor`: looks at everything Signet stands on and says what is wrong and what to change.
//!
//! Each check is a file: it gathers facts, and a pure function judges them. Nothing is changed by looking.

mod administrator;
mod clock;
mod configuration;
mod data_dir;
mod database;
mod issuer;
mod redis;
mod secret_key;
mod tls;

use serde::Serialize;

use crate::{
    config::{Config, ConfigErrors},
    entropy,
};

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// As it should be.
    Ok,
    /// It works, and will or may not.
    Warning,
    /// It does not work.
    Broken,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check: a stable name.
    pub check: &'static str,
    /// How it is.
    pub grade: Grade,
    /// What was found.
    pub what: String,
    /// What to change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, what: impl Into<String>) -> Self {
        Self { check, grade: Grade::Ok, what: what.into(), fix: None }
    }

    fn warning(check: &'static str, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, grade: Grade::Warning, what: what.into(), fix: Some(fix.into()) }
    }

    fn broken(check: &'static str, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, grade: Grade::Broken, what: what.into(), fix: Some(fix.into()) }
    }
}

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The worst of all.
    pub grade: Grade,
    /// In the order of the checks.
    pub findings: Vec<Finding>,
}

impl Report {
    fn new(findings: Vec<Finding>) -> Self {
        let grade = findings.iter().map(|finding| finding.grade).max().unwrap_or(Grade::Ok);
        Self { grade, findings }
    }

    /// For people: a line for each finding, and below it what to change.
    pub fn text(&self) -> String {
        let mut lines = Vec::new();
        for finding in &self.findings {
            let grade = match finding.grade {
                Grade::Ok => "ok",
                Grade::Warning => "warning",
                Grade::Broken => "BROKEN",
            };
            lines.push(format!("{grade:8} {:14} {}", finding.check, finding.what));
            if let Some(fix) = &finding.fix {
                lines.push(format!("{:24}to change: {fix}", ""));
            }
        }
        let count = |grade| self.findings.iter().filter(|finding| finding.grade == grade).count();
        let (warnings, broken) = (count(Grade::Warning), count(Grade::Broken));
        lines.push(match (broken, warnings) {
            (0, 0) => "Everything is as it should be.".to_owned(),
            (0, warnings) => format!("It works; {warnings} to look at."),
            (broken, _) => format!("{broken} broken."),
        });
        lines.join("\n")
    }
}

/// Looks at everything. Without a configuration that can be read there is nothing else to look at.
pub async fn examine(config: Result<Config, ConfigErrors>) -> Report {
    let config = match config {
        Ok(config) => config,
        Err(errors) => return Report::new(configuration::judge_errors(&errors)),
    };
    let mut findings = configuration::judge(&config);
    // Before the database: opening the embedded one tightens the directory.
    findings.extend(data_dir::judge(&data_dir::gather(&config)));
    let key = secret_key::gather(&config);
    let sealer = key.sealer();
    let database = database::gather(&config, sealer).await;
    findings.extend(secret_key::judge(&key, database.inspection()));
    findings.extend(database::judge(&database));
    findings.extend(administrator::judge(database.inspection()));
    findings.push(redis::judge(redis::gather(&config).await.as_ref()));
    let issuer = issuer::gather(&config, database.served()).await;
    findings.extend(data_dir::judge_elsewhere(&config, database.to_be_made() && issuer.answers()));
    findings.extend(data_dir::judge_archive(&config));
    findings.extend(clock::judge(entropy::now(), database.offset(), issuer.offset));
    findings.extend(tls::judge(&tls::gather(&config), entropy::now()));
    findings.push(issuer::judge(&issuer));
    Report::new(findings)
}
