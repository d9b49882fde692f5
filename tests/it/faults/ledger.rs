//! What was promised to a person, and whether it holds.

use std::time::{Duration, Instant};

use reqwest::StatusCode;

use super::agent::{Agent, Target};
use super::traffic::{SCOPE, keep};
use crate::support::jar::Jar;
use crate::support::prelude::*;

/// Protocol A5: a code lives this long; one nearly as old is not asked for.
const CODE_LIFETIME: Duration = Duration::from_mins(1);

/// Whether a code was redeemed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redeemed {
    /// It was not sent yet.
    No,
    /// It was sent, and no answer came.
    InFlight,
    /// Its tokens were received.
    Yes,
}

/// What came of one authorization.
#[derive(Debug)]
pub struct Grant {
    /// The code.
    pub code: String,
    /// Its PKCE verifier.
    pub verifier: String,
    /// When it was received.
    pub issued: Instant,
    /// How far it got.
    pub redeemed: Redeemed,
    /// The newest access token received.
    pub access: Option<String>,
    /// The newest refresh token received. A refresh with it may have been under way.
    pub refresh: Option<String>,
}

impl Grant {
    /// A code just received.
    pub fn new(code: String, verifier: String) -> Self {
        Self { code, verifier, issued: Instant::now(), redeemed: Redeemed::No, access: None, refresh: None }
    }
}

/// One person's share of the ledger.
#[derive(Debug)]
pub struct Person {
    /// Who.
    pub user: User,
    /// Registration was acknowledged.
    pub registered: bool,
    /// Consent was acknowledged.
    pub consented: bool,
    /// Cookies of the browsers in which a session was acknowledged.
    pub sessions: Vec<Jar>,
    /// Codes received.
    pub grants: Vec<Grant>,
    /// Access tokens that ended with an acknowledged replay.
    pub dead: Vec<String>,
}

impl Person {
    /// Nothing is promised yet.
    pub fn new(user: User) -> Self {
        Self { user, registered: false, consented: false, sessions: Vec::new(), grants: Vec::new(), dead: Vec::new() }
    }

    /// Panics at the first promise that does not hold. What it receives is noted like any other answer.
    pub async fn check(&mut self, target: &Target) {
        let name = self.user.username.clone();
        self.check_sign_in(target).await;
        for jar in &self.sessions {
            let mut browser = Agent::new(target, jar.clone());
            let home = browser.open(&target.issuer).await.expect("an answer").page();
            assert_eq!(home.text("h1 .name").as_deref(), Some(&*name), "an acknowledged session is gone");
        }
        if self.consented {
            let mut browser = Agent::new(target, self.sessions[0].clone());
            let request = AuthRequest::new(&target.client).with("scope", SCOPE);
            let landing = browser.open(&target.authorize(&request)).await.expect("an answer");
            assert!(matches!(landing, Landing::Left(_)), "{name}: an acknowledged consent is asked for again");
        }
        for grant in &mut self.grants {
            check_grant(grant, target, &name).await;
        }
        self.grants.retain(|grant| grant.refresh.is_some());
        for token in &self.dead {
            let status = target.userinfo(token).await.expect("an answer");
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{name}: an acknowledged revocation is forgotten");
        }
    }

    async fn check_sign_in(&self, target: &Target) {
        let mut browser = Agent::new(target, Jar::default());
        let page = browser.open(&target.issuer.join("/signin").expect("URL")).await.expect("an answer").page();
        let fields = [("username", &*self.user.username), ("password", &*self.user.password)];
        let form = page.form(&["username", "password"]).expect("a sign-in form").with(&fields);
        let reply = browser.send(&form).await.expect("an answer");
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}: an acknowledged user cannot sign in", self.user.username);
    }

    /// Replays the codes of up to `count` grants, and what they gave ends.
    pub async fn replay(&mut self, target: &Target, count: usize) {
        for _ in 0..count {
            let Some(grant) = self.grants.pop() else { break };
            refused(&target.exchange(&grant.code, &grant.verifier).await.expect("an answer").body);
            if let Some(token) = grant.refresh {
                refused(&target.refresh(&token).await.expect("an answer").body);
            }
            if let Some(token) = grant.access {
                let status = target.userinfo(&token).await.expect("an answer");
                assert_eq!(status, StatusCode::UNAUTHORIZED, "a token of a replayed code is good");
                self.dead.push(token);
            }
        }
    }
}

async fn check_grant(grant: &mut Grant, target: &Target, name: &str) {
    if grant.redeemed != Redeemed::Yes {
        let page = target.exchange(&grant.code, &grant.verifier).await.expect("an answer");
        let age = grant.issued.elapsed();
        if page.status == StatusCode::OK {
            keep(grant, target, &page).expect("tokens");
        } else {
            refused(&page.body);
            let late = age + Duration::from_secs(5) > CODE_LIFETIME;
            assert!(grant.redeemed == Redeemed::InFlight || late, "{name}: an acknowledged code of {age:?} is gone");
        }
        grant.redeemed = Redeemed::Yes;
    }
    if let Some(token) = &grant.access {
        let status = target.userinfo(token).await.expect("an answer");
        assert_eq!(status, StatusCode::OK, "{name}: an acknowledged access token is refused");
    }
    if let Some(token) = grant.refresh.clone() {
        let page = target.refresh(&token).await.expect("an answer");
        assert_eq!(page.status, StatusCode::OK, "{name}: an acknowledged refresh token: {}", page.body);
        keep(grant, target, &page).expect("tokens");
    }
}

/// Asserts the answer of a code or token that is not good (any more).
fn refused(body: &str) {
    let json: serde_json::Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(flow::member(&json, "error"), "invalid_grant", "{body}");
}

/// Checks several people at once.
pub async fn check_all(people: &mut [Person], target: &Target) {
    for some in people.chunks_mut(4) {
        futures_util::future::join_all(some.iter_mut().map(|person| person.check(target))).await;
    }
}

/// Replays up to `count` codes of each.
pub async fn replay_all(people: &mut [Person], target: &Target, count: usize) {
    for some in people.chunks_mut(4) {
        futures_util::future::join_all(some.iter_mut().map(|person| person.replay(target, count))).await;
    }
}
