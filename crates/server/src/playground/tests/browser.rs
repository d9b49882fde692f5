//! A browser as far as the playground needs one.

use std::{collections::HashMap, sync::PoisonError};

use actix_web::web::Data;
use reqwest::{RequestBuilder, StatusCode, header};
use scraper::{Html, Selector};

use super::{
    super::Playground,
    issuer::{Issuer, listen, serve},
};
use crate::{guard::route::install, routes};

/// A browser with one cookie, which follows no redirects.
pub(super) struct Browser {
    http: reqwest::Client,
    base: String,
    pub(super) cookie: Option<String>,
}

impl Browser {
    /// A browser before a playground of its own.
    pub(super) fn visit(issuer: &str) -> Self {
        let playground = Playground::new(issuer, "playground").expect("a playground");
        let data = Data::new(playground);
        let (listener, base) = listen();
        serve(listener, move |cfg| {
            cfg.app_data(data.clone());
            install(cfg, routes::playground(), true);
        });
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .expect("a client");
        Self { http, base, cookie: None }
    }

    /// Status, `Location`, body.
    async fn send(&mut self, request: RequestBuilder) -> (StatusCode, String, String) {
        let request = match &self.cookie {
            Some(cookie) => request.header(header::COOKIE, cookie),
            None => request,
        };
        let response = request.send().await.expect("an answer");
        let text = |name| {
            let value = response.headers().get(name);
            value.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        let (cookie, location) = (text(header::SET_COOKIE), text(header::LOCATION));
        if let Some((pair, attributes)) = cookie.split_once(';') {
            assert!(attributes.contains("HttpOnly") && attributes.contains("SameSite=Lax"));
            assert!(attributes.contains("Path=/playground"));
            self.cookie = Some(pair.to_owned());
        }
        let status = response.status();
        let body = response.text().await.expect("a body");
        if !status.is_redirection() {
            check_frame(&body);
        }
        (status, location, body)
    }

    pub(super) async fn get(&mut self, path: &str) -> (StatusCode, String, String) {
        self.send(self.http.get(format!("{}{path}", self.base))).await
    }

    pub(super) async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> (StatusCode, String, String) {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self.http.post(format!("{}{path}", self.base));
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(body)).await
    }

    pub(super) async fn csrf(&mut self) -> String {
        let (status, _, body) = self.get("/playground").await;
        assert_eq!(status, StatusCode::OK);
        let page = Html::parse_document(&body);
        let input = Selector::parse("input[name=csrf]").expect("a selector");
        let input = page.select(&input).next().expect("a CSRF token");
        input.attr("value").expect("a value").to_owned()
    }

    /// Starts a sign-in; answers the parameters of the authorization request.
    pub(super) async fn start(&mut self, issuer: &Issuer) -> HashMap<String, String> {
        let csrf = self.csrf().await;
        let form = [("csrf", &*csrf), ("scope", "profile"), ("scope", "admin")];
        let (status, location, body) = self.post("/playground/start", &form).await;
        assert_eq!(status, StatusCode::SEE_OTHER, "{body}");
        let url = url::Url::parse(&location).expect("a URL");
        let parameters: HashMap<_, _> = url.query_pairs().into_owned().collect();
        issuer.nonce.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&parameters["nonce"]);
        parameters
    }

    pub(super) async fn sign_in(&mut self, issuer: &Issuer) -> (StatusCode, String, String) {
        let parameters = self.start(issuer).await;
        self.get(&callback(&parameters["state"], &issuer.url)).await
    }
}

/// What every page has: language, title, one heading, labels, no script, no inline style.
fn check_frame(body: &str) {
    let page = Html::parse_document(body);
    let count = |selector: &str| {
        let selector = Selector::parse(selector).expect("a selector");
        page.select(&selector).count()
    };
    assert_eq!((count("html[lang=en]"), count("title"), count("h1")), (1, 1, 1), "{body}");
    assert_eq!(count("script, style, [style], img"), 0, "{body}");
    assert_eq!(count("input:not([type=hidden])"), count("label[for] input[id]"), "{body}");
}

pub(super) fn callback(state: &str, iss: &str) -> String {
    format!("/playground/callback?code=c0de&state={state}&iss={iss}")
}
