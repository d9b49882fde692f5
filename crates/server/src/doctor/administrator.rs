//! Somebody who may administrate.

use signet_storage::inspect::{Inspection, Migrated};

use super::Finding;

const CHECK: &str = "administrator";

pub(super) fn judge(inspection: Option<&Inspection>) -> Option<Finding> {
    let inspection = inspection?;
    Some(match inspection.administrators {
        None if inspection.schema == Migrated::Empty => {
            Finding::ok(CHECK, "none yet: the first start makes one from admin_email")
        }
        None => return None,
        Some(0) => Finding::broken(
            CHECK,
            "no active account has the role admin",
            "make one: signet user make-admin NAME, or signet user create --admin",
        ),
        Some(1) => Finding::ok(CHECK, "one account"),
        Some(count) => Finding::ok(CHECK, format!("{count} accounts")),
    })
}
