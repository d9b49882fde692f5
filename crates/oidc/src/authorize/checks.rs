//! The checks of an authorization request, in order.

use super::{
    engine,
    request::{AuthorizeRequest, Prompts},
    response::{AuthorizeError, Delivery, ResponseMode},
};
use crate::{
    call::Params,
    client::{Client, GRANT_CODE},
    error::{ErrorCode, OAuthError},
    pkce::Challenge,
    policy::PkceRule,
    realm::Realm,
    scope::Scopes,
};

/// Parameters this endpoint knows; each may come once (RFC 6749 §3.1).
const KNOWN: [&str; 21] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "response_mode",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "prompt",
    "max_age",
    "login_hint",
    "id_token_hint",
    "ui_locales",
    "claims_locales",
    "display",
    "acr_values",
    "claims",
    "request",
    "request_uri",
    "registration",
];

/// The greatest length of `state`, in bytes; longer ones are refused rather than cut.
const STATE_LIMIT: usize = 4_096;

type Check = fn(&Params, &Client) -> Result<(), OAuthError>;

/// What is checked once the redirect URI is known good, in this order; the first refusal is sent there.
const CHECKS: [Check; 9] = [
    no_parameter_repeated,
    state_fits,
    request_objects_unsupported,
    response_type_is_code,
    client_may_use_code,
    response_mode_is_served,
    nonce_fits,
    scope_is_well_formed,
    resources_unsupported,
];

/// Reads and checks a request of `client` (none when the identifier is unknown).
///
/// `expected_subject` is the subject of a verified `id_token_hint`, or the error that its verification gave.
pub fn read(
    params: &Params,
    client: Option<&Client>,
    expected_subject: Result<Option<String>, OAuthError>,
    realm: &Realm,
) -> Result<AuthorizeRequest, AuthorizeError> {
    params.refuse_repeated(&["client_id", "redirect_uri"]).map_err(AuthorizeError::Page)?;
    let client = known_client(params, client)?;
    let (redirect_uri, redirect_uri_sent) = registered_redirect(params, client)?;

    let delivery = Delivery {
        mode: ResponseMode::Query,
        redirect_uri,
        state: params.get("state").filter(|state| state.len() <= STATE_LIMIT).map(str::to_owned),
        issuer: realm.issuer.clone(),
    };
    let refuse = |error| AuthorizeError::Redirect(Box::new(delivery.clone()), error);
    for check in CHECKS {
        check(params, client).map_err(refuse)?;
    }
    let challenge = pkce(params, client).map_err(refuse)?;
    let prompt = Prompts::parse(params.get("prompt")).map_err(refuse)?;
    let max_age = max_age(params).map_err(refuse)?;
    let asked = params.get("scope").unwrap_or_default().parse::<Scopes>().map_err(|_| refuse(bad_scope()))?;
    let scopes = engine::negotiate(client, &delivery.redirect_uri, &asked).map_err(refuse)?;
    let expected_subject = expected_subject.map_err(refuse)?;

    Ok(AuthorizeRequest {
        client_id: client.id.clone(),
        redirect_uri: delivery.redirect_uri,
        redirect_uri_sent,
        response_mode: delivery.mode,
        scopes,
        state: delivery.state,
        nonce: params.get("nonce").map(str::to_owned),
        challenge,
        prompt,
        max_age,
        login_hint: params.get("login_hint").filter(|hint| hint.len() <= 254).map(str::to_owned),
        expected_subject,
    })
}

/// RFC 6749 §4.1.2.1: an unknown client is told on our own page (protocol A2).
fn known_client<'a>(params: &Params, client: Option<&'a Client>) -> Result<&'a Client, AuthorizeError> {
    if params.get("client_id").is_none() {
        return Err(AuthorizeError::page("client_id is missing"));
    }
    client
        .filter(|client| !client.disabled)
        .ok_or_else(|| AuthorizeError::page("client_id names no application that is registered here"))
}

/// RFC 6749 §3.1.2.3, protocol A2: equal to a registered one in every byte; may be left out when there is only one.
fn registered_redirect(params: &Params, client: &Client) -> Result<(String, bool), AuthorizeError> {
    match (params.get("redirect_uri"), client.redirect_uris.as_slice()) {
        (Some(sent), _) if client.accepts_redirect(sent) => Ok((sent.to_owned(), true)),
        (Some(_), _) => Err(AuthorizeError::page("redirect_uri is not registered for this application")),
        (None, [only]) => Ok((only.clone(), false)),
        (None, _) => Err(AuthorizeError::page("redirect_uri is missing")),
    }
}

/// RFC 6749 §3.1.
fn no_parameter_repeated(params: &Params, _: &Client) -> Result<(), OAuthError> {
    params.refuse_repeated(&KNOWN)
}

fn state_fits(params: &Params, _: &Client) -> Result<(), OAuthError> {
    match params.get("state") {
        Some(state) if state.len() > STATE_LIMIT => Err(OAuthError::invalid_request("state is longer than 4096 bytes")),
        _ => Ok(()),
    }
}

/// OIDC Core §6: refused, never ignored.
fn request_objects_unsupported(params: &Params, _: &Client) -> Result<(), OAuthError> {
    let refuse = |code, description| Err(OAuthError::new(code, description));
    if params.get("request").is_some() {
        return refuse(ErrorCode::RequestNotSupported, "request objects are not supported");
    }
    if params.get("request_uri").is_some() {
        return refuse(ErrorCode::RequestUriNotSupported, "request_uri is not supported");
    }
    if params.get("registration").is_some() {
        return refuse(ErrorCode::RegistrationNotSupported, "the registration parameter is not supported");
    }
    Ok(())
}

/// RFC 6749 §3.1.1.
fn response_type_is_code(params: &Params, _: &Client) -> Result<(), OAuthError> {
    match params.get("response_type") {
        Some("code") => Ok(()),
        Some(_) => Err(OAuthError::new(ErrorCode::UnsupportedResponseType, "response_type must be code")),
        None => Err(OAuthError::invalid_request("response_type is missing")),
    }
}

/// RFC 6749 §4.1.2.1 `unauthorized_client`.
fn client_may_use_code(_: &Params, client: &Client) -> Result<(), OAuthError> {
    if client.may_use_grant(GRANT_CODE) && client.response_types.iter().any(|registered| registered == "code") {
        Ok(())
    } else {
        Err(OAuthError::new(ErrorCode::UnauthorizedClient, "this client is not registered for response_type code"))
    }
}

/// OAuth 2.0 Multiple Response Types §2.1.
fn response_mode_is_served(params: &Params, _: &Client) -> Result<(), OAuthError> {
    match params.get("response_mode") {
        None | Some("query") => Ok(()),
        Some(_) => Err(OAuthError::invalid_request("response_mode must be query")),
    }
}

fn nonce_fits(params: &Params, _: &Client) -> Result<(), OAuthError> {
    match params.get("nonce") {
        Some(nonce) if nonce.len() > 1_024 => Err(OAuthError::invalid_request("nonce is longer than 1024 bytes")),
        _ => Ok(()),
    }
}

/// RFC 6749 §3.3.
fn scope_is_well_formed(params: &Params, _: &Client) -> Result<(), OAuthError> {
    match params.get("scope").map(str::parse::<Scopes>) {
        Some(Err(_)) => Err(bad_scope()),
        _ => Ok(()),
    }
}

/// RFC 8707 §2: refused, so that no token is made for another audience than the one asked for.
fn resources_unsupported(params: &Params, _: &Client) -> Result<(), OAuthError> {
    match params.get("resource") {
        Some(_) => Err(OAuthError::new(ErrorCode::InvalidTarget, "resource is not supported")),
        None => Ok(()),
    }
}

fn bad_scope() -> OAuthError {
    OAuthError::new(ErrorCode::InvalidScope, "scope holds a character that is not allowed there")
}

/// RFC 7636 §4.4.1, RFC 9700 §2.1.1: S256, required of public clients whatever their policy says.
fn pkce(params: &Params, client: &Client) -> Result<Option<Challenge>, OAuthError> {
    let challenge = Challenge::parse(params.get("code_challenge"), params.get("code_challenge_method"))?;
    let required = client.is_public() || client.policy.pkce == PkceRule::Required;
    if required && challenge.is_none() {
        return Err(OAuthError::invalid_request("code_challenge is missing: this client must use PKCE"));
    }
    Ok(challenge)
}

/// OIDC Core §3.1.2.1: a whole number of seconds.
fn max_age(params: &Params) -> Result<Option<u32>, OAuthError> {
    params
        .get("max_age")
        .map(|value| value.parse().map_err(|_| OAuthError::invalid_request("max_age must be a number of seconds")))
        .transpose()
}
