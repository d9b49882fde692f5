//! The `openidconnect` crate.

use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreErrorResponseType, CoreProviderMetadata, CoreTokenResponse,
    CoreUserInfoClaims,
};
use openidconnect::{
    AccessTokenHash, AuthType, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, IssuerUrl, Nonce, OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RequestTokenError, Scope, TokenResponse as _,
};

use crate::scene::Scene;
use crate::support::prelude::*;

type Party =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// The relying party of a scene's client, made from what discovery says.
async fn party(scene: &Scene, auth: AuthType) -> Party {
    let issuer = IssuerUrl::new(scene.signet.issuer().to_owned()).expect("an issuer");
    let metadata = CoreProviderMetadata::discover_async(issuer, scene.signet.http()).await.expect("discovery");
    let secret = scene.client.secret.clone().map(ClientSecret::new);
    CoreClient::from_provider_metadata(metadata, ClientId::new(scene.client.id.clone()), secret)
        .set_redirect_uri(RedirectUrl::new(scene.client.redirect_uri.clone()).expect("a redirect URI"))
        .set_auth_type(auth)
}

/// A code for the party, with what belongs to it.
async fn authorise(scene: &Scene, party: &Party) -> (AuthorizationCode, PkceCodeVerifier, Nonce) {
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let flow = CoreAuthenticationFlow::AuthorizationCode;
    let (url, state, nonce) = party
        .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
        .add_scopes(["profile", "email", "offline_access"].map(|scope| Scope::new(scope.to_owned())))
        .set_pkce_challenge(challenge)
        .url();
    let callback = flow::sign_in_and_consent(&mut scene.browser(), &url, &scene.user).await;
    assert_eq!(flow::parameter(&callback, "state").as_ref(), Some(state.secret()));
    let code = flow::parameter(&callback, "code").expect("a code");
    (AuthorizationCode::new(code), verifier, nonce)
}

/// Verifies the ID token by the published keys, and the access token by its hash in it; gives the subject.
fn verify(party: &Party, tokens: &CoreTokenResponse, nonce: Option<&Nonce>) -> openidconnect::SubjectIdentifier {
    let verifier = party.id_token_verifier();
    let id_token = tokens.id_token().expect("an ID token");
    let expect = |sent: Option<&Nonce>| {
        if sent.map(Nonce::secret) == nonce.map(Nonce::secret) {
            Ok(())
        } else {
            Err(format!("nonce {sent:?} instead of {nonce:?}"))
        }
    };
    let claims = id_token.claims(&verifier, expect).expect("a valid ID token");
    let algorithm = id_token.signing_alg().expect("an algorithm");
    let key = id_token.signing_key(&verifier).expect("a published key");
    let hash = AccessTokenHash::from_token(tokens.access_token(), algorithm, key).expect("a hash");
    assert_eq!(claims.access_token_hash(), Some(&hash));
    claims.subject().clone()
}

/// The whole way: discovery, code with PKCE and nonce, tokens, keys, userinfo, refresh.
async fn whole_way(scene: Scene, auth: AuthType) {
    let http = scene.signet.http();
    let party = party(&scene, auth).await;
    let (code, verifier, nonce) = authorise(&scene, &party).await;
    let exchange = party.exchange_code(code).expect("a token endpoint").set_pkce_verifier(verifier);
    let tokens = exchange.request_async(http).await.expect("tokens");
    let subject = verify(&party, &tokens, Some(&nonce));

    let userinfo = party.user_info(tokens.access_token().clone(), Some(subject.clone())).expect("an endpoint");
    let claims: CoreUserInfoClaims = userinfo.request_async(http).await.expect("userinfo");
    assert_eq!(claims.email().map(|email| email.as_str()), Some(&*scene.user.email));
    assert_eq!(claims.preferred_username().map(|name| name.as_str()), Some("admin"));

    let mut refresh = tokens.refresh_token().expect("a refresh token").clone();
    for _ in 0..2 {
        let request = party.exchange_refresh_token(&refresh).expect("a token endpoint");
        let renewed = request.request_async(http).await.expect("new tokens");
        assert_eq!(verify(&party, &renewed, None), subject);
        let userinfo = party.user_info(renewed.access_token().clone(), Some(subject.clone())).expect("an endpoint");
        let _: CoreUserInfoClaims = userinfo.request_async(http).await.expect("userinfo");
        refresh = renewed.refresh_token().expect("a successor").clone();
    }
}

fn post() -> ClientSpec {
    ClientSpec { auth_method: Some("client_secret_post".to_owned()), ..ClientSpec::confidential() }
}

/// T1: with `client_secret_basic` over TLS.
#[tokio::test]
async fn a_confidential_client_with_basic_goes_the_whole_way() {
    whole_way(Scene::tls(ClientSpec::confidential()).await, AuthType::BasicAuth).await;
}

/// T1: with `client_secret_post` over TLS.
#[tokio::test]
async fn a_confidential_client_with_post_goes_the_whole_way() {
    whole_way(Scene::tls(post()).await, AuthType::RequestBody).await;
}

/// T1: a public client over TLS.
#[tokio::test]
async fn a_public_client_goes_the_whole_way() {
    whole_way(Scene::tls(ClientSpec::public()).await, AuthType::RequestBody).await;
}

/// the same on the embedded database, over http on this machine.
#[tokio::test]
async fn a_client_goes_the_whole_way_on_the_embedded_database() {
    whole_way(Scene::on(Database::Embedded, ClientSpec::confidential()).await, AuthType::BasicAuth).await;
}

/// T4, R-33: the crate is refused a wrong and a missing verifier, and a code used before.
#[tokio::test]
async fn a_wrong_verifier_and_a_used_code_are_refused() {
    let scene = Scene::start().await;
    let http = scene.signet.http();
    let party = party(&scene, AuthType::BasicAuth).await;
    let (_, other) = PkceCodeChallenge::new_random_sha256();
    for wrong in [Some(other), None] {
        let (code, ..) = authorise(&scene, &party).await;
        let mut exchange = party.exchange_code(code).expect("a token endpoint");
        if let Some(wrong) = wrong {
            exchange = exchange.set_pkce_verifier(wrong);
        }
        refused(exchange.request_async(http).await);
    }

    let (code, verifier, _) = authorise(&scene, &party).await;
    let again = PkceCodeVerifier::new(verifier.secret().clone());
    let exchange = |code: &AuthorizationCode, verifier| {
        party.exchange_code(code.clone()).expect("a token endpoint").set_pkce_verifier(verifier)
    };
    let tokens = exchange(&code, verifier).request_async(http).await.expect("tokens");
    refused(exchange(&code, again).request_async(http).await);
    let userinfo = party.user_info(tokens.access_token().clone(), None).expect("an endpoint");
    let dead: Result<CoreUserInfoClaims, _> = userinfo.request_async(http).await;
    assert!(dead.is_err(), "the first access token is dead");
    let refresh = tokens.refresh_token().expect("a refresh token");
    refused(party.exchange_refresh_token(refresh).expect("a token endpoint").request_async(http).await);
}

fn refused<E: std::error::Error>(
    answer: Result<
        CoreTokenResponse,
        RequestTokenError<E, openidconnect::StandardErrorResponse<CoreErrorResponseType>>,
    >,
) {
    match answer {
        Err(RequestTokenError::ServerResponse(error)) => {
            assert_eq!(error.error(), &CoreErrorResponseType::InvalidGrant, "{error:?}");
        }
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("tokens where a refusal was expected"),
    }
}
