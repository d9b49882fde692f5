//! Values that the pure tests start from.

use chrono::{DateTime, Duration, Utc};
use uuid::Uuid;

use crate::{
    claims::ClaimsRequest,
    client::{
        ApplicationType, Client, ClientAuth, ClientMetadata, ClientSecret, ClientSource, GRANT_CODE, GRANT_REFRESH,
        ResponseType,
    },
    grant::{Confirmation, Grant, GrantKind, GrantState},
    id::{AccountId, ClientId, ClientKey, GrantId, RealmId, SessionId},
    jose::AccessClaims,
    pkce::{Challenge, Method},
    policy::{ClientPolicy, Policy},
    realm::Realm,
    secret::{DerivationKey, Digest},
    subject::{Account, Session},
    turn::Turn,
};

/// A verifier and its challenge: the example of RFC 7636, appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(crate) const REDIRECT: &str = "https://app.example/cb";

pub(crate) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

pub(crate) fn turn() -> Turn {
    Turn::new(now(), [7; 32])
}

pub(crate) fn realm() -> Realm {
    Realm {
        id: RealmId(1),
        issuer: "https://op.example".into(),
        development: false,
        registration_open: true,
        clients_register: true,
        policy: Policy::default(),
    }
}

pub(crate) fn key() -> DerivationKey {
    DerivationKey::new([3; 32])
}

pub(crate) fn client() -> Client {
    Client {
        key: ClientKey(1),
        id: ClientId::parse("app").unwrap(),
        name: "App".into(),
        source: ClientSource::Admin,
        auth: ClientAuth::SecretBasic(ClientSecret::Hashed(Digest::of(b"secret"))),
        redirect_uris: vec![REDIRECT.into()],
        post_logout_redirect_uris: vec!["https://app.example/bye".into()],
        grant_types: vec![GRANT_CODE.into(), GRANT_REFRESH.into()],
        response_types: vec![ResponseType::CODE],
        scopes: "openid profile email offline_access".parse().unwrap(),
        first_party: false,
        application_type: ApplicationType::Web,
        default_audience: None,
        policy: ClientPolicy::default(),
        metadata: ClientMetadata::default(),
        generation: 0,
        disabled: false,
    }
}

pub(crate) fn account() -> Account {
    Account { id: AccountId(Uuid::from_u128(1)), subject: "subject".into(), active: true, generation: 0 }
}

pub(crate) fn session() -> Session {
    Session {
        id: SessionId(Uuid::from_u128(2)),
        account: account(),
        username: "ada".into(),
        auth_time: now() - Duration::minutes(10),
        amr: vec!["pwd".into()],
        acr: "1".into(),
    }
}

pub(crate) fn grant() -> Grant {
    Grant {
        id: GrantId(Uuid::from_u128(3)),
        kind: GrantKind::AuthorizationCode,
        client: ClientKey(1),
        account: account().id,
        subject: "subject".into(),
        session: Some(session().id),
        sid: Some("sid".into()),
        scopes: "openid profile email".parse().unwrap(),
        resources: vec![],
        claims: ClaimsRequest::default(),
        redirect_uri: REDIRECT.into(),
        redirect_uri_sent: true,
        challenge: Some(Challenge { method: Method::S256, value: CHALLENGE.into() }),
        nonce: Some("n".into()),
        auth_time: now() - Duration::minutes(10),
        acr: "1".into(),
        amr: vec!["pwd".into()],
        offline: false,
        confirmation: Confirmation::None,
        state: GrantState::Active,
    }
}

/// What an access token of [`grant`] says.
pub(crate) fn access_claims() -> AccessClaims {
    AccessClaims {
        iss: realm().issuer,
        sub: "subject".into(),
        aud: vec!["app".into(), realm().issuer],
        exp: now().timestamp() + 900,
        iat: now().timestamp(),
        jti: "jti".into(),
        client_id: "app".into(),
        scope: "openid profile".into(),
        auth_time: Some(grant().auth_time.timestamp()),
        acr: Some("1".into()),
        sid: Some("sid".into()),
        user_id: None,
        grant: Some(grant().id),
        account_generation: 0,
        client_generation: 0,
        extra: serde_json::Map::new(),
    }
}
