//! What people do at the pages: registration, wrong passwords, a sign-in link, the playground.

use reqwest::Method;
use reqwest::header::{COOKIE, LOCATION};

use super::{Driver, made};
use crate::scene::admin;
use crate::support::prelude::*;

impl Driver<'_> {
    /// A refused registration, a good one, and one with a taken name.
    pub(super) async fn register(&mut self) {
        let mut browser = Browser::new(self.signet);
        let page = browser.get("/register").await.page();
        self.browsed(&browser, Some(&page));
        let password = made("Registered");
        self.hunt.keep("password at registration", &password);
        // Refused first: the name is no name.
        let user = User { username: "no name!".to_owned(), password, ..User::named("marked-person") };
        let again = flow::register(&mut browser, &page, &user).await.page();
        assert_eq!(again.status.as_u16(), 422);
        self.browsed(&browser, Some(&again));
        let user = User { username: "marked-person".to_owned(), ..user };
        let landing = flow::register(&mut browser, &again, &user).await;
        self.browsed(&browser, Some(&landing.page()));
        // Taken.
        let mut browser = Browser::new(self.signet);
        let page = browser.get("/register").await.page();
        let taken = flow::register(&mut browser, &page, &user).await.page();
        self.browsed(&browser, Some(&taken));
    }

    /// A password where the name belongs, a form without its token, a session cookie that is none.
    pub(super) async fn wrong_passwords(&mut self) {
        let mut browser = Browser::new(self.signet);
        let page = browser.get("/signin").await.page();
        let swapped = format!("{} & more", made("Swapped"));
        self.hunt.keep("password in the wrong field", &swapped);
        // The page shows the name again, to whoever typed it; nothing else may.
        let fields = [("username", &*swapped), ("password", "marked-person")];
        let refused = browser.submit(&page, &fields).await.page();
        assert_eq!(refused.status.as_u16(), 401);
        let forged = made("forged");
        self.hunt.keep("password in a forged form", &forged);
        let form = page.form(&["username", "password"]).expect("the form");
        let form = form.with(&[("username", "admin"), ("password", &forged), ("csrf", &forged)]);
        let refused = browser.send(form).await.page();
        assert_eq!(refused.status.as_u16(), 403);
        self.browsed(&browser, Some(&refused));
        let mut twice = page.form(&["username", "password"]).expect("the form").with(&[("password", &forged)]);
        twice.fields.push(("password".to_owned(), forged.clone()));
        let refused = browser.send(twice).await.page();
        assert_eq!(refused.status.as_u16(), 400);
        self.browsed(&browser, Some(&refused));
        let url = browser.resolve("/");
        let cookies = format!("signet={forged}; signet-session={forged}; __Host-signet={forged}");
        let answer = self.signet.http().get(url).header(COOKIE, cookies).send().await.expect("an answer");
        self.answered(answer).await;
    }

    /// Passwords that an application sends: a right one, a wrong one, one in the wrong field, one twice.
    pub(super) async fn passwords(&mut self) {
        let spec = ClientSpec {
            grant_types: ["password", "refresh_token"].map(str::to_owned).to_vec(),
            redirect_uris: Vec::new(),
            first_party: true,
            ..ClientSpec::confidential()
        };
        let client = self.client(spec).await;
        let password = admin().password;
        let right = [("grant_type", "password"), ("username", "admin"), ("password", &*password)];
        let granted = self.token(&client, &right).await;
        self.granted(granted);
        let wrong = format!("{} & more", made("Sent"));
        self.hunt.keep("password that an application sent", &wrong);
        for fields in [
            vec![("username", "admin"), ("password", &*wrong)],
            vec![("username", &*wrong), ("password", "admin")],
            vec![("username", "admin"), ("password", &*wrong), ("password", &*wrong)],
            vec![("username", "admin"), ("password", "x"), ("scope", &*wrong)],
        ] {
            let fields = [&[("grant_type", "password")][..], &fields].concat();
            let (status, _) = self.token(&client, &fields).await;
            assert_eq!(status, 400);
        }
    }

    /// A sign-in link: codes that are none, the code where it does not belong, the code as it should be, and again.
    pub(super) async fn link(&mut self) {
        let told = self.command(&["user", "sign-in-link", "marked-person"]).await;
        let code = flow::member(&told, "code").to_owned();
        let signet = self.signet;
        let wrong = made("link");
        self.hunt.keep("code that is none", &wrong);
        let mut browser = Browser::new(signet);
        let page = browser.get("/signin/link").await.page();
        self.browsed(&browser, Some(&page));
        let refused = browser.submit(&page, &[("code", &wrong)]).await.page();
        assert_eq!(refused.status.as_u16(), 401);
        self.browsed(&browser, Some(&refused));
        // A link whose fragment became a query, and a form without its token: neither spends it.
        let query = browser.get(format!("/signin/link?code={code}")).await.page();
        self.browsed(&browser, Some(&query));
        let forged = page.form(&["code"]).expect("the form").with(&[("code", &code), ("csrf", &wrong)]);
        let forged = browser.send(forged).await.page();
        assert_eq!(forged.status.as_u16(), 403);
        self.browsed(&browser, Some(&forged));
        let home = browser.submit(&page, &[("code", &code)]).await.page();
        assert!(home.form(&["decision"]).is_some(), "signed in: {}", home.body);
        self.browsed(&browser, Some(&home));
        let mut another = Browser::new(signet);
        let page = another.get("/signin/link").await.page();
        let again = another.submit(&page, &[("code", &code)]).await.page();
        assert_eq!(again.status.as_u16(), 401);
        self.browsed(&another, Some(&again));
    }

    /// The playground: off to the sign-in, back with a code, userinfo, refresh, out.
    pub(super) async fn playground(&mut self) {
        let mut browser = Browser::new(self.signet);
        let intro = browser.get("/playground").await.page();
        self.browsed(&browser, Some(&intro));
        let sign_in = browser.submit(&intro, &[("scope", "offline_access")]).await.page();
        self.browsed(&browser, Some(&sign_in));
        let consent = flow::sign_in(&mut browser, &sign_in, &admin()).await.page();
        self.browsed(&browser, Some(&consent));
        // Not followed: the way back carries the code.
        let form = consent.form(&["decision"]).expect("the form").with(&[("decision", "allow")]);
        let answer = browser.request(Method::POST, &form.action).form(&form.fields).send().await.expect("an answer");
        browser.jar.remember(answer.headers());
        let callback = answer.headers().get(LOCATION).and_then(|location| location.to_str().ok());
        let callback = browser.resolve(callback.expect("the way back"));
        assert_eq!(callback.path(), "/playground/callback");
        self.hunt.keep("code", &flow::parameter(&callback, "code").expect("a code"));
        self.hunt.keep("state of the playground", &flow::parameter(&callback, "state").expect("a state"));
        let mut page = browser.get(&callback).await.page();
        self.shown_by_the_playground(&browser, &page);
        for action in ["/playground/userinfo", "/playground/refresh"] {
            let csrf = page.form(&["csrf"]).expect("a form").value("csrf").expect("a token").to_owned();
            page = browser.post(action, &[("csrf".to_owned(), csrf)]).await.page();
            self.shown_by_the_playground(&browser, &page);
        }
        assert!(page.body.contains("The tokens below are new."), "{}", page.body);
        // A used code, and a form without its token.
        let again = browser.get(&callback).await.page();
        assert!(again.status.is_client_error(), "{}", again.status);
        let mut stranger = Browser::new(self.signet);
        let without = stranger.get(&callback).await.page();
        assert!(without.status.is_client_error(), "{}", without.status);
        self.browsed(&stranger, Some(&without));
        let csrf = page.form(&["csrf"]).expect("a form").value("csrf").expect("a token").to_owned();
        let out = browser.post("/playground/signout", &[("csrf".to_owned(), csrf)]).await.page();
        self.browsed(&browser, Some(&out));
    }

    /// Remembers what the result page of the playground shows to its person.
    fn shown_by_the_playground(&mut self, browser: &Browser, page: &Page) {
        assert_eq!(page.status.as_u16(), 200, "{}", page.body);
        self.browsed(browser, Some(page));
        for part in ["id-token", "access-token", "refresh-token"] {
            let token = page.text(&format!("#{part} ~ details pre")).unwrap_or_else(|| panic!("no {part}"));
            self.hunt.keep(&format!("{part} of the playground"), &token);
            if let Some(signature) = token.split('.').nth(2) {
                self.hunt.keep(&format!("signature of the playground's {part}"), signature);
            }
        }
        let sent = page.body.split_once("code_verifier=").expect("the verifier that was sent").1;
        let end = sent.find(|c: char| !c.is_ascii_alphanumeric() && !"-_.~".contains(c)).expect("its end");
        self.hunt.keep("verifier of the playground", &sent[..end]);
    }
}
