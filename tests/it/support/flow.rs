//! The authorization code flow, step by step.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::HeaderMap;
use reqwest::{Response, StatusCode};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use url::Url;
use uuid::Uuid;

use super::browser::{Browser, Landing, Page};
use super::cli::{Client, User};
use super::signet::Signet;

/// An authorization request whose parameters a test may change.
#[derive(Clone, Debug)]
pub struct AuthRequest {
    /// The PKCE verifier whose S256 challenge is sent.
    pub verifier: String,
    /// Names and values, in order.
    pub parameters: Vec<(String, String)>,
}

impl AuthRequest {
    /// A request for a code with `openid profile email`, PKCE S256, fresh `state` and `nonce`.
    pub fn new(client: &Client) -> Self {
        let verifier = random();
        let challenge = challenge(&verifier);
        let request = Self { verifier, parameters: Vec::new() };
        request
            .with("response_type", "code")
            .with("client_id", &client.id)
            .with("redirect_uri", &client.redirect_uri)
            .with("scope", "openid profile email")
            .with("state", &random())
            .with("nonce", &random())
            .with("code_challenge", &challenge)
            .with("code_challenge_method", "S256")
    }

    /// The request with one parameter set, in place of all of that name.
    #[must_use]
    pub fn with(self, name: &str, value: &str) -> Self {
        self.without(name).and(name, value)
    }

    /// The request with one parameter added, even where it repeats a name.
    #[must_use]
    pub fn and(mut self, name: &str, value: &str) -> Self {
        self.parameters.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The request without the parameters of this name.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.parameters.retain(|(key, _)| key != name);
        self
    }

    /// Value of a parameter. Panics when it is absent.
    pub fn get(&self, name: &str) -> &str {
        let found = self.parameters.iter().find(|(key, _)| key == name);
        let value = found.map(|(_, value)| value.as_str());
        value.unwrap_or_else(|| panic!("no parameter {name}"))
    }

    /// The URL to open.
    pub fn url(&self, signet: &Signet) -> Url {
        let mut url = Url::parse(&signet.url("/oauth/authorize")).expect("issuer");
        url.query_pairs_mut().extend_pairs(&self.parameters);
        url
    }
}

/// 43 characters of the base64url alphabet, 244 random bits.
pub fn random() -> String {
    let bytes = [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat();
    URL_SAFE_NO_PAD.encode(bytes)
}

/// RFC 7636 §4.2: the S256 challenge of a verifier.
pub fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

/// Opens an authorization URL, signs in and consents where asked, and gives the redirect URL that
/// reaches the application.
pub async fn sign_in_and_consent(browser: &mut Browser, url: &Url, user: &User) -> Url {
    through(browser, url, user).await.left()
}

/// The same, to whatever comes after sign-in and consent: a redirect, or a page such as a form that posts itself.
pub async fn through(browser: &mut Browser, url: &Url, user: &User) -> Landing {
    let mut landing = browser.get(url).await;
    for _ in 0..5 {
        let Landing::Page(page) = &landing else { return landing };
        landing = if page.form(&["decision"]).is_some() {
            browser.submit(page, &[("decision", "allow")]).await
        } else if is_sign_in(page) {
            sign_in(browser, page, user).await
        } else {
            return landing;
        };
    }
    panic!("still inside after five pages: {landing:?}");
}

/// Fills in a sign-in page.
pub async fn sign_in(browser: &mut Browser, page: &Page, user: &User) -> Landing {
    let fields = [("username", &*user.username), ("password", &*user.password)];
    browser.submit(page, &fields).await
}

/// Fills in a registration page.
pub async fn register(browser: &mut Browser, page: &Page, user: &User) -> Landing {
    let fields = [("username", &*user.username), ("email", &*user.email), ("password", &*user.password)];
    browser.submit(page, &fields).await
}

/// Whether a page asks for user name and password, and not for registration.
pub fn is_sign_in(page: &Page) -> bool {
    page.form(&["username", "password"]).is_some() && page.form(&["email"]).is_none()
}

/// The whole way from an authorization request to its code. Checks `state` on the way.
pub async fn code(signet: &Signet, browser: &mut Browser, request: &AuthRequest, user: &User) -> String {
    let callback = sign_in_and_consent(browser, &request.url(signet), user).await;
    assert_eq!(parameter(&callback, "state").as_deref(), Some(request.get("state")));
    parameter(&callback, "code").unwrap_or_else(|| panic!("no code in {callback}"))
}

/// Value of a parameter in the query, or in the fragment.
pub fn parameter(url: &Url, name: &str) -> Option<String> {
    let fragment = url.fragment().unwrap_or_default();
    let mut pairs = url.query_pairs().chain(url::form_urlencoded::parse(fragment.as_bytes()));
    let found = pairs.find(|(key, _)| key == name);
    found.map(|(_, value)| value.into_owned())
}

/// Posts to the token endpoint as a client: with Basic authentication when it has a secret, else
/// with `client_id` in the body.
pub async fn token(signet: &Signet, client: &Client, fields: &[(&str, &str)]) -> Response {
    post_as(signet, client, "/oauth/token", fields).await
}

/// Asks as a client what a token is good for.
pub async fn introspect(signet: &Signet, client: &Client, token: &str) -> Response {
    post_as(signet, client, "/oauth/introspect", &[("token", token)]).await
}

/// Gives a token back as a client.
pub async fn revoke(signet: &Signet, client: &Client, token: &str) -> Response {
    post_as(signet, client, "/oauth/revoke", &[("token", token)]).await
}

/// Posts to an endpoint as a client: with Basic authentication when it has a secret, else with `client_id` in the body.
pub async fn post_as(signet: &Signet, client: &Client, path: &str, fields: &[(&str, &str)]) -> Response {
    let mut fields = fields.to_vec();
    let mut request = signet.http().post(signet.url(path));
    match &client.secret {
        // RFC 6749 §2.3.1: both parts form-urlencoded first.
        Some(secret) => {
            request = request.basic_auth(encoded(&client.id), Some(encoded(secret)));
        }
        None => fields.push(("client_id", &client.id)),
    }
    request.form(&fields).send().await.expect("an answer")
}

/// Redeems a code.
pub async fn exchange(signet: &Signet, client: &Client, code: &str, verifier: &str) -> Response {
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", &client.redirect_uri),
        ("code_verifier", verifier),
    ];
    token(signet, client, &fields).await
}

/// Redeems a refresh token.
pub async fn refresh(signet: &Signet, client: &Client, refresh_token: &str) -> Response {
    let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
    token(signet, client, &fields).await
}

/// Signs in with a fresh browser and redeems the code; gives the token answer.
pub async fn tokens(signet: &Signet, client: &Client, user: &User) -> Value {
    let mut browser = Browser::new(signet);
    let request = AuthRequest::new(client).with("scope", "openid profile email offline_access");
    let code = code(signet, &mut browser, &request, user).await;
    granted(exchange(signet, client, &code, &request.verifier).await).await
}

/// The JSON of an answer of 200. Panics with the body at any other status.
pub async fn granted(answer: Response) -> Value {
    let (status, body) = (answer.status(), answer.text().await.expect("a body"));
    assert_eq!(status, StatusCode::OK, "{body}");
    serde_json::from_str(&body).expect("JSON")
}

/// Status and `error` of a refusal in JSON.
pub async fn refused(answer: Response) -> (u16, String) {
    let (status, body) = (answer.status(), answer.text().await.expect("a body"));
    let json: Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{status}: {error}: {body}"));
    (status.as_u16(), member(&json, "error").to_owned())
}

/// Calls userinfo with an access token.
pub async fn userinfo(signet: &Signet, access_token: &str) -> Response {
    let request = signet.http().get(signet.url("/oauth/userinfo"));
    request.bearer_auth(access_token).send().await.expect("an answer")
}

/// A text member of a JSON object. Panics when it is absent.
pub fn member<'a>(json: &'a Value, name: &str) -> &'a str {
    let text = json.get(name).and_then(Value::as_str);
    text.unwrap_or_else(|| panic!("no text {name} in {json}"))
}

/// Header of a compact JWS, not verified.
pub fn jwt_header(token: &str) -> Value {
    jwt_part(token, 0)
}

/// Payload of a compact JWS, not verified.
pub fn jwt_payload(token: &str) -> Value {
    jwt_part(token, 1)
}

/// Statements the request behind an answer executed, BEGIN and COMMIT left out.
pub fn statements(headers: &HeaderMap) -> u32 {
    let header = headers.get("x-signet-statements");
    let header = header.expect("x-signet-statements in the answer");
    let number = header.to_str().expect("ASCII").parse();
    number.expect("a number of statements")
}

fn jwt_part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).expect("a compact JWS");
    let bytes = URL_SAFE_NO_PAD.decode(part).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
