//! `/api/v1/admin/audit`

use actix_web::HttpResponse;

use super::{Office, problem::Problem};
use crate::admin::{
    Page,
    audit::{self, AuditPage, AuditQuery, AuditView},
};

/// What happened: who did what, from where, with what result; the newest first.
#[utoipa::path(get, path = "/api/v1/admin/audit", tag = "Audit",
    params(
        ("event" = Option<String>, Query, description = "The event's code, or its beginning up to a dot"),
        ("result" = Option<String>, Query, description = "`success` or `refused`"),
        ("account" = Option<String>, Query, description = "The id of the account it is about"),
        ("actor" = Option<String>, Query, description = "The id of the account that did it"),
        ("client" = Option<String>, Query, description = "The `client_id` it was done with"),
        ("object" = Option<String>, Query, description = "What it was done to, such as `role:editor`"),
        ("request_id" = Option<String>, Query, description = "The request it was done in"),
        ("from" = Option<String>, Query, description = "Not before this moment (RFC 3339)"),
        ("to" = Option<String>, Query, description = "Before this moment (RFC 3339)"),
        ("ascending" = Option<bool>, Query, description = "The oldest first"),
        ("after" = Option<String>, Query, description = "The `next` of the page before"),
        ("limit" = Option<i64>, Query, description = "At most so many: 1 to 500, 50 when not given"),
    ),
    responses((status = 200, description = "A part of the log", body = Page<AuditView>)))]
pub async fn list(office: Office) -> Result<HttpResponse, Problem> {
    let AuditPage { items, next } = audit::list(&office.desk, office.query::<AuditQuery>()?).await?;
    Ok(office.page(&Page { items, next }))
}
