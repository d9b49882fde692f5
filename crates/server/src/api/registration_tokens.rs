//! `/api/v1/admin/registration-tokens`

use actix_web::{HttpResponse, web::Payload};

use super::{Office, problem::Problem};
use crate::admin::{
    Page, Paging,
    registration_tokens::{self, NewRegistrationToken, RegistrationTokenIssued, RegistrationTokenView},
};

/// Initial access tokens, with which clients register themselves; the oldest first.
#[utoipa::path(get, path = "/api/v1/admin/registration-tokens", tag = "Clients", params(Paging),
    responses((status = 200, description = "A part of the list", body = Page<RegistrationTokenView>)))]
pub async fn list(office: Office) -> Result<HttpResponse, Problem> {
    Ok(office.page(&registration_tokens::list(&office.desk, office.query()?).await?))
}

/// Makes an initial access token. It is in this answer and in no other.
#[utoipa::path(post, path = "/api/v1/admin/registration-tokens", tag = "Clients", request_body = NewRegistrationToken,
    responses((status = 201, description = "Made", body = RegistrationTokenIssued)))]
pub async fn create(office: Office, payload: Payload) -> Result<HttpResponse, Problem> {
    office.unconditional()?;
    let new: NewRegistrationToken = office.body_or_default(payload).await?;
    let made = registration_tokens::create(&office.desk, new).await?;
    Ok(office.created(&made.about.id.to_string(), &made))
}

/// Takes an initial access token away. Clients that registered with it stay.
#[utoipa::path(delete, path = "/api/v1/admin/registration-tokens/{id}", tag = "Clients",
    params(("id" = String, Path, description = "Its identifier")),
    responses((status = 204, description = "Removed")))]
pub async fn delete(office: Office) -> Result<HttpResponse, Problem> {
    office.unconditional()?;
    registration_tokens::delete(&office.desk, &office.path::<String>()?).await?;
    Ok(HttpResponse::NoContent().finish())
}
