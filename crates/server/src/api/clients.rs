//! `/api/v1/admin/clients`

use actix_web::{HttpResponse, web::Payload};

use super::{MergePatch, Office, problem::Problem, shown, tagged};
use crate::admin::{
    Page, Paging,
    clients::{self, ClientChange, ClientIssued, ClientView, NewClient, RotateSecret},
};

impl MergePatch for ClientChange {
    const KEPT: &'static [&'static str] = &[
        "revision",
        "client_name",
        "redirect_uris",
        "post_logout_redirect_uris",
        "grant_types",
        "response_types",
        "scope",
        "token_endpoint_auth_method",
        "application_type",
        "first_party",
        "pkce",
        "refresh_rotation",
        "refresh_tokens",
        "pkce_plain",
        "request_objects",
    ];
}

/// Clients, by identifier.
#[utoipa::path(get, path = "/api/v1/admin/clients", tag = "Clients", params(Paging),
    responses((status = 200, description = "A part of the list", body = Page<ClientView>)))]
pub async fn list(office: Office) -> Result<HttpResponse, Problem> {
    Ok(office.page(&clients::list(&office.desk, office.query()?).await?))
}

/// Registers a client. Its secret is in this answer and in no other.
#[utoipa::path(post, path = "/api/v1/admin/clients", tag = "Clients", request_body = NewClient,
    responses((status = 201, description = "Registered", body = ClientIssued)))]
pub async fn create(office: Office, payload: Payload) -> Result<HttpResponse, Problem> {
    office.unconditional()?;
    let made = clients::create(&office.desk, office.body::<NewClient>(payload).await?).await?;
    Ok(office.created(&made.client.client_id, &made))
}

/// One client.
#[utoipa::path(get, path = "/api/v1/admin/clients/{client_id}", tag = "Clients",
    params(("client_id" = String, Path, description = "Its identifier")),
    responses((status = 200, description = "The client; its revision is the ETag", body = ClientView)))]
pub async fn show(office: Office) -> Result<HttpResponse, Problem> {
    let client = clients::show(&office.desk, &office.path::<String>()?).await?;
    Ok(tagged(&client.revision, &client))
}

/// Changes what the body names; the rest stays. With `If-Match` only if nobody changed it meanwhile.
#[utoipa::path(patch, path = "/api/v1/admin/clients/{client_id}", tag = "Clients", request_body = ClientChange,
    params(("client_id" = String, Path, description = "Its identifier"),
        ("If-Match" = Option<String>, Header, description = "The ETag the change is based on")),
    responses((status = 200, description = "As it is now; with a secret if the change made one", body = ClientIssued)))]
pub async fn update(office: Office, payload: Payload) -> Result<HttpResponse, Problem> {
    let change: ClientChange = office.change(payload).await?;
    let changed = clients::update(&office.desk, &office.path::<String>()?, change, office.condition()).await?;
    Ok(tagged(&changed.client.revision, &changed))
}

/// Removes a client. What it was given ends at once.
#[utoipa::path(delete, path = "/api/v1/admin/clients/{client_id}", tag = "Clients",
    params(("client_id" = String, Path, description = "Its identifier"),
        ("If-Match" = Option<String>, Header, description = "The ETag the change is based on")),
    responses((status = 204, description = "Removed")))]
pub async fn delete(office: Office) -> Result<HttpResponse, Problem> {
    clients::delete(&office.desk, &office.path::<String>()?, office.condition()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Gives a client a new secret; the old one stops.
#[utoipa::path(post, path = "/api/v1/admin/clients/{client_id}/rotate-secret", tag = "Clients",
    params(("client_id" = String, Path, description = "Its identifier"),
        ("If-Match" = Option<String>, Header, description = "The ETag the change is based on")), request_body = RotateSecret,
    responses((status = 200, description = "The new secret, shown this once", body = ClientIssued)))]
pub async fn rotate_secret(office: Office, payload: Payload) -> Result<HttpResponse, Problem> {
    let how: RotateSecret = office.body_or_default(payload).await?;
    Ok(shown(&clients::rotate_secret(&office.desk, &office.path::<String>()?, how, office.condition()).await?))
}

/// Switches a client off. What it was given ends at once.
#[utoipa::path(post, path = "/api/v1/admin/clients/{client_id}/disable", tag = "Clients",
    params(("client_id" = String, Path, description = "Its identifier"),
        ("If-Match" = Option<String>, Header, description = "The ETag the change is based on")),
    responses((status = 200, description = "As it is now", body = ClientView)))]
pub async fn disable(office: Office) -> Result<HttpResponse, Problem> {
    Ok(shown(&clients::disable(&office.desk, &office.path::<String>()?, office.condition()).await?))
}

/// Switches a client on again. What had ended stays ended.
#[utoipa::path(post, path = "/api/v1/admin/clients/{client_id}/enable", tag = "Clients",
    params(("client_id" = String, Path, description = "Its identifier"),
        ("If-Match" = Option<String>, Header, description = "The ETag the change is based on")),
    responses((status = 200, description = "As it is now", body = ClientView)))]
pub async fn enable(office: Office) -> Result<HttpResponse, Problem> {
    Ok(shown(&clients::enable(&office.desk, &office.path::<String>()?, office.condition()).await?))
}
