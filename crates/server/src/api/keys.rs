//! `/api/v1/admin/keys`

use actix_web::{HttpResponse, web::Payload};

use super::{Office, all, problem::Problem};
use crate::admin::{
    Page,
    keys::{self, KeyView, RotateKeys},
};

/// Signing keys, the oldest first, without their private parts.
#[utoipa::path(get, path = "/api/v1/admin/keys", tag = "Keys",
    responses((status = 200, description = "All of them", body = Page<KeyView>)))]
pub async fn list(office: Office) -> Result<HttpResponse, Problem> {
    Ok(all(keys::list(&office.desk).await?))
}

/// Signs with the keys that were published ahead, and publishes fresh ones. Answers every key.
#[utoipa::path(post, path = "/api/v1/admin/keys/rotate", tag = "Keys", request_body = RotateKeys,
    responses((status = 200, description = "All of them, as they are now", body = Page<KeyView>)))]
pub async fn rotate(office: Office, payload: Payload) -> Result<HttpResponse, Problem> {
    office.unconditional()?;
    let how: RotateKeys = office.body_or_default(payload).await?;
    Ok(all(keys::rotate(&office.desk, how).await?))
}
