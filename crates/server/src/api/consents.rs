//! `/api/v1/admin/users/{user}/consents`

use actix_web::HttpResponse;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Office, problem::Problem};
use crate::admin::{
    Page, Paging,
    consents::{self, ConsentView},
};

/// Which part of the list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
pub struct ConsentQuery {
    /// At most so many, 1 to 200; 50 when not given.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<i64>,
    /// The `next` of the page before.
    pub after: Option<String>,
}

/// What an account allowed applications, by their identifiers.
#[utoipa::path(get, path = "/api/v1/admin/users/{user}/consents", tag = "Users",
    params(("user" = String, Path, description = "Its id, username or address"), ConsentQuery),
    responses((status = 200, description = "A part of the list", body = Page<ConsentView>)))]
pub async fn list(office: Office) -> Result<HttpResponse, Problem> {
    let ConsentQuery { limit, after } = office.query()?;
    let paging = Paging { limit, after, search: None };
    Ok(office.page(&consents::list(&office.desk, &office.path::<String>()?, paging).await?))
}

/// Withdraws what an account allowed a client. Everything the client was given by that account ends, offline access too.
#[utoipa::path(delete, path = "/api/v1/admin/users/{user}/consents/{client_id}", tag = "Users",
    params(("user" = String, Path, description = "Its id, username or address"),
        ("client_id" = String, Path, description = "The client's identifier")),
    responses((status = 204, description = "Withdrawn")))]
pub async fn withdraw(office: Office) -> Result<HttpResponse, Problem> {
    office.unconditional()?;
    let (user, client_id) = office.path::<(String, String)>()?;
    consents::withdraw(&office.desk, &user, &client_id).await?;
    Ok(HttpResponse::NoContent().finish())
}
