//! `GET` and `POST /oauth/userinfo`.

use std::{sync::Arc, time::Instant};

use actix_web::{HttpRequest, HttpResponse, http::header, web::Data};
use serde_json::{Map, Value};
use signet_oidc::{ErrorCode, OAuthError, claims::Release, client::Client, jose::AccessClaims, userinfo};

use super::EndpointError;
use crate::{app::App, guard::gate::Bearer};

/// OIDC Core §5.3. The guard has checked the token.
pub async fn handle(app: Data<App>, http: HttpRequest, Bearer(token): Bearer) -> HttpResponse {
    match answer(&app, &token).await {
        Ok(response) => response,
        Err(error) => EndpointError::bearer(Some(&error), &http),
    }
}

/// OIDC Core §5.3.2: JSON, or a JWT where the client registered algorithms: signed, encrypted, or signed and then encrypted.
async fn answer(app: &Data<App>, token: &AccessClaims) -> Result<HttpResponse, EndpointError> {
    let client = app.client(&token.client_id).await?.filter(|client| !client.disabled).ok_or_else(invalid)?;
    let encryption = client.metadata.userinfo_encryption();
    let recipient = app.key_sets.recipient(&client, encryption, Instant::now()).await?;
    let claims = claims(app, token, Arc::clone(&client)).await?;
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    let jwt = match (client.metadata.userinfo_signed_response_alg, recipient) {
        (None, None) => return Ok(response.json(Value::Object(claims))),
        (None, Some(recipient)) => recipient.encrypt_claims(&claims)?,
        (Some(alg), recipient) => {
            let realm = app.realm();
            let parties = (realm.issuer.as_str(), client.id.as_str());
            let signed = app.signed(|keys| keys.sign_userinfo(claims.clone(), parties, alg)).await?;
            recipient.map_or(Ok(signed.clone()), |recipient| recipient.nest(&signed))?
        }
    };
    Ok(response.content_type("application/jwt").body(jwt))
}

async fn claims(
    app: &Data<App>,
    token: &AccessClaims,
    client: Arc<Client>,
) -> Result<Map<String, Value>, EndpointError> {
    let grant = token.grant.ok_or_else(invalid)?;
    let (shared, asks) = (app.clone(), Arc::clone(&client));
    let found = app
        .store
        .read(move |tx| {
            let Some((account, mut person, request)) = tx.person_of_grant(grant)? else { return Ok(None) };
            person.roles = shared.roles_for(tx, &asks, account)?;
            Ok(Some((person, request)))
        })
        .await?;
    let (person, request) = found.ok_or_else(invalid)?;
    let scopes = token.scope.parse().unwrap_or_default();
    let release = Release { client: &client, scopes: &scopes, request: &request };
    Ok(userinfo::answer(&token.sub, &release, &person))
}

fn invalid() -> OAuthError {
    OAuthError::new(ErrorCode::InvalidToken, "the access token is not valid")
}
