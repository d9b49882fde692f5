//! `GET` and `POST /oauth/userinfo`.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{Data, Payload},
};
use serde_json::{Map, Value};
use signet_oidc::{Call, ErrorCode, OAuthError, jose::AccessClaims, userinfo};

use super::EndpointError;
use crate::{app::App, call, entropy};

/// OIDC Core §5.3.
pub async fn handle(app: Data<App>, http: HttpRequest, payload: Payload) -> HttpResponse {
    match claims(&app, &http, payload).await {
        Ok(Some(claims)) => {
            HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(Value::Object(claims))
        }
        Ok(None) => EndpointError::bearer(None, &http),
        Err(error) => EndpointError::bearer(Some(&error), &http),
    }
}

async fn claims(app: &App, http: &HttpRequest, payload: Payload) -> Result<Option<Map<String, Value>>, EndpointError> {
    let call = call::read(http, payload).await?;
    app.store.be_current(entropy::now()).await?;
    let Some(token) = check(app, &call)? else { return Ok(None) };
    let scopes = userinfo::permit(&token, &app.realm)?;
    let subject = token.sub.clone();
    let account = app.store.read(move |tx| tx.claims_of(&subject)).await?;
    let account = account.ok_or_else(|| OAuthError::new(ErrorCode::InvalidToken, "the access token is not valid"))?;
    Ok(Some(userinfo::answer(&token.sub, &scopes, &account)))
}

/// Checks a bearer token: signature, kind, issuer, times, and one look into the revocation set. No SQL.
fn check(app: &App, call: &Call) -> Result<Option<AccessClaims>, OAuthError> {
    let Some(token) = userinfo::bearer(call)? else { return Ok(None) };
    let invalid = || OAuthError::new(ErrorCode::InvalidToken, "the access token is not valid");
    let claims = app
        .published()
        .keyring
        .verify_access(token.expose(), &app.realm.issuer, entropy::now())
        .map_err(|_| invalid())?;
    if app.store.is_revoked(&claims) { Err(invalid()) } else { Ok(Some(claims)) }
}
