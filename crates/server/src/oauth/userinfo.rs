//! `GET` and `POST /oauth/userinfo`.

use actix_web::{HttpRequest, HttpResponse, http::header, web::Data};
use serde_json::{Map, Value};
use signet_oidc::{ErrorCode, OAuthError, jose::AccessClaims, userinfo};

use super::EndpointError;
use crate::{app::App, guard::gate::Bearer};

/// OIDC Core §5.3. The guard has checked the token.
pub async fn handle(app: Data<App>, http: HttpRequest, Bearer(token): Bearer) -> HttpResponse {
    match claims(&app, &token).await {
        Ok(claims) => HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(Value::Object(claims)),
        Err(error) => EndpointError::bearer(Some(&error), &http),
    }
}

async fn claims(app: &App, token: &AccessClaims) -> Result<Map<String, Value>, EndpointError> {
    let subject = token.sub.clone();
    let account = app.store.read(move |tx| tx.claims_of(&subject)).await?;
    let account = account.ok_or_else(|| OAuthError::new(ErrorCode::InvalidToken, "the access token is not valid"))?;
    let scopes = token.scope.parse().unwrap_or_default();
    Ok(userinfo::answer(&token.sub, &scopes, &account))
}
