//! Every flow, as it should be and as it should not, each answer searched or its secrets remembered.

mod fronts;
mod office;
mod people;
mod registrations;
mod strays;

use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

use super::hunt::Hunt;
use crate::scene::admin;
use crate::support::prelude::*;

/// Sent as `User-Agent`, which the audit log keeps: shows that its tables are searched.
pub const MARK_AGENT: &str = "agent-that-is-found-again";
/// Sent in `traceparent`, which the log keeps: shows that the log is searched.
pub const MARK_TRACE: &str = "5ec4e75ec4e75ec4e75ec4e75ec4e75e";

/// A secret of the test's own, unlike any other.
fn made(kind: &str) -> String {
    format!("{kind}-{}", flow::random())
}

/// What is driven, and what is remembered.
struct Driver<'a> {
    signet: &'a Signet,
    hunt: &'a mut Hunt,
}

/// Drives everything.
pub async fn drive(signet: &Signet, hunt: &mut Hunt) {
    let mut driver = Driver { signet, hunt };
    let post = ClientSpec { auth_method: Some("client_secret_post".to_owned()), ..ClientSpec::confidential() };
    let service = ClientSpec {
        grant_types: vec!["client_credentials".to_owned()],
        redirect_uris: Vec::new(),
        ..ClientSpec::confidential()
    };
    let clients = [
        driver.client(ClientSpec::confidential()).await,
        driver.client(post).await,
        driver.client(ClientSpec::public()).await,
    ];
    let service = driver.client(service).await;
    driver.register().await;
    for client in &clients {
        driver.code_flow(client).await;
    }
    driver.client_credentials(&service).await;
    driver.assertions().await;
    driver.passwords().await;
    driver.link().await;
    driver.playground().await;
    driver.wrong_passwords().await;
    driver.odd_places(&clients[0]).await;
    driver.raw().await;
    driver.commands(&service).await;
    driver.apply().await;
    driver.api().await;
    driver.front_channel().await;
    driver.signed_requests().await;
    driver.encrypted().await;
    driver.registrations().await;
    driver.wrong_settings().await;
}

/// What is of interest over https.
pub async fn drive_https(signet: &Signet, hunt: &mut Hunt) {
    let mut driver = Driver { signet, hunt };
    let client = driver.client(ClientSpec::confidential()).await;
    driver.code_flow(&client).await;
    driver.front_channel().await;
    driver.odd_places(&client).await;
}

fn headers_text(headers: &HeaderMap) -> String {
    let lines = headers.iter().map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())));
    lines.collect::<Vec<_>>().join("\n")
}

impl Driver<'_> {
    /// Remembers the cookies and form tokens a browser holds by now.
    fn browsed(&mut self, browser: &Browser, page: Option<&Page>) {
        for cookie in browser.jar.all() {
            if cookie.value.len() >= 12 {
                self.hunt.keep(&format!("cookie {}", cookie.name), &cookie.value);
            }
        }
        let Some(page) = page else { return };
        let form = page.form(&["csrf"]);
        if let Some(csrf) = form.as_ref().and_then(|form| form.value("csrf")) {
            self.hunt.keep_of_pages("form token", csrf);
        }
        if let Some(interaction) = flow::parameter(&page.url, "interaction") {
            self.hunt.keep_of_pages("interaction", &interaction);
        }
        if page.status.as_u16() >= 400 {
            let text = format!("{}\n{}", headers_text(&page.headers), page.body);
            self.hunt.search_page(&format!("the page {} {}", page.status, page.url.path()), &text);
        }
    }

    /// Searches an answer unless it is one that delivers.
    async fn answered(&mut self, answer: Response) -> (u16, Value) {
        let (status, head) = (answer.status().as_u16(), headers_text(answer.headers()));
        let place = format!("the answer {status} of {}", answer.url().path());
        let body = answer.text().await.expect("a body of text");
        if status >= 400 {
            self.hunt.search_page(&place, &format!("{head}\n{body}"));
        }
        (status, serde_json::from_str(&body).unwrap_or_default())
    }

    async fn refused(&mut self, request: RequestBuilder) {
        let answer = request.send().await.expect("an answer");
        assert!(!answer.status().is_success(), "{answer:?}");
        assert!(!answer.status().is_server_error(), "{answer:?}");
        self.answered(answer).await;
    }

    /// Remembers the tokens of an answer.
    fn granted(&mut self, (status, tokens): (u16, Value)) -> Value {
        assert_eq!(status, 200, "{tokens}");
        for name in ["access_token", "refresh_token", "id_token"] {
            if let Some(token) = tokens[name].as_str() {
                self.hunt.keep(name, token);
                // A part of it would do, too.
                if let Some(signature) = token.split('.').nth(2) {
                    self.hunt.keep(&format!("signature of {name}"), signature);
                }
            }
        }
        tokens
    }

    async fn client(&mut self, spec: ClientSpec) -> Client {
        let client = self.signet.client(spec).await;
        if let Some(secret) = &client.secret {
            self.hunt.keep("client secret", secret);
        }
        client
    }

    async fn token(&mut self, client: &Client, fields: &[(&str, &str)]) -> (u16, Value) {
        self.exchange(client, fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
            .await
    }

    /// Assertions are secrets for as long as they are good; the secret behind one is stored sealed.
    async fn assertions(&mut self) {
        let key = Signer::new("ES256", "k");
        for method in ["client_secret_jwt", "private_key_jwt"] {
            let client = self
                .client(ClientSpec {
                    grant_types: vec!["client_credentials".to_owned()],
                    redirect_uris: Vec::new(),
                    auth_method: Some(method.to_owned()),
                    metadata: match method {
                        "private_key_jwt" => json!({ "jwks": signer::set(&[&key]) }),
                        _ => Value::Null,
                    },
                    ..ClientSpec::confidential()
                })
                .await;
            let signs = if client.secret.is_some() { Signer::secret("HS256", &client) } else { key.clone() };
            let good = signs.assertion(self.signet, &client, json!({}));
            let wrong = signs.assertion(self.signet, &client, json!({ "aud": "https://other.example" }));
            let request = |assertion: &str| {
                let fields = [&[("grant_type", "client_credentials")][..], &signer::fields(assertion)].concat();
                self.signet.http().post(self.signet.url("/oauth/token")).form(&fields)
            };
            let requests = [request(&good), request(&good), request(&wrong)];
            for assertion in [&good, &wrong] {
                self.hunt.keep("client assertion", assertion);
                self.hunt.keep("signature of a client assertion", assertion.split('.').nth(2).expect("a signature"));
            }
            let [first, again, other] = requests;
            let answer = self.answered(first.send().await.expect("an answer")).await;
            self.granted(answer);
            self.refused(again).await;
            self.refused(other).await;
        }
    }

    /// From the request to the end of the session, each step also as it should not be.
    async fn code_flow(&mut self, client: &Client) {
        let mut browser = Browser::new(self.signet);
        let request = AuthRequest::new(client).with("scope", "openid profile email offline_access");
        self.hunt.keep("verifier", &request.verifier);
        let sign_in = browser.get(request.url(self.signet)).await.page();
        self.browsed(&browser, Some(&sign_in));
        let wrong = made("Wrong");
        self.hunt.keep("wrong password", &wrong);
        let refused = flow::sign_in(&mut browser, &sign_in, &User { password: wrong, ..admin() }).await.page();
        self.browsed(&browser, Some(&refused));
        let consent = flow::sign_in(&mut browser, &sign_in, &admin()).await.page();
        self.browsed(&browser, Some(&consent));
        let callback = browser.submit(&consent, &[("decision", "allow")]).await.left();
        self.browsed(&browser, None);
        let code = flow::parameter(&callback, "code").expect("a code");
        self.hunt.keep("code", &code);

        let redeem = |verifier: &str| {
            let fields = [("grant_type", "authorization_code"), ("code", &*code), ("code_verifier", verifier)];
            let fields = fields.into_iter().chain([("redirect_uri", &*client.redirect_uri)]);
            fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Vec<_>>()
        };
        let verifier = made("verifier");
        self.hunt.keep("wrong verifier", &verifier);
        let wrong = self.exchange(client, redeem(&verifier)).await;
        assert_eq!(wrong.0, 400, "{}", wrong.1);
        // The wrong verifier may have cost the code: the whole way again.
        let callback = flow::sign_in_and_consent(&mut browser, &request.url(self.signet), &admin()).await;
        let code = flow::parameter(&callback, "code").expect("a code");
        self.hunt.keep("code", &code);
        let fields = redeem(&request.verifier).into_iter();
        let fields: Vec<_> =
            fields.map(|(name, value)| if name == "code" { (name, code.clone()) } else { (name, value) }).collect();
        let tokens = self.exchange(client, fields.clone()).await;
        let tokens = self.granted(tokens);
        self.userinfo(flow::member(&tokens, "access_token")).await;

        let first = flow::member(&tokens, "refresh_token").to_owned();
        let refreshed = self.token(client, &[("grant_type", "refresh_token"), ("refresh_token", &first)]).await;
        let refreshed = self.granted(refreshed);
        let second = flow::member(&refreshed, "refresh_token").to_owned();
        let third = self.token(client, &[("grant_type", "refresh_token"), ("refresh_token", &second)]).await;
        let third = self.granted(third);
        // Used again: the grant ends. Then each value where another belongs.
        for (grant_type, name, value) in [
            ("refresh_token", "refresh_token", first.as_str()),
            ("refresh_token", "refresh_token", flow::member(&third, "refresh_token")),
            ("refresh_token", "refresh_token", code.as_str()),
            ("authorization_code", "code", second.as_str()),
            (second.as_str(), "refresh_token", first.as_str()),
        ] {
            let answer = self.token(client, &[("grant_type", grant_type), (name, value)]).await;
            assert_eq!(answer.0, 400, "{}", answer.1);
        }
        let replayed = self.exchange(client, fields).await;
        assert_eq!(replayed.0, 400);
        for token in [flow::member(&tokens, "access_token"), &first, &code] {
            self.asked_about(client, token).await;
        }
        let logout = format!("/oauth/logout?id_token_hint={}&state=x", flow::member(&tokens, "id_token"));
        let page = browser.get(&logout).await;
        if let Landing::Page(page) = page {
            self.browsed(&browser, Some(&page));
        }
    }

    async fn exchange(&mut self, client: &Client, mut fields: Vec<(String, String)>) -> (u16, Value) {
        let mut request = self.signet.http().post(self.signet.url("/oauth/token"));
        match &client.secret {
            Some(secret) => request = request.basic_auth(&client.id, Some(secret)),
            None => fields.push(("client_id".to_owned(), client.id.clone())),
        }
        let answer = request.form(&fields).send().await.expect("an answer");
        if answer.status().as_u16() == 401 {
            // A client of the other method.
            self.answered(answer).await;
            fields.push(("client_id".to_owned(), client.id.clone()));
            fields.push(("client_secret".to_owned(), client.secret.clone().expect("a secret")));
            let request = self.signet.http().post(self.signet.url("/oauth/token")).form(&fields);
            return self.answered(request.send().await.expect("an answer")).await;
        }
        self.answered(answer).await
    }

    async fn userinfo(&mut self, token: &str) {
        let answer = flow::userinfo(self.signet, token).await;
        assert_eq!(answer.status().as_u16(), 200);
        let signet = self.signet;
        let url = signet.url("/oauth/userinfo");
        let changed = format!("{token}x");
        self.hunt.keep("changed token", &changed);
        let post = signet.http().post(&url).form(&[("access_token", &changed)]);
        let both = signet.http().post(&url).bearer_auth(token).form(&[("access_token", token)]);
        let query = signet.http().get(format!("{url}?access_token={token}"));
        for request in [signet.http().get(&url).bearer_auth(&changed), post, both, query] {
            self.refused(request).await;
        }
    }

    /// Introspection and revocation of a token, as they should be and as they should not.
    async fn asked_about(&mut self, client: &Client, token: &str) {
        let signet = self.signet;
        for path in ["/oauth/introspect", "/oauth/revoke"] {
            let answer = flow::post_as(signet, client, path, &[("token", token), ("token_type_hint", token)]).await;
            self.answered(answer).await;
            let url = signet.url(path);
            let query = signet.http().post(format!("{url}?token={token}"));
            let name = signet.http().post(&url).form(&[("token", token), ("client_id", token)]);
            let bearer = signet.http().post(&url).bearer_auth(token).form(&[("token", token)]);
            let secret = signet.http().post(&url).basic_auth(&client.id, Some(token)).form(&[("token", token)]);
            for request in [query, name, bearer, secret] {
                self.refused(request).await;
            }
        }
    }

    async fn client_credentials(&mut self, client: &Client) {
        let grant = [("grant_type", "client_credentials")];
        let answer = self.token(client, &grant).await;
        self.granted(answer);
        let wrong = made("wrong-secret");
        self.hunt.keep("wrong client secret", &wrong);
        let signet = self.signet;
        let url = signet.url("/oauth/token");
        let secret = client.secret.clone().expect("a secret");
        let post = |secret: &str| {
            let fields = [("grant_type", "client_credentials"), ("client_id", &*client.id), ("client_secret", secret)];
            signet.http().post(&url).form(&fields)
        };
        let both = post(&secret).basic_auth(&client.id, Some(&secret));
        let basic = signet.http().post(&url).form(&grant).basic_auth(&client.id, Some(&wrong));
        let nobody = signet.http().post(&url).form(&grant).basic_auth(&secret, Some(&wrong));
        for request in [post(&wrong), both, basic, nobody] {
            self.refused(request).await;
        }
    }
}
