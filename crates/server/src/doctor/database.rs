//! The database: reachable, new enough, migrated.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use signet_storage::{
    bootstrap,
    inspect::{self, Inspection, Migrated, Sealed},
    pool,
    seal::Sealer,
};

use super::Finding;
use crate::{
    cli::command::{Command, Reply},
    config::Config,
    control, entropy,
};

const CHECK: &str = "database";
/// PostgreSQL 15, as it numbers itself.
const OLDEST: i32 = 150_000;

/// What a look at the database showed.
pub(super) enum Facts {
    /// The embedded one, not made yet.
    NotYet,
    /// It answered.
    Answered {
        embedded: bool,
        inspection: Inspection,
        /// Our clock halfway between question and answer.
        asked: DateTime<Utc>,
        /// Whether a running server was asked.
        served: bool,
    },
    /// It did not; why, without address and password.
    Silent { embedded: bool, reason: String },
}

impl Facts {
    pub(super) fn inspection(&self) -> Option<&Inspection> {
        match self {
            Self::Answered { inspection, .. } => Some(inspection),
            _ => None,
        }
    }

    /// Whether a server runs on this data directory.
    pub(super) fn served(&self) -> bool {
        matches!(self, Self::Answered { served: true, .. })
    }

    /// Whether there is no database yet, which the first start would make.
    pub(super) fn to_be_made(&self) -> bool {
        matches!(self, Self::NotYet)
    }

    /// By how much its clock is ahead of ours.
    pub(super) fn offset(&self) -> Option<TimeDelta> {
        match self {
            Self::Answered { embedded: false, inspection, asked, .. } => Some(inspection.clock - *asked),
            _ => None,
        }
    }
}

pub(super) async fn gather(config: &Config, sealer: Option<Sealer>) -> Facts {
    let embedded = config.database_url.is_none();
    if embedded && !config.data_dir.join("postgresql").is_dir() {
        return Facts::NotYet;
    }
    let sealer = sealer.map(Arc::new);
    let (looking, opens) = (config.clone(), sealer.clone());
    let looked = tokio::task::spawn_blocking(move || look(&looking, opens.as_deref())).await;
    let (answer, served) = match looked {
        Ok(Some(answer)) => (answer, false),
        Ok(None) => (ask(config, sealer.as_deref()).await, true),
        Err(_) => (Err("the look at it was cut off".to_owned()), false),
    };
    match answer {
        Ok((inspection, asked)) => Facts::Answered { embedded, inspection, asked, served },
        Err(reason) => Facts::Silent { embedded, reason },
    }
}

type Answer = Result<(Inspection, DateTime<Utc>), String>;

/// None where a running server holds the embedded database.
fn look(config: &Config, sealer: Option<&Sealer>) -> Option<Answer> {
    match &config.database_url {
        Some(url) => Some(look_at(&pool::patient(url, config.database.connect_timeout.0), sealer)),
        None => look_inside(config, sealer),
    }
}

fn look_at(url: &str, sealer: Option<&Sealer>) -> Answer {
    let mut conn = bootstrap::connect(url).map_err(|error| error.to_string())?;
    let before = entropy::now();
    let inspection = inspect::inspect(&mut conn, sealer).map_err(|error| error.to_string())?;
    Ok((inspection, before + (entropy::now() - before) / 2))
}

#[cfg(feature = "embedded")]
fn look_inside(config: &Config, sealer: Option<&Sealer>) -> Option<Answer> {
    use signet_storage::embedded::EmbeddedDatabase;
    match EmbeddedDatabase::start(&config.data_dir, &|_| {}) {
        Err(error) if error.is_locked() => None,
        Err(error) => Some(Err(error.to_string())),
        Ok(database) => {
            let answer = look_at(database.url(), sealer);
            let _ = database.shutdown();
            Some(answer)
        }
    }
}

#[cfg(not(feature = "embedded"))]
#[expect(clippy::unnecessary_wraps, reason = "with the embedded database there may be no answer")]
fn look_inside(_: &Config, _: Option<&Sealer>) -> Option<Answer> {
    Some(Err("this build has no embedded database: set database.url".to_owned()))
}

/// Through the server that holds it. That its own key opens what is stored says nothing of the one configured here.
async fn ask(config: &Config, sealer: Option<&Sealer>) -> Answer {
    let before = entropy::now();
    match control::ask(config, &Command::inspect()).await {
        Ok(Reply::Done { value, .. }) => serde_json::from_value(value)
            .map(|inspection| (held_against(inspection, sealer), before))
            .map_err(|_| "the running Signet is of another version".to_owned()),
        Ok(Reply::Failed { message, .. }) => Err(message),
        Ok(_) => Err("the running Signet is of another version".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn held_against(inspection: Inspection, sealer: Option<&Sealer>) -> Inspection {
    let other = match (&inspection.sample, sealer) {
        (Some(sample), Some(sealer)) => !sample.opens(sealer),
        _ => false,
    };
    if other { Inspection { sealed: Some(Sealed::Closed), ..inspection } } else { inspection }
}

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let (embedded, inspection) = match facts {
        Facts::NotYet => return vec![Finding::ok(CHECK, "embedded; the first start makes it")],
        Facts::Silent { embedded: true, reason } => {
            let fix = "look at the log of the running Signet, or stop it and run the doctor again";
            return vec![Finding::broken(CHECK, reason.clone(), fix)];
        }
        Facts::Silent { embedded: false, reason } => {
            let fix = "start it, or change database.url (DATABASE_URL) and what stands between";
            return vec![Finding::broken(CHECK, reason.clone(), fix)];
        }
        Facts::Answered { embedded, inspection, .. } => (*embedded, inspection),
    };
    let (major, minor) = (inspection.version / 10_000, inspection.version % 10_000);
    let name = format!("{}PostgreSQL {major}.{minor}", if embedded { "embedded " } else { "" });
    let mut findings = Vec::new();
    if inspection.version < OLDEST {
        let fix = "use PostgreSQL 15 or later";
        findings.push(Finding::broken(CHECK, format!("{name} is too old"), fix));
    } else {
        findings.push(Finding::ok(CHECK, name));
    }
    findings.push(match inspection.schema {
        Migrated::Current => Finding::ok("migrations", "up to date"),
        Migrated::Empty => Finding::ok("migrations", "none yet; the first start runs them"),
        Migrated::Behind => Finding::broken(
            "migrations",
            "the schema is behind this version",
            "run `signet migrate`; a start of the server does it too",
        ),
    });
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Grade;

    #[test]
    fn versions_and_schemas() {
        let at = entropy::now();
        let inspection = |version, schema| Facts::Answered {
            embedded: false,
            inspection: Inspection { version, clock: at, schema, sealed: None, administrators: None, sample: None },
            asked: at,
            served: false,
        };
        for (facts, grade, word) in [
            (inspection(170_002, Migrated::Current), Grade::Ok, "PostgreSQL 17.2"),
            (inspection(150_000, Migrated::Empty), Grade::Ok, "first start"),
            (inspection(140_011, Migrated::Current), Grade::Broken, "14.11 is too old"),
            (inspection(170_002, Migrated::Behind), Grade::Broken, "behind"),
            (Facts::NotYet, Grade::Ok, "embedded"),
            (Facts::Silent { embedded: false, reason: "refused".to_owned() }, Grade::Broken, "refused"),
        ] {
            let findings = judge(&facts);
            let worst = findings.iter().map(|finding| finding.grade).max();
            assert!(worst == Some(grade) && findings.iter().any(|one| one.what.contains(word)), "{findings:?}");
        }
    }
}
