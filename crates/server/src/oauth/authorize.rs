//! `GET` and `POST /oauth/authorize`.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use signet_oidc::{
    Params,
    authorize::{self, AuthorizeError},
    error::OAuthError,
};

use crate::{
    app::App,
    call, entropy,
    pages::{
        PageError, answer, deliver,
        interact::{Step, proceed},
        see_other,
    },
};

/// OIDC Core §3.1.2.1.
pub async fn get(app: Data<App>, http: HttpRequest, payload: Payload) -> HttpResponse {
    let result = async {
        let params = call::read(&http, payload).await?.params;
        params.refuse_repeated(&["client_id"]).map_err(PageError::Request)?;
        let client = match params.get("client_id") {
            Some(id) => app.client(id).await?,
            None => None,
        };
        let hint = hint(&app, &params);
        let request = match authorize::read(&params, client.as_deref(), hint, &app.realm()) {
            Ok(request) => request,
            Err(AuthorizeError::Page(error)) => return Err(PageError::Request(error)),
            Err(AuthorizeError::Redirect(delivery, error)) => return deliver::send(&app, delivery.error(&error)),
        };
        match client {
            Some(client) => proceed(&app, &http, (request, client), Step::Arrived).await,
            None => Err(PageError::Request(OAuthError::invalid_request("client_id is missing"))),
        }
    };
    let result = result.await;
    answer(result, &app, &http)
}

/// OIDC Core §3.1.2.1: POST means the same as GET. The browser withholds our cookies from a post of another site, so
/// it is turned into a GET of ours.
pub async fn post(app: Data<App>, http: HttpRequest, payload: Payload) -> HttpResponse {
    let result = async {
        let params = call::read(&http, payload).await?.params;
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(params.iter());
        Ok(see_other(&format!("/oauth/authorize?{}", query.finish())))
    };
    let result: Result<HttpResponse, PageError> = result.await;
    answer(result, &app, &http)
}

/// OIDC Core §3.1.2.1: the subject of `id_token_hint`, which must be an ID token of ours.
fn hint(app: &App, params: &Params) -> Result<Option<String>, OAuthError> {
    let Some(token) = params.get("id_token_hint") else { return Ok(None) };
    app.published()
        .keyring
        .verify_hint(token, &app.realm().issuer, entropy::now())
        .map(|claims| Some(claims.sub))
        .map_err(|_| OAuthError::invalid_request("id_token_hint is not an ID token of this provider"))
}
