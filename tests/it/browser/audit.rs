//! What holds for every page, whatever it shows.

use serde_json::Value;
use thirtyfour::Key;

use super::visitor::Visitor;
use crate::support::prelude::*;

const SCRIPT: &str = include_str!("audit.js");

/// Where the keyboard's focus is: nothing where it left the page, else the element and what makes it visible.
const FOCUS: &str = r#"
    const at = document.activeElement;
    if (!at || at === document.body) return null;
    const style = getComputedStyle(at);
    const width = style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth);
    const box = at.getBoundingClientRect();
    at.dataset.seen = (Number(at.dataset.seen) || 0) + 1;
    const inside = box.top < innerHeight && box.bottom > 0 && box.left < innerWidth && box.right > 0;
    return { what: at.outerHTML.slice(0, 120), seen: Number(at.dataset.seen), width, inside };
"#;

/// Holds the page that is shown against the audit, at 320 and 1280 pixels, in light and in dark, goes through it with
/// Tab, and reads the console and the record of requests.
pub async fn page(visitor: &Visitor, name: &str) {
    for (width, scheme) in [(320, "light"), (320, "dark"), (1280, "light"), (1280, "dark")] {
        visitor.chrome.show_as(width, scheme).await;
        let problems = visitor.script(SCRIPT).await;
        assert_eq!(problems, Value::Array(Vec::new()), "{name} at {width} pixels in {scheme}");
    }
    focus(visitor, name).await;
    visitor.chrome.show_plainly().await;
    quiet(visitor, name).await;
}

/// WCAG 2.4.7: every stop of the Tab key is seen, and none is met twice in one round.
async fn focus(visitor: &Visitor, name: &str) {
    let mut stops = 0;
    visitor.script("document.activeElement.blur(); scrollTo(0, 0)").await;
    for _ in 0..100 {
        visitor.chrome.action_chain().send_keys(Key::Tab).perform().await.expect("Tab");
        let stop = visitor.script(FOCUS).await;
        if stop.is_null() || stop["seen"].as_u64() > Some(1) {
            break;
        }
        stops += 1;
        assert!(stop["width"].as_f64() >= Some(2.0), "{name}: no focus is seen at {stop}");
        assert_eq!(stop["inside"], true, "{name}: the focus is out of sight at {stop}");
    }
    assert!(stops >= 2, "{name}: Tab stops at {stops} elements");
}

/// The console is silent, and no request left for another origin. Reads both since the last call.
pub async fn quiet(visitor: &Visitor, name: &str) {
    for entry in visitor.chrome.console().await {
        // Chromium reports the status of a page itself there, which its test expects.
        let refused = entry.message.contains("the server responded with a status of 4");
        assert!(refused && !entry.message.contains("/assets/"), "{name}: {entry:?}");
    }
    let issuer = format!("{}/", visitor.signet.issuer());
    let requests = visitor.chrome.requests().await;
    assert!(!requests.is_empty(), "{name}: no request was recorded");
    for url in requests {
        let ours = url.starts_with(&issuer) || url == visitor.signet.issuer() || url.starts_with("data:image/svg");
        assert!(ours, "{name}: a request to {url}");
    }
}

/// R-53, R-68: the audit sees what it is for, and the content security policy refuses inline styles and foreign
/// pictures.
#[tokio::test]
async fn the_audit_sees_faults() {
    let visitor = Visitor::start(Database::Postgres).await;
    visitor.open("/signin").await;
    visitor.heading("Sign in").await;
    assert_eq!(visitor.script(SCRIPT).await, Value::Array(Vec::new()));
    quiet(&visitor, "before").await;

    let faults = "document.documentElement.removeAttribute('lang'); \
        document.querySelector('label').remove(); \
        document.querySelector('main').append(document.createElement('h1')); \
        document.querySelector('.aside').style.color = 'rgb(200, 200, 200)'; \
        document.querySelector('h1').style.width = '2000px';";
    visitor.script(faults).await;
    let problems = visitor.script(SCRIPT).await.to_string();
    for sign in ["no language", "2 headings", "no visible label", "contrast", "beyond the edge", "pixels wide"] {
        assert!(problems.contains(sign), "{sign} in {problems}");
    }

    let foreign = "document.body.setAttribute('style', ''); const style = document.createElement('style'); \
        style.textContent = 'body { color: red }'; document.head.append(style); \
        new Image().src = 'http://127.0.0.1:9/picture.png';";
    visitor.script(foreign).await;
    let mut said = String::new();
    eventually(PATIENCE, "the console tells of both", async || {
        said.extend(visitor.chrome.console().await.into_iter().map(|entry| entry.message));
        (said.contains("style-src") && said.contains("img-src")).then_some(())
    })
    .await;
}
