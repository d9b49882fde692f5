//! Every page with hostile text in every field.

use askama::Template;
use scraper::{ElementRef, Html, Selector};

use super::*;

const HOSTILE: &str = "\"'><img src=x onerror=alert(1)><script>alert(1)</script>&amp;";

fn h() -> String {
    HOSTILE.to_owned()
}

fn page() -> Page {
    Page { title: h(), nonce: h(), issuer_host: h(), request_id: h() }
}

fn no_access() -> NoAccess {
    NoAccess { page: page(), csrf: h(), interaction: h(), client_name: h(), account: h(), switch_href: h() }
}

fn signed_out() -> SignedOut {
    SignedOut { page: page(), frames: vec![h(), h()], onward: Some((h(), h())), nonce: h() }
}

fn select_account() -> SelectAccount {
    SelectAccount { page: page(), csrf: h(), interaction: h(), client_name: h(), account: h(), switch_href: h() }
}

fn applications() -> Applications {
    Applications {
        page: page(),
        account: h(),
        withdrawn: true,
        applications: vec![Application {
            csrf: h(),
            client_id: h(),
            name: h(),
            scopes: vec![ScopeLine { name: h(), description: h() }],
            since: h(),
            since_machine: h(),
            unverified: true,
            off: true,
        }],
        next_href: Some(h()),
    }
}

fn launch() -> Launch {
    Launch { name: h(), initial: h(), host: h(), href: h() }
}

fn activity() -> RecentActivity {
    let line = ActivityLine {
        what: h(),
        refused: true,
        by: HOSTILE,
        at: h(),
        at_machine: h(),
        client_name: Some(h()),
        client_id: Some(h()),
        object: Some(h()),
        address: Some(h()),
        user_agent: Some(h()),
    };
    let unnamed = ActivityLine { client_name: None, ..line.clone() };
    RecentActivity { page: page(), account: h(), lines: vec![line, unnamed], next_href: Some(h()) }
}

/// All pages, every field hostile, every part present.
fn hostile_pages() -> Vec<(&'static str, String)> {
    let fields = ["username", "email", "password", "form"];
    let errors = fields.map(|field| FieldError { field, message: h() });
    let pages: [(&str, askama::Result<String>); 12] = [
        (
            "signin",
            SignIn {
                page: page(),
                csrf: h(),
                interaction: h(),
                said: Said { logo_src: None, policy_href: Some(h()), tos_href: Some(h()) },
                client_name: Some(h()),
                username: h(),
                error: Some(h()),
                register_href: Some(h()),
                notice: Some(h()),
            }
            .render(),
        ),
        (
            "register",
            Register {
                page: page(),
                csrf: h(),
                interaction: h(),
                said: Said { logo_src: None, policy_href: Some(h()), tos_href: Some(h()) },
                client_name: Some(h()),
                username: h(),
                email: h(),
                errors: errors.into(),
                signin_href: h(),
                min_password: 8,
            }
            .render(),
        ),
        (
            "consent",
            Consent {
                page: page(),
                csrf: h(),
                interaction: h(),
                client_name: h(),
                client_host: h(),
                unverified: true,
                account: h(),
                scopes: vec![ScopeLine { name: h(), description: h() }],
                switch_href: h(),
                said: Said { logo_src: None, policy_href: Some(h()), tos_href: Some(h()) },
            }
            .render(),
        ),
        ("applications", applications().render()),
        ("activity", activity().render()),
        ("no access", no_access().render()),
        ("select account", select_account().render()),
        (
            "message",
            Message {
                page: page(),
                heading: h(),
                text: h(),
                code: Some(h()),
                detail: Some(h()),
                request_id: Some(h()),
                links: vec![Link { href: h(), label: h() }],
            }
            .render(),
        ),
        (
            "signout",
            SignOut { page: page(), csrf: h(), account: h(), client_name: Some(h()), hidden: vec![(h(), h())] }
                .render(),
        ),
        (
            "home, signed in",
            Home {
                page: page(),
                csrf: h(),
                account: Some(HomeAccount {
                    username: h(),
                    email: h(),
                    sessions: 2,
                    applications: vec![launch(), launch()],
                }),
                playground: true,
            }
            .render(),
        ),
        ("home, signed out", Home { page: page(), ..Home::default() }.render()),
        ("message, bare", Message { page: page(), heading: h(), ..Message::default() }.render()),
    ];
    pages.into_iter().map(|(name, html)| (name, html.expect("a page"))).collect()
}

fn select(html: &Html, selector: &str) -> Vec<String> {
    elements(html, selector).iter().map(ElementRef::html).collect()
}

fn elements<'a>(html: &'a Html, selector: &str) -> Vec<ElementRef<'a>> {
    html.select(&Selector::parse(selector).expect("a selector")).collect()
}

#[test]
fn hostile_text_stays_text() {
    for (name, source) in hostile_pages() {
        let html = Html::parse_document(&source);
        assert!(html.errors.is_empty(), "{name}: {:?}", html.errors);
        for selector in ["img", "script", "style", "[onerror]", "[style]"] {
            assert_eq!(select(&html, selector), Vec::<String>::new(), "{name}: {selector}");
        }
        let text: String = elements(&html, "h1, title, p").iter().flat_map(ElementRef::text).collect();
        assert!(text.contains("<script>alert(1)</script>&amp;"), "{name}: {text}");
    }
}

/// L3: after a sign-out there are frames of the applications that are told and one script by nonce, whatever their addresses
/// and names are; without frames there is neither.
#[test]
fn frames_after_a_sign_out() {
    let html = Html::parse_document(&signed_out().render().expect("a page"));
    assert!(html.errors.is_empty(), "{:?}", html.errors);
    for (selector, expected) in [("img", 0), ("style", 0), ("[onerror]", 0), ("iframe", 2), ("script", 1)] {
        assert_eq!(elements(&html, selector).len(), expected, "{selector}");
    }
    for frame in elements(&html, "iframe") {
        assert_eq!((frame.attr("src"), frame.attr("sandbox").is_some()), (Some(HOSTILE), true));
    }
    let script = elements(&html, "script");
    assert_eq!(script[0].attr("nonce"), Some(HOSTILE));
    let text: String = script[0].text().collect();
    assert!(!text.contains("alert"), "{text}");
    assert_eq!(elements(&html, "#onward")[0].attr("href"), Some(HOSTILE));
    let bare = SignedOut { onward: Some((h(), h())), ..SignedOut::default() };
    let html = Html::parse_document(&bare.render().expect("a page"));
    assert!(elements(&html, "iframe, script, meta[http-equiv]").is_empty());
}

/// R-68a, OIDC Core §4: each application is one link, whose address cannot leave its attribute and which takes nothing of this
/// page along; none are one calm sentence.
#[test]
fn applications_are_links() {
    let home = |applications| {
        let account = Some(HomeAccount { username: h(), email: h(), sessions: 1, applications });
        Html::parse_document(&Home { page: page(), account, ..Home::default() }.render().expect("a page"))
    };
    let html = home(vec![launch(), Launch { initial: String::new(), ..launch() }]);
    let links = elements(&html, ".launches > li > a");
    assert_eq!(links.len(), 2);
    for link in links {
        assert_eq!((link.attr("href"), link.attr("rel")), (Some(HOSTILE), Some("noopener noreferrer")));
        assert_eq!(link.attr("target"), None);
        let text: String = link.text().collect();
        assert_eq!(text.matches(HOSTILE).count(), 2 + usize::from(text.starts_with(HOSTILE)), "{text}");
    }
    assert!(!html.html().contains("None can be started"));
    let bare = home(Vec::new());
    assert!(select(&bare, ".launches").is_empty() && bare.html().contains("None can be started"));
}

/// A16: an application's picture is one image that says nothing by itself; its address cannot leave the attribute.
#[test]
fn an_applications_picture() {
    let page = Consent { said: Said { logo_src: Some(h()), ..Said::default() }, ..Consent::default() }
        .render()
        .expect("a page");
    let html = Html::parse_document(&page);
    assert!(html.errors.is_empty(), "{:?}", html.errors);
    let images = elements(&html, "img");
    assert_eq!(images.len(), 1);
    assert_eq!((images[0].attr("src"), images[0].attr("alt")), (Some(HOSTILE), Some("")));
    assert!(select(&html, "script, [onerror]").is_empty());
    let bare = Html::parse_document(&Consent::default().render().expect("a page"));
    assert!(select(&bare, "img").is_empty());
}

#[test]
fn hostile_values_come_back_whole_from_the_form() {
    for (name, source) in hostile_pages() {
        let html = Html::parse_document(&source);
        for input in elements(&html, "input:not([type=password])") {
            assert_eq!(input.attr("value"), Some(HOSTILE), "{name}: {}", input.html());
        }
        for input in elements(&html, "input[type=password]") {
            assert_eq!(input.attr("value"), None, "{name}: a password is never sent back");
        }
    }
}

#[test]
fn every_page_is_framed_alike() {
    for (name, source) in hostile_pages() {
        assert!(source.starts_with("<!doctype html>"), "{name}");
        let html = Html::parse_document(&source);
        for (selector, count) in [
            ("html[lang=en]", 1),
            ("h1", 1),
            ("main", 1),
            ("meta[name=viewport]", 1),
            ("link[rel=stylesheet][href^='/assets/style.css?v=']", 1),
        ] {
            assert_eq!(select(&html, selector).len(), count, "{name}: {selector}");
        }
        let title: String = elements(&html, "title").iter().flat_map(ElementRef::text).collect();
        assert_eq!(title.trim_start_matches("Error: "), format!("{HOSTILE} – Signet"), "{name}");
        for heading in elements(&html, "h3") {
            assert!(!select(&html, "h2").is_empty(), "{name}: {}", heading.html());
        }
    }
}

/// WCAG 2.1 §1.3.1, §4.1.2: every input has its label; what describes it exists.
#[test]
fn every_input_is_labelled() {
    for (name, source) in hostile_pages() {
        let html = Html::parse_document(&source);
        for input in elements(&html, "input:not([type=hidden])") {
            let id = input.attr("id").expect("an id");
            assert_eq!(select(&html, &format!("label[for={id}]")).len(), 1, "{name}: {id}");
            assert!(input.attr("autocomplete").is_some(), "{name}: {id}");
            let described = input.attr("aria-describedby").unwrap_or_default();
            for target in described.split_whitespace() {
                assert_eq!(select(&html, &format!("[id={target}]")).len(), 1, "{name}: {target}");
            }
        }
        let ids: Vec<_> = elements(&html, "[id]").iter().filter_map(|e| e.attr("id")).collect();
        let mut unique = ids.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), ids.len(), "{name}: an id twice");
    }
}

#[test]
fn errors_are_announced_and_tied_to_their_fields() {
    let register = Register {
        errors: vec![FieldError { field: "email", message: "No address.".to_owned() }],
        min_password: 12,
        ..Register::default()
    };
    let html = Html::parse_document(&register.render().expect("a page"));
    assert_eq!(select(&html, "[role=alert] a[href='#email']").len(), 1);
    assert_eq!(select(&html, "#email[aria-invalid=true][aria-describedby=email-error][autofocus]").len(), 1);
    assert_eq!(select(&html, "[aria-invalid]").len(), 1);
    assert_eq!(select(&html, "[autofocus]").len(), 1);
    assert!(select(&html, "#password-hint").concat().contains("12"));

    let signin = SignIn { error: Some("No.".to_owned()), ..SignIn::default() };
    let html = Html::parse_document(&signin.render().expect("a page"));
    assert_eq!(select(&html, "#signin-error[role=alert]").len(), 1);
    assert_eq!(select(&html, "input[aria-describedby=signin-error]").len(), 2);
    assert!(select(&html, "title").concat().contains("Error: "));

    let html = Html::parse_document(&SignIn::default().render().expect("a page"));
    assert!(select(&html, "[role=alert], [aria-describedby], [aria-invalid]").is_empty());
}

/// The form contract: names, methods and targets.
#[test]
fn forms_keep_their_contract() {
    let expected: &[(&str, &str, &[&str])] = &[
        ("signin", "form[method=post][action='/signin']", &["username", "password"]),
        ("register", "form[method=post][action='/register']", &["username", "email", "password"]),
        ("consent", "form[method=post][action='/consent']", &[]),
        ("no access", "form[method=post][action='/no-access']", &[]),
        ("select account", "form[method=post][action='/select-account']", &[]),
        ("applications", "form[method=post][action='/account/applications']", &[]),
        ("signout", "form[method=post][action='/oauth/logout']", &[]),
        ("home, signed in", "form[method=post][action='/oauth/logout']", &[]),
    ];
    let pages = hostile_pages();
    for (name, form, inputs) in expected {
        let (_, source) = pages.iter().find(|(page, _)| page == name).expect("the page");
        let html = Html::parse_document(source);
        assert_eq!(select(&html, form).len(), 1, "{name}");
        assert_eq!(select(&html, "input[type=hidden][name=csrf]").len(), 1, "{name}");
        let names: Vec<_> =
            elements(&html, "input:not([type=hidden])").iter().filter_map(|input| input.attr("name")).collect();
        assert_eq!(names, *inputs, "{name}");
        let decisions: Vec<_> =
            elements(&html, "button[name=decision]").iter().filter_map(|button| button.attr("value")).collect();
        let expected: &[&str] = match *name {
            "consent" => &["allow", "deny"],
            "signout" => &["signout", "stay"],
            "home, signed in" => &["signout"],
            "no access" => &["back"],
            "select account" => &["continue"],
            _ => &[],
        };
        assert_eq!(decisions, expected, "{name}");
    }
}

#[test]
fn the_stylesheet_needs_nothing_from_elsewhere() {
    assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
    assert_ne!(STYLE_VERSION, fnv1a(b""));
    assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
}
