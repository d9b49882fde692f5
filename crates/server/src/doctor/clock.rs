//! Clocks: of this machine, of the database, of whoever answers as the issuer.

use chrono::{DateTime, Datelike as _, TimeDelta, Utc};

use super::Finding;

const CHECK: &str = "clock";
/// Tokens are accepted with this much difference.
const TOLERATED: TimeDelta = TimeDelta::seconds(10);
/// More than a network explains.
const NOTICEABLE: TimeDelta = TimeDelta::seconds(2);

/// `database` and `issuer`: by how much those clocks are ahead of ours.
pub(super) fn judge(now: DateTime<Utc>, database: Option<TimeDelta>, issuer: Option<TimeDelta>) -> Vec<Finding> {
    const SYNCHRONISE: &str = "synchronise the clocks, for example with chrony or systemd-timesyncd";
    let mut findings = Vec::new();
    if !(2025..2100).contains(&now.year()) {
        findings.push(Finding::broken(CHECK, format!("this machine believes it is {}", now.to_rfc3339()), SYNCHRONISE));
    }
    // The header `Date` has whole seconds.
    for (whose, ahead, coarse) in
        [("the database's", database, TimeDelta::zero()), ("the issuer's", issuer, TimeDelta::seconds(1))]
    {
        let Some(ahead) = ahead else { continue };
        let difference = (ahead.abs() - coarse).max(TimeDelta::zero());
        let text = || format!("{whose} clock differs from this one by {} s", ahead.num_seconds());
        if difference > TOLERATED {
            findings.push(Finding::broken(CHECK, text(), SYNCHRONISE));
        } else if difference > NOTICEABLE {
            findings.push(Finding::warning(CHECK, text(), SYNCHRONISE));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, now.format("%Y-%m-%d %H:%M:%S UTC").to_string()));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Grade;

    #[test]
    fn differences() {
        let now: DateTime<Utc> = "2026-11-21T00:00:00Z".parse().unwrap();
        let grade = |now, database: Option<i64>, issuer: Option<i64>| {
            let seconds = |seconds: Option<i64>| seconds.map(TimeDelta::seconds);
            judge(now, seconds(database), seconds(issuer)).iter().map(|finding| finding.grade).max()
        };
        for (database, issuer, expected) in [
            (None, None, Grade::Ok),
            (Some(1), Some(-2), Grade::Ok),
            (Some(-5), None, Grade::Warning),
            (None, Some(4), Grade::Warning),
            (Some(11), None, Grade::Broken),
            (Some(0), Some(-3600), Grade::Broken),
        ] {
            assert_eq!(grade(now, database, issuer), Some(expected), "{database:?} {issuer:?}");
        }
        assert_eq!(grade("1970-01-02T00:00:00Z".parse().unwrap(), None, None), Some(Grade::Broken));
    }
}
