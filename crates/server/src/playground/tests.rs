//! The playground against a small issuer of the test's own, over HTTP.

mod browser;
mod issuer;

use std::{collections::HashMap, sync::PoisonError};

use reqwest::StatusCode;

use browser::{Browser, callback};
use issuer::{Fault, Issuer};

#[actix_web::test]
async fn a_whole_visit() {
    let issuer = Issuer::start(Fault::Nothing);
    let mut browser = Browser::visit(&issuer.url);
    let parameters = browser.start(&issuer).await;
    assert_eq!(parameters["client_id"], "playground");
    assert_eq!(parameters["scope"], "openid profile");
    assert_eq!(parameters["code_challenge_method"], "S256");
    assert_eq!(parameters["redirect_uri"], format!("{}/playground/callback", issuer.url));

    let before = browser.cookie.clone();
    let (status, location, body) = browser.get(&callback(&parameters["state"], &issuer.url)).await;
    assert_eq!((status, &*location), (StatusCode::SEE_OTHER, "/playground"), "{body}");
    assert_ne!(browser.cookie, before, "the cookie changes at sign-in");
    {
        let seen = issuer.seen.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(seen[0]["client_id"], "playground");
        assert!(seen[0]["code_verifier"].len() >= 43);
    }

    let csrf = browser.csrf().await;
    let form = [("csrf", &*csrf)];
    let (status, location, _) = browser.post("/playground/userinfo", &form).await;
    assert_eq!((status, &*location), (StatusCode::SEE_OTHER, "/playground#userinfo"));
    let (status, _, body) = browser.post("/playground/refresh", &form).await;
    assert_eq!(status, StatusCode::SEE_OTHER, "{body}");
    let (_, _, body) = browser.get("/playground").await;
    for expected in [
        "You are signed in",
        "Sign-in and consent: you and Signet",
        "Verification: is the ID token true?",
        "at_hash",
        "shoe_size",
        "access-2",
        "refresh-2",
        "same person as before",
        "code_verifier=",
        "200 OK",
        "authorization: Bearer access-1",
    ] {
        assert!(body.contains(expected), "{expected}: {body}");
    }
    assert!(body.contains("Ada") && !body.contains("<b>Ada"), "{body}");

    let (status, location, _) = browser.post("/playground/signout", &form).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let url = url::Url::parse(&location).expect("a URL");
    let parameters: HashMap<_, _> = url.query_pairs().into_owned().collect();
    assert_eq!(url.path(), "/logout");
    assert_eq!(parameters["client_id"], "playground");
    assert_eq!(parameters["post_logout_redirect_uri"], format!("{}/playground", issuer.url));
    assert!(parameters["id_token_hint"].starts_with("ey"));
    let (_, _, body) = browser.get(&format!("/playground?state={}", parameters["state"])).await;
    assert!(body.contains("You are signed out"), "{body}");
}

/// Core §3.1.3.7 and the checks beside it: each fault leaves nobody signed in.
#[actix_web::test]
async fn a_faulty_answer_signs_nobody_in() {
    for (fault, expected) in [
        (Fault::Nonce, "nonce"),
        (Fault::Audience, "Invalid audiences"),
        (Fault::Expiry, "Expired"),
        (Fault::Key, "Signature verification failed"),
        (Fault::AtHash, "at_hash"),
        (Fault::Azp, "azp names another"),
        (Fault::TokenError, "invalid_grant: &#60;b&#62;no"),
        (Fault::NoIdToken, "ID token is missing"),
    ] {
        let issuer = Issuer::start(fault);
        let mut browser = Browser::visit(&issuer.url);
        let (status, _, body) = browser.sign_in(&issuer).await;
        assert_eq!(status, StatusCode::BAD_GATEWAY, "{fault:?}");
        assert!(body.contains(expected), "{fault:?}: {body}");
        let (_, _, body) = browser.get("/playground").await;
        assert!(!body.contains("You are signed in"), "{fault:?}");
    }
}

/// Core §12.2: the ID token of a refresh is about the same person.
#[actix_web::test]
async fn a_refresh_for_somebody_else_is_refused() {
    let issuer = Issuer::start(Fault::OtherPersonAtRefresh);
    let mut browser = Browser::visit(&issuer.url);
    browser.sign_in(&issuer).await;
    let csrf = browser.csrf().await;
    let (status, _, body) = browser.post("/playground/refresh", &[("csrf", &csrf)]).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert!(body.contains("another person"), "{body}");
    let (_, _, body) = browser.get("/playground").await;
    assert!(body.contains("You are signed in"), "{body}");
}

/// Core §5.3.2: a `UserInfo` answer about somebody else is not used.
#[actix_web::test]
async fn userinfo_about_somebody_else_is_refused() {
    let issuer = Issuer::start(Fault::Subject);
    let mut browser = Browser::visit(&issuer.url);
    browser.sign_in(&issuer).await;
    let csrf = browser.csrf().await;
    let (status, _, body) = browser.post("/playground/userinfo", &[("csrf", &csrf)]).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert!(body.contains("not about the person"), "{body}");
}

#[actix_web::test]
async fn a_callback_is_checked_before_its_code_is_used() {
    let issuer = Issuer::start(Fault::Nothing);
    for (query, expected) in [
        ("code=c&state=wrong&iss=ISS", "another request"),
        ("code=c&iss=ISS", "another request"),
        ("code=c&state=STATE&iss=http://evil", "another issuer"),
        ("code=c&state=STATE", "another issuer"),
        ("state=STATE&iss=ISS", "The callback is empty"),
        ("code=c&code=c&state=STATE&iss=ISS", "malformed"),
        ("error=access_denied&error_description=%3Cb%3E&state=STATE&iss=ISS", "access_denied: &#60;b&#62;"),
    ] {
        let mut browser = Browser::visit(&issuer.url);
        let parameters = browser.start(&issuer).await;
        let query = query.replace("STATE", &parameters["state"]).replace("ISS", &issuer.url);
        let (status, _, body) = browser.get(&format!("/playground/callback?{query}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
        assert!(body.contains(expected), "{query}: {body}");
        let (status, _, body) = browser.get(&callback(&parameters["state"], &issuer.url)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "a second callback after {query}");
        assert!(body.contains("No sign-in is under way"), "{body}");
    }
    assert!(issuer.seen.lock().unwrap_or_else(PoisonError::into_inner).is_empty());
}

#[actix_web::test]
async fn forms_need_their_token_and_a_session() {
    let issuer = Issuer::start(Fault::Nothing);
    let mut browser = Browser::visit(&issuer.url);
    browser.sign_in(&issuer).await;
    for action in ["start", "userinfo", "refresh", "signout"] {
        let uri = format!("/playground/{action}");
        let (status, _, _) = browser.post(&uri, &[("csrf", "wrong")]).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{action}");
        let (status, _, _) = browser.post(&uri, &[]).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{action}");
        let cookie = browser.cookie.replace("playground=unknown".to_owned());
        let (status, _, _) = browser.post(&uri, &[("csrf", "wrong")]).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{action}");
        browser.cookie = cookie;
    }
    let (_, _, body) = browser.get("/playground").await;
    assert!(body.contains("You are signed in"), "nothing happened: {body}");
}

#[actix_web::test]
async fn an_issuer_that_is_not_there_gets_a_clear_page() {
    // Port 1 is privileged and long out of use: the connection is refused.
    let mut browser = Browser::visit("http://127.0.0.1:1");
    let csrf = browser.csrf().await;
    let (status, _, body) = browser.post("/playground/start", &[("csrf", &csrf)]).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert!(body.contains("cannot be reached") && body.contains("no answer"), "{body}");
}

#[test]
fn sessions_are_bounded_and_the_oldest_gives_way() {
    let sessions = super::session::Sessions::new(2);
    let ids: Vec<String> = (0..3).map(|_| sessions.open().0).collect();
    let present: Vec<bool> = ids.iter().map(|id| sessions.get(id).is_some()).collect();
    assert_eq!(present, [false, true, true]);
}
