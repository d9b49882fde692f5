//! `GET` and `POST /oauth/authorize`.

use std::time::Instant;

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use signet_oidc::{
    Params,
    authorize::{self, AuthorizeError, AuthorizeRequest, Carried, Envelope, Object, Unpacked},
    client::Client,
    error::{ErrorCode, OAuthError},
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

/// RFC 9101 §5.2.1: what a request object may come as.
const ACCEPTED: &str = "application/oauth-authz-req+jwt, application/jwt, text/plain;q=0.5";

/// OIDC Core §3.1.2.1.
pub async fn get(app: Data<App>, http: HttpRequest, payload: Payload) -> HttpResponse {
    let result = async {
        let params = call::read_raw(&http, payload).await?.params;
        params.refuse_repeated(&["client_id"]).map_err(PageError::Request)?;
        let client = match params.get("client_id") {
            Some(id) => app.client(id).await?,
            None => None,
        };
        if params.get("request_uri").is_some() {
            app.limit_costly(&http).await?;
        }
        let request = match read(&app, params, client.as_deref()).await {
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

/// The parameters, those of a request object in their place, as a request.
async fn read(app: &App, params: Params, client: Option<&Client>) -> Result<AuthorizeRequest, AuthorizeError> {
    let realm = app.realm();
    let unpacked = match client {
        Some(client) if !client.disabled => unpacked(app, Envelope { params: &params, client, realm: &realm }).await?,
        _ => None,
    };
    let Unpacked { params, once } = unpacked.unwrap_or(Unpacked { params, once: None });
    let hint = hint(app, &params);
    let request = authorize::read(&params, client, hint, &realm)?;
    Ok(AuthorizeRequest { once, ..request })
}

/// RFC 9101, OIDC Core §6: the parameters that count where the request has a request object. Nothing fetched is kept.
async fn unpacked(app: &App, envelope: Envelope<'_>) -> Result<Option<Unpacked>, AuthorizeError> {
    let fetched;
    let text = match envelope.carried()? {
        None => return Ok(None),
        Some(Carried::Value(text)) => text,
        Some(Carried::Reference(address)) => {
            fetched = fetch(app, address).await.map_err(|error| envelope.refuse(error))?;
            fetched.trim()
        }
    };
    let object = Object::parse(text).map_err(|error| envelope.refuse(error))?;
    let keys = if object.is_signed() {
        // Without keys no signature holds.
        app.key_sets.of(envelope.client, object.kid(), Instant::now()).await.ok()
    } else {
        None
    };
    envelope.unpack(&object, keys.as_deref(), entropy::now()).map(Some)
}

/// OIDC Core §6.2: what is at a `request_uri`.
async fn fetch(app: &App, address: &str) -> Result<String, OAuthError> {
    let failed = |description| OAuthError::new(ErrorCode::InvalidRequestUri, description);
    let fetched = app.outbound.get(address, ACCEPTED).await.map_err(|error| {
        let host = url::Url::parse(address).ok().and_then(|url| url.host_str().map(str::to_owned));
        tracing::warn!(host, %error, "a request object was not fetched");
        failed("request_uri cannot be fetched")
    })?;
    String::from_utf8(fetched.body).map_err(|_| failed("request_uri leads to something that is not a request object"))
}

/// OIDC Core §3.1.2.1: POST means the same as GET. The browser withholds our cookies from a post of another site, so
/// it is turned into a GET of ours.
pub async fn post(app: Data<App>, http: HttpRequest, payload: Payload) -> HttpResponse {
    let result = async {
        let params = call::read_raw(&http, payload).await?.params;
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
