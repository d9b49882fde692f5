//! `/api/v1/admin/resources`

use actix_web::{HttpResponse, web::Payload};

use super::{MergePatch, Office, problem::Problem, tagged};
use crate::admin::{
    Page, Paging,
    resources::{self, NewResource, ResourceChange, ResourceView},
    revision,
};

impl MergePatch for ResourceChange {
    const KEPT: &'static [&'static str] = &["name", "scopes"];
}

/// APIs that tokens are for, by identifier; Signet's own among them.
#[utoipa::path(get, path = "/api/v1/admin/resources", tag = "Resources", params(Paging),
    responses((status = 200, description = "A part of the list", body = Page<ResourceView>)))]
pub async fn list(office: Office) -> Result<HttpResponse, Problem> {
    Ok(office.page(&resources::list(&office.desk, office.query()?).await?))
}

/// Registers an API.
#[utoipa::path(post, path = "/api/v1/admin/resources", tag = "Resources", request_body = NewResource,
    responses((status = 201, description = "Registered", body = ResourceView)))]
pub async fn create(office: Office, payload: Payload) -> Result<HttpResponse, Problem> {
    office.unconditional()?;
    let made = resources::create(&office.desk, office.body::<NewResource>(payload).await?).await?;
    Ok(office.created(&made.identifier, &made))
}

/// One API.
#[utoipa::path(get, path = "/api/v1/admin/resources/{identifier}", tag = "Resources",
    params(("identifier" = String, Path, description = "Its identifier, escaped as one part of the path")),
    responses((status = 200, description = "The API; its revision is the ETag", body = ResourceView)))]
pub async fn show(office: Office) -> Result<HttpResponse, Problem> {
    let resource = resources::show(&office.desk, &office.path::<String>()?).await?;
    Ok(tagged(&revision(&resource), &resource))
}

/// Changes what the body names; the rest stays. With `If-Match` only if nobody changed it meanwhile.
#[utoipa::path(patch, path = "/api/v1/admin/resources/{identifier}", tag = "Resources",
    request_body = ResourceChange,
    params(("identifier" = String, Path, description = "Its identifier, escaped as one part of the path"),
        ("If-Match" = Option<String>, Header, description = "The ETag the change is based on")),
    responses((status = 200, description = "As it is now", body = ResourceView)))]
pub async fn update(office: Office, payload: Payload) -> Result<HttpResponse, Problem> {
    let change: ResourceChange = office.change(payload).await?;
    let changed = resources::update(&office.desk, &office.path::<String>()?, change, office.condition()).await?;
    Ok(tagged(&revision(&changed), &changed))
}

/// Removes an API.
#[utoipa::path(delete, path = "/api/v1/admin/resources/{identifier}", tag = "Resources",
    params(("identifier" = String, Path, description = "Its identifier, escaped as one part of the path"),
        ("If-Match" = Option<String>, Header, description = "The ETag the change is based on")),
    responses((status = 204, description = "Removed")))]
pub async fn delete(office: Office) -> Result<HttpResponse, Problem> {
    resources::delete(&office.desk, &office.path::<String>()?, office.condition()).await?;
    Ok(HttpResponse::NoContent().finish())
}
