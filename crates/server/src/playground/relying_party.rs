//! The relying party's side of OpenID Connect, step by step.

use std::sync::Arc;

use openidconnect::{
    AdditionalClaims, AdditionalProviderMetadata, AuthorizationCode, CsrfToken, EndSessionUrl, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, LogoutRequest, Nonce, OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier,
    ProviderMetadata, Scope, TokenResponse as _, UserInfoClaims,
    core::{
        CoreAuthDisplay, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod,
        CoreGenderClaim, CoreGrantType, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
        CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType, CoreSubjectIdentifierType,
        CoreTokenResponse,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use subtle::ConstantTimeEq as _;
use url::Url;

use super::{
    Playground,
    explain::Failure,
    recorder::Recorder,
    session::{Pending, SignedIn},
    verify::{self, Expected},
};

/// Members of the discovery document beyond those of Discovery itself.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Extra {
    /// RP-Initiated Logout §2.1.
    end_session_endpoint: Option<EndSessionUrl>,
    /// RFC 9207 §3.
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for Extra {}

/// The discovery document, with the issuer's keys.
pub(super) type Metadata = ProviderMetadata<
    Extra,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// The library's client after discovery.
type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// Claims the library has no member for.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct AnyClaims(Map<String, Value>);

impl AdditionalClaims for AnyClaims {}

/// Parameters of the callback.
#[derive(Clone, Debug, Default)]
pub(super) struct Callback {
    /// The authorization code.
    code: Option<String>,
    /// What the authorization request sent.
    state: Option<String>,
    /// Who answers (RFC 9207).
    iss: Option<String>,
    /// Why there is no code.
    error: Option<String>,
    /// The same for a developer's eyes.
    error_description: Option<String>,
}

impl Callback {
    /// Reads the query of the callback. RFC 6749 §3.1: no parameter more than once.
    pub(super) fn parse(query: &str) -> Result<Self, Failure> {
        let mut callback = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let place = match &*name {
                "code" => &mut callback.code,
                "state" => &mut callback.state,
                "iss" => &mut callback.iss,
                "error" => &mut callback.error,
                "error_description" => &mut callback.error_description,
                _ => continue,
            };
            if place.replace(value.into_owned()).is_some() {
                return Err(Failure::repeated(&name));
            }
        }
        Ok(callback)
    }
}

impl Playground {
    /// Reads discovery and keys, and makes the authorization request.
    pub(super) async fn begin(&self, scopes: Vec<Scope>, recorder: &Recorder) -> Result<(Url, Pending), Failure> {
        let metadata = Metadata::discover_async(self.issuer.clone(), recorder)
            .await
            .map_err(|error| Failure::discovery(&error))?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let client = self.client(&metadata);
        let request = client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
            .add_scopes(scopes)
            .set_pkce_challenge(challenge);
        let (url, state, nonce) = request.url();
        let pending = Pending { metadata: Arc::new(metadata), state, nonce, verifier: verifier.into_secret() };
        Ok((url, pending))
    }

    /// Checks the callback, exchanges the code and verifies the ID token.
    pub(super) async fn finish(
        &self,
        pending: Pending,
        callback: Callback,
        recorder: &Recorder,
    ) -> Result<SignedIn, Failure> {
        let code = accept(&pending, callback)?;
        let client = self.client(&pending.metadata);
        let answer = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| Failure::metadata(&error))?
            .set_pkce_verifier(PkceCodeVerifier::new(pending.verifier))
            .request_async(recorder)
            .await
            .map_err(|error| Failure::token(&error))?;
        let id_token = answer.id_token().ok_or_else(Failure::no_id_token)?;
        let expected = Expected { client_id: &self.client_id, nonce: &pending.nonce, subject: None };
        let verified = verify::id_token(&client.id_token_verifier(), id_token, answer.access_token(), &expected)?;
        Ok(SignedIn {
            metadata: pending.metadata,
            nonce: pending.nonce,
            subject: verified.subject,
            id_token: id_token.clone(),
            checks: verified.checks,
            access_token: answer.access_token().clone(),
            refresh_token: answer.refresh_token().cloned(),
            expires_in: seconds(&answer),
            scopes: scopes(&answer),
            userinfo: None,
        })
    }

    /// Exchanges the refresh token for new tokens and verifies a new ID token.
    pub(super) async fn renew(&self, mut signed_in: SignedIn, recorder: &Recorder) -> Result<SignedIn, Failure> {
        let client = self.client(&signed_in.metadata);
        let token = signed_in.refresh_token.take().ok_or_else(Failure::no_refresh_token)?;
        let answer = client
            .exchange_refresh_token(&token)
            .map_err(|error| Failure::metadata(&error))?
            .request_async(recorder)
            .await
            .map_err(|error| Failure::token(&error))?;
        if let Some(id_token) = answer.id_token() {
            let expected =
                Expected { client_id: &self.client_id, nonce: &signed_in.nonce, subject: Some(&signed_in.subject) };
            let verified = verify::id_token(&client.id_token_verifier(), id_token, answer.access_token(), &expected)?;
            signed_in.checks = verified.checks;
            signed_in.id_token = id_token.clone();
        }
        signed_in.access_token = answer.access_token().clone();
        // RFC 6749 §6: without a new refresh token the old one goes on.
        signed_in.refresh_token = Some(answer.refresh_token().cloned().unwrap_or(token));
        signed_in.expires_in = seconds(&answer);
        if answer.scopes().is_some() {
            signed_in.scopes = scopes(&answer);
        }
        Ok(signed_in)
    }

    /// Asks the `UserInfo` endpoint; Core §5.3.2: its `sub` must be that of the ID token.
    pub(super) async fn ask_userinfo(&self, signed_in: &SignedIn, recorder: &Recorder) -> Result<String, Failure> {
        let client = self.client(&signed_in.metadata);
        let claims: UserInfoClaims<AnyClaims, CoreGenderClaim> = client
            .user_info(signed_in.access_token.clone(), Some(signed_in.subject.clone()))
            .map_err(|error| Failure::metadata(&error))?
            .request_async(recorder)
            .await
            .map_err(|error| Failure::userinfo(&error))?;
        serde_json::to_string_pretty(&claims).map_err(|_| Failure::unreadable())
    }

    /// Where to send the browser to sign out, with the `state` that comes back from there.
    pub(super) fn leave(&self, signed_in: &SignedIn) -> Result<(Url, String), Failure> {
        let endpoint = signed_in
            .metadata
            .additional_metadata()
            .end_session_endpoint
            .clone()
            .ok_or_else(Failure::no_end_session)?;
        let state = CsrfToken::new_random();
        let url = LogoutRequest::from(endpoint)
            .set_id_token_hint(&signed_in.id_token)
            .set_client_id(self.client_id.clone())
            .set_post_logout_redirect_uri(self.after_signout.clone())
            .set_state(state.clone())
            .http_get_url();
        Ok((url, state.secret().clone()))
    }

    fn client(&self, metadata: &Metadata) -> Client {
        CoreClient::from_provider_metadata(metadata.clone(), self.client_id.clone(), None)
            .set_redirect_uri(self.redirect_uri.clone())
    }
}

/// The checks on a callback, in order: `state`, `iss`, `error`, `code`.
fn accept(pending: &Pending, callback: Callback) -> Result<String, Failure> {
    let state = callback.state.unwrap_or_default();
    if !bool::from(state.as_bytes().ct_eq(pending.state.secret().as_bytes())) {
        return Err(Failure::state());
    }
    let metadata = &pending.metadata;
    let iss_expected = metadata.additional_metadata().authorization_response_iss_parameter_supported;
    match callback.iss {
        Some(iss) if iss != **metadata.issuer() => return Err(Failure::issuer(&iss)),
        None if iss_expected => return Err(Failure::issuer("none")),
        _ => {}
    }
    if let Some(error) = callback.error {
        return Err(Failure::refused(error, callback.error_description));
    }
    callback.code.ok_or_else(Failure::no_code)
}

fn seconds(answer: &CoreTokenResponse) -> Option<u64> {
    answer.expires_in().map(|lifetime| lifetime.as_secs())
}

fn scopes(answer: &CoreTokenResponse) -> Vec<String> {
    let scopes = answer.scopes().into_iter().flatten();
    scopes.map(|scope| scope.to_string()).collect()
}
