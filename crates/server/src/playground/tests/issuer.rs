//! A small issuer that can be made to get things wrong.

use std::{
    collections::HashMap,
    net::TcpListener,
    sync::{Arc, Mutex, PoisonError},
};

use actix_web::{
    App, HttpResponse, HttpServer, rt,
    web::{self, Data},
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use chrono::{DateTime, Utc};
use openidconnect::{
    AccessToken, Audience, ClientId, EmptyAdditionalClaims, IssuerUrl, JsonWebKeyId, Nonce, PrivateSigningKey,
    StandardClaims, SubjectIdentifier,
    core::{CoreEdDsaPrivateSigningKey, CoreIdToken, CoreIdTokenClaims, CoreJsonWebKeySet, CoreJwsSigningAlgorithm},
};
use serde_json::{Value, json};

/// What the issuer is to get wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Nothing,
    Nonce,
    Audience,
    Expiry,
    Key,
    AtHash,
    TokenError,
    NoIdToken,
    Subject,
    Azp,
    OtherPersonAtRefresh,
}

/// The test's issuer.
pub(super) struct Issuer {
    pub(super) url: String,
    fault: Fault,
    pub(super) nonce: Mutex<String>,
    pub(super) seen: Mutex<Vec<HashMap<String, String>>>,
}

impl Issuer {
    pub(super) fn start(fault: Fault) -> Arc<Self> {
        let (listener, url) = listen();
        let issuer = Arc::new(Self { url, fault, nonce: Mutex::default(), seen: Mutex::default() });
        let data = Data::from(issuer.clone());
        serve(listener, move |cfg| {
            cfg.app_data(data.clone())
                .route("/.well-known/openid-configuration", web::get().to(discovery))
                .route("/jwks", web::get().to(jwks))
                .route("/token", web::post().to(token))
                .route("/userinfo", web::get().to(userinfo));
        });
        issuer
    }

    fn id_token(&self, access_token: &str, subject: &str) -> String {
        #[expect(clippy::disallowed_methods, reason = "the relying party compares with the clock")]
        let now = Utc::now().timestamp();
        let moment = |seconds| DateTime::<Utc>::from_timestamp(now + seconds, 0).expect("a time");
        let is = |fault| self.fault == fault;
        let nonce = self.nonce.lock().unwrap_or_else(PoisonError::into_inner);
        let claims = CoreIdTokenClaims::new(
            IssuerUrl::new(self.url.clone()).expect("a URL"),
            vec![Audience::new(if is(Fault::Audience) { "another" } else { "playground" }.to_owned())],
            moment(if is(Fault::Expiry) { -5 } else { 300 }),
            moment(-5),
            StandardClaims::new(SubjectIdentifier::new(subject.to_owned())),
            EmptyAdditionalClaims {},
        )
        .set_nonce(Some(if is(Fault::Nonce) {
            Nonce::new("other".to_owned())
        } else {
            Nonce::new(nonce.clone())
        }));
        let azp = is(Fault::Azp).then(|| ClientId::new("another".to_owned()));
        let claims = claims.set_authorized_party(azp);
        let hashed = if is(Fault::AtHash) { "another token" } else { access_token };
        CoreIdToken::new(
            claims,
            &key(if is(Fault::Key) { 2 } else { 1 }),
            CoreJwsSigningAlgorithm::EdDsa,
            Some(&AccessToken::new(hashed.to_owned())),
            None,
        )
        .expect("a signature")
        .to_string()
    }
}

/// A free port of the loopback interface, and its address.
pub(super) fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    (listener, format!("http://127.0.0.1:{port}"))
}

/// Serves until the test's runtime ends.
#[expect(clippy::disallowed_types, reason = "a small issuer of the tests, not the program")]
pub(super) fn serve(listener: TcpListener, routes: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static) {
    let server = HttpServer::new(move || App::new().configure(&routes))
        .workers(1)
        .disable_signals()
        .listen(listener)
        .expect("a server");
    rt::spawn(server.run());
}

/// A key made from one byte, so that none lies in the source.
fn key(seed: u8) -> CoreEdDsaPrivateSigningKey {
    let mut der = vec![48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32];
    der.extend([seed; 32]);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", BASE64_STANDARD.encode(der));
    CoreEdDsaPrivateSigningKey::from_ed25519_pem(&pem, Some(JsonWebKeyId::new("k1".to_owned()))).expect("a key")
}

async fn discovery(issuer: Data<Issuer>) -> HttpResponse {
    let url = &issuer.url;
    HttpResponse::Ok().json(json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "userinfo_endpoint": format!("{url}/userinfo"),
        "jwks_uri": format!("{url}/jwks"),
        "end_session_endpoint": format!("{url}/logout"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA"],
        "authorization_response_iss_parameter_supported": true,
    }))
}

async fn jwks() -> HttpResponse {
    HttpResponse::Ok().json(CoreJsonWebKeySet::new(vec![key(1).as_verification_key()]))
}

async fn token(issuer: Data<Issuer>, form: web::Form<HashMap<String, String>>) -> HttpResponse {
    let mut seen = issuer.seen.lock().unwrap_or_else(PoisonError::into_inner);
    seen.push(form.into_inner());
    if issuer.fault == Fault::TokenError {
        return HttpResponse::BadRequest().json(json!({"error": "invalid_grant", "error_description": "<b>no</b>"}));
    }
    let access_token = format!("access-{}", seen.len());
    let mut answer = json!({
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": 900,
        "scope": "openid profile",
        "refresh_token": format!("refresh-{}", seen.len()),
    });
    let changed = issuer.fault == Fault::OtherPersonAtRefresh && seen.len() > 1;
    let subject = if changed { "eve" } else { "ada-1" };
    if issuer.fault != Fault::NoIdToken {
        answer["id_token"] = Value::String(issuer.id_token(&access_token, subject));
    }
    HttpResponse::Ok().json(answer)
}

async fn userinfo(issuer: Data<Issuer>) -> HttpResponse {
    let sub = if issuer.fault == Fault::Subject { "eve" } else { "ada-1" };
    HttpResponse::Ok().json(json!({"sub": sub, "name": "<b>Ada</b>", "shoe_size": 38}))
}
