//! The checks of an authorization request, in order.

mod text;

use std::collections::BTreeSet;

use super::{
    engine,
    request::{AcrWish, AuthorizeRequest, Prompt, Prompts},
    response::{AuthorizeError, Delivery, ResponseMode},
};
use crate::{
    call::{Params, is_text},
    claims::ClaimsRequest,
    client::{Client, ResponseType},
    error::{ErrorCode, OAuthError},
    pkce::Challenge,
    policy::PkceRule,
    realm::Realm,
    registration::locales,
    scope::{OFFLINE_ACCESS, OPENID, Scopes},
};

/// Parameters this endpoint knows; each may come once (RFC 6749 §3.1).
///
/// `resource` may be repeated (RFC 8707 §2).
pub(super) const KNOWN: [&str; 21] = [
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
const CHECKS: [Check; 12] = [
    no_parameter_repeated,
    text::parameters_are_text,
    state_fits,
    nothing_is_left_packed,
    response_type_is_served,
    client_may_use_response_type,
    response_mode_is_served,
    no_token_in_the_query,
    nonce_fits,
    nonce_is_there_for_an_id_token,
    scope_is_well_formed,
    id_token_needs_openid,
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
    let (delivery, redirect_uri_sent) = delivery(params, client, realm)?;
    redirect_uri_is_sent(params, redirect_uri_sent)?;
    let refuse = |error| AuthorizeError::Redirect(Box::new(delivery.clone()), error);
    for check in CHECKS {
        check(params, client).map_err(refuse)?;
    }
    let response_type = response_type(params).unwrap_or(ResponseType::CODE);
    let challenge = pkce(params, client, response_type).map_err(refuse)?;
    let prompt = prompts(params, realm).map_err(refuse)?;
    let max_age = max_age(params).map_err(refuse)?.or(client.metadata.default_max_age);
    let asked = params.get("scope").unwrap_or_default().parse::<Scopes>().unwrap_or_default();
    let scopes = engine::negotiate(client, &delivery.redirect_uri, &asked).map_err(refuse)?;
    // OIDC Core §11: without a code nothing is given that lasts.
    let scopes = if response_type.code { scopes } else { scopes.without(OFFLINE_ACCESS) };
    let resources = resources(params, client).map_err(refuse)?;
    let claims = claims(params, client, &scopes).map_err(refuse)?;
    let hinted = expected_subject.map_err(refuse)?;
    let expected_subjects = expected_subjects(hinted, &claims).map_err(refuse)?;
    let acr = acr(params, client, &claims);

    Ok(AuthorizeRequest {
        client_id: client.id.clone(),
        redirect_uri: delivery.redirect_uri,
        redirect_uri_sent,
        response_type,
        response_mode: delivery.mode,
        scopes,
        resources,
        claims,
        acr,
        state: delivery.state,
        nonce: params.get("nonce").map(str::to_owned),
        challenge,
        prompt,
        max_age,
        login_hint: params.get("login_hint").filter(|hint| hint.len() <= 254 && is_text(hint)).map(str::to_owned),
        ui_locales: locales(params.get("ui_locales")),
        expected_subjects,
        once: None,
    })
}

/// Where the answer to these parameters goes, and whether they name the redirect URI. It is a registered one.
pub(super) fn delivery(params: &Params, client: &Client, realm: &Realm) -> Result<(Delivery, bool), AuthorizeError> {
    let (redirect_uri, sent) = registered_redirect(params, client)?;
    let delivery = Delivery {
        mode: response_mode(params),
        redirect_uri,
        state: params.get("state").filter(|state| state.len() <= STATE_LIMIT && is_text(state)).map(str::to_owned),
        issuer: realm.issuer.clone(),
    };
    Ok((delivery, sent))
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

/// OIDC Core §3.1.2.1: who asks for an ID token names the redirect URI, also where only one is registered.
fn redirect_uri_is_sent(params: &Params, sent: bool) -> Result<(), AuthorizeError> {
    let openid = params.get("scope").is_some_and(|scope| scope.split(' ').any(|name| name == OPENID));
    if openid && !sent { Err(AuthorizeError::page("redirect_uri is missing")) } else { Ok(()) }
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

/// OIDC Core §6: a request object has been unpacked before (`request_object`); what was not is refused, never ignored.
fn nothing_is_left_packed(params: &Params, _: &Client) -> Result<(), OAuthError> {
    let refuse = |code, description| Err(OAuthError::new(code, description));
    if params.get("request").is_some() {
        return refuse(ErrorCode::RequestNotSupported, "a request object is not taken here");
    }
    if params.get("request_uri").is_some() {
        return refuse(ErrorCode::RequestUriNotSupported, "request_uri is not taken here");
    }
    if params.get("registration").is_some() {
        return refuse(ErrorCode::RegistrationNotSupported, "the registration parameter is not supported");
    }
    Ok(())
}

/// RFC 6749 §3.1.1.
fn response_type(params: &Params) -> Option<ResponseType> {
    params.get("response_type").and_then(ResponseType::parse)
}

/// Protocol A3: errors travel as the request asks, and where it asks for what cannot be, as its response type implies.
fn response_mode(params: &Params) -> ResponseMode {
    let response_type = response_type(params).unwrap_or(ResponseType::CODE);
    params
        .get("response_mode")
        .and_then(ResponseMode::parse)
        .filter(|mode| !(response_type.is_front_channel() && *mode == ResponseMode::Query))
        .unwrap_or(ResponseMode::of(response_type))
}

/// RFC 6749 §3.1.1.
fn response_type_is_served(params: &Params, _: &Client) -> Result<(), OAuthError> {
    match (params.get("response_type"), response_type(params)) {
        (_, Some(_)) => Ok(()),
        (Some(_), None) => {
            Err(OAuthError::new(ErrorCode::UnsupportedResponseType, "response_type is not one this provider serves"))
        }
        (None, None) => Err(OAuthError::invalid_request("response_type is missing")),
    }
}

/// RFC 6749 §4.1.2.1 `unauthorized_client`: response type and the grant types behind it are registered (protocol A4).
fn client_may_use_response_type(params: &Params, client: &Client) -> Result<(), OAuthError> {
    response_type(params).map_or_else(|| Err(not_registered()), |asked| registered_for(client, asked))
}

/// The same for a response type that was read.
pub(super) fn registered_for(client: &Client, asked: ResponseType) -> Result<(), OAuthError> {
    let registered = client.policy.profile.rules().response_types.contains(&asked)
        && client.response_types.contains(&asked)
        && asked.grant_types().all(|grant| client.may_use_grant(grant));
    if registered { Ok(()) } else { Err(not_registered()) }
}

fn not_registered() -> OAuthError {
    OAuthError::new(ErrorCode::UnauthorizedClient, "this client is not registered for that response_type")
}

/// OAuth 2.0 Multiple Response Types §2.1.
fn response_mode_is_served(params: &Params, _: &Client) -> Result<(), OAuthError> {
    match params.get("response_mode").map(ResponseMode::parse) {
        None | Some(Some(_)) => Ok(()),
        Some(None) => Err(OAuthError::invalid_request("response_mode must be query, fragment or form_post")),
    }
}

/// OAuth 2.0 Multiple Response Types §3: the query is logged and sent on in `Referer`.
fn no_token_in_the_query(params: &Params, _: &Client) -> Result<(), OAuthError> {
    let query = params.get("response_mode").and_then(ResponseMode::parse) == Some(ResponseMode::Query);
    if query && response_type(params).is_some_and(ResponseType::is_front_channel) {
        return Err(OAuthError::invalid_request("response_mode query cannot carry tokens"));
    }
    Ok(())
}

/// OIDC Core §3.2.2.1, §3.3.2.11: what binds an ID token of this endpoint to the browser's session at the client.
fn nonce_is_there_for_an_id_token(params: &Params, _: &Client) -> Result<(), OAuthError> {
    if response_type(params).is_some_and(|asked| asked.id_token) && params.get("nonce").is_none() {
        return Err(OAuthError::invalid_request("nonce is missing: this response_type needs one"));
    }
    Ok(())
}

/// OIDC Core §3.1.2.1: without `openid` there is no ID token.
fn id_token_needs_openid(params: &Params, _: &Client) -> Result<(), OAuthError> {
    let openid = params.get("scope").is_some_and(|scope| scope.split(' ').any(|word| word == OPENID));
    if response_type(params).is_some_and(|asked| asked.id_token) && !openid {
        return Err(OAuthError::invalid_request("scope must hold openid for this response_type"));
    }
    Ok(())
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

/// OIDC Core §3.1.2.1; Initiating User Registration 1.0 §4: `create` only where people may register.
fn prompts(params: &Params, realm: &Realm) -> Result<Prompts, OAuthError> {
    let prompts = Prompts::parse(params.get("prompt"))?;
    if prompts.has(Prompt::Create) && !realm.registration_open {
        return Err(OAuthError::invalid_request("prompt create is not served here: nobody registers by themselves"));
    }
    Ok(prompts)
}

/// RFC 8707 §2: each an absolute URI without a fragment, and one that this client may ask for. No token is made for
/// another audience than the one asked for.
fn resources(params: &Params, client: &Client) -> Result<Vec<String>, OAuthError> {
    let asked: BTreeSet<&str> = params.all("resource").collect();
    let target = |description| Err(OAuthError::new(ErrorCode::InvalidTarget, description));
    for resource in &asked {
        if resource.contains('#') || url::Url::parse(resource).is_err() {
            return target("resource must be an absolute URI without a fragment");
        }
        if !client.may_use_resource(resource) {
            return target("resource is not one this client may ask for");
        }
    }
    Ok(asked.into_iter().map(str::to_owned).collect())
}

/// OIDC Core §5.5; without `openid` it asks nothing of anybody.
fn claims(params: &Params, client: &Client, scopes: &Scopes) -> Result<ClaimsRequest, OAuthError> {
    let Some(mut asked) = params.get("claims").map(ClaimsRequest::parse).transpose()? else {
        return Ok(ClaimsRequest::default());
    };
    if !scopes.contains(OPENID) {
        return Ok(ClaimsRequest::default());
    }
    for place in [&mut asked.userinfo, &mut asked.id_token] {
        place.retain(|name, _| client.may_ask_claim(name));
    }
    Ok(asked)
}

/// OIDC Core §3.1.2.1, §5.5.1: the subjects that `id_token_hint` and both places of `claims` leave; empty where anyone will
/// do. That they leave nobody is an error.
fn expected_subjects(hinted: Option<String>, claims: &ClaimsRequest) -> Result<Vec<String>, OAuthError> {
    let mut left: Vec<String> = hinted.into_iter().collect();
    for place in [&claims.id_token, &claims.userinfo] {
        let Some(Some(rule)) = place.get("sub") else { continue };
        let asked: Vec<&str> = rule.wanted().into_iter().filter_map(|value| value.as_str()).collect();
        if asked.is_empty() {
            continue;
        }
        if left.is_empty() {
            left = asked.into_iter().map(str::to_owned).collect();
        } else {
            left.retain(|subject| asked.contains(&subject.as_str()));
        }
        if left.is_empty() {
            return Err(OAuthError::invalid_request("claims asks for another sub than id_token_hint or itself"));
        }
    }
    Ok(left)
}

/// OIDC Core §3.1.2.1, §5.5.1.1: an `acr` in `claims` counts before `acr_values`, and that before the registered ones.
fn acr(params: &Params, client: &Client, claims: &ClaimsRequest) -> AcrWish {
    if let Some(Some(rule)) = claims.id_token.get("acr") {
        let values: Vec<String> =
            rule.wanted().into_iter().filter_map(|value| value.as_str()).map(str::to_owned).collect();
        if !values.is_empty() {
            return AcrWish { values, essential: rule.essential };
        }
    }
    let asked: Vec<String> = params
        .get("acr_values")
        .unwrap_or_default()
        .split(' ')
        .filter(|one| !one.is_empty())
        .map(str::to_owned)
        .collect();
    let values = if asked.is_empty() { client.metadata.default_acr_values.clone() } else { asked };
    AcrWish { values: values.into_iter().take(20).collect(), essential: false }
}

fn bad_scope() -> OAuthError {
    OAuthError::new(ErrorCode::InvalidScope, "scope holds a character that is not allowed there")
}

/// RFC 7636 §4.4.1, RFC 9700 §2.1.1: S256, required of public clients whatever their policy says.
fn pkce(params: &Params, client: &Client, asked: ResponseType) -> Result<Option<Challenge>, OAuthError> {
    let plain = client.policy.pkce_plain;
    let challenge = Challenge::parse(params.get("code_challenge"), params.get("code_challenge_method"), plain)?;
    challenged_where_required(client, asked, challenge.as_ref())?;
    Ok(challenge)
}

/// RFC 7636, RFC 9700 §2.1.1: a code for who must use PKCE is bound to a challenge.
pub(super) fn challenged_where_required(
    client: &Client,
    asked: ResponseType,
    challenge: Option<&Challenge>,
) -> Result<(), OAuthError> {
    let required = client.is_public() || client.policy.pkce == PkceRule::Required;
    if asked.code && required && challenge.is_none() {
        return Err(OAuthError::invalid_request("code_challenge is missing: this client must use PKCE"));
    }
    Ok(())
}

/// OIDC Core §3.1.2.1: a whole number of seconds.
fn max_age(params: &Params) -> Result<Option<u32>, OAuthError> {
    let Some(value) = params.get("max_age") else { return Ok(None) };
    if !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(OAuthError::invalid_request("max_age must be a number of seconds"));
    }
    // Longer than anybody was ever signed in.
    Ok(Some(value.parse().unwrap_or(u32::MAX)))
}
