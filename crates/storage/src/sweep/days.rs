//! The days of the table `spent`: a partition for each, made ahead and dropped whole. What is outside of them, such as an end
//! far away, lies in the default partition and is swept row by row.

use chrono::{Days, NaiveDate};
use diesel::{
    RunQueryDsl,
    connection::SimpleConnection as _,
    sql_types::{Bool, Date, Text},
};

use crate::{error::StoreError, store::Tx};

/// So many days ahead have a partition.
const AHEAD: u64 = 3;
/// What comes before the day in the name of a partition.
const PREFIX: &str = "spent_";
/// The day in the name.
const FORMAT: &str = "%Y%m%d";

#[derive(diesel::QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

#[derive(diesel::QueryableByName)]
struct Taken {
    #[diesel(sql_type = Bool)]
    taken: bool,
}

impl Tx<'_> {
    /// Makes the partitions of the coming days and drops those whose last identifier ended over a day ago, if no other node
    /// is at it. Answers how many were made and dropped. Waits for nobody: who holds the table has it another time.
    pub fn keep_days(&mut self, today: NaiveDate) -> Result<(usize, usize), StoreError> {
        if !self.sweeps()? {
            return Ok((0, 0));
        }
        self.conn.batch_execute("SET LOCAL lock_timeout = '500ms'")?;
        let known: Vec<Name> = diesel::sql_query(
            "SELECT relname::text AS name FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid \
             WHERE inhparent = 'spent'::regclass",
        )
        .load(self.conn)?;
        let days: Vec<NaiveDate> = known.iter().filter_map(|one| day_of(&one.name)).collect();
        let coming = (1..=AHEAD).filter_map(|ahead| today.checked_add_days(Days::new(ahead)));
        let mut made = 0;
        for day in coming.filter(|day| !days.contains(day)).collect::<Vec<_>>() {
            made += usize::from(self.make_day(day)?);
        }
        let over: Vec<NaiveDate> = days
            .into_iter()
            .filter(|day| day.checked_add_days(Days::new(1)).is_some_and(|next| next < today))
            .collect();
        for day in &over {
            self.conn.batch_execute(&format!("DROP TABLE {PREFIX}{}", day.format(FORMAT)))?;
        }
        Ok((made, over.len()))
    }

    /// Not where rows of the day lie in the default partition: those are swept there.
    fn make_day(&mut self, day: NaiveDate) -> Result<bool, StoreError> {
        let taken: Taken =
            diesel::sql_query("SELECT EXISTS (SELECT FROM spent_default WHERE expires_on = $1) AS taken")
                .bind::<Date, _>(day)
                .get_result(self.conn)?;
        let Some(next) = day.checked_add_days(Days::new(1)).filter(|_| !taken.taken) else { return Ok(false) };
        self.conn.batch_execute(&format!(
            "CREATE TABLE {PREFIX}{} PARTITION OF spent FOR VALUES FROM ('{day}') TO ('{next}')",
            day.format(FORMAT)
        ))?;
        Ok(true)
    }
}

/// The day that a partition is for; none for the default one.
fn day_of(name: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(name.strip_prefix(PREFIX)?, FORMAT).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// T2: a partition is known by its name.
    #[test]
    fn names() {
        let day = NaiveDate::from_ymd_opt(2026, 12, 1).expect("a day");
        assert_eq!(day_of(&format!("{PREFIX}{}", day.format(FORMAT))), Some(day));
        for other in ["spent_default", "spent", "spent_2026-12-01", "grants_20261201"] {
            assert_eq!(day_of(other), None, "{other}");
        }
    }
}
