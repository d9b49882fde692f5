//! `/docs` in a real browser.

use super::audit;
use super::visitor::Visitor;
use crate::support::prelude::*;

/// the page shows the operations under our content security policy, and asks nobody else for anything.
#[tokio::test]
async fn the_operations_are_shown() {
    let visitor = Visitor::start(Database::Postgres).await;
    visitor.open("/docs").await;
    let shown = eventually(PATIENCE, "the operations", async || {
        let script = "return Array.from(document.querySelectorAll('.opblock-summary-path'), \
                      (path) => path.textContent.replace(/\\u200b/g, ''))";
        let paths = visitor.script(script).await;
        paths.as_array().filter(|paths| !paths.is_empty()).cloned()
    })
    .await;
    assert!(shown.iter().any(|path| path == "/api/v1/admin/clients"), "{shown:?}");
    visitor.find(".opblock-summary-path").await.click().await.expect("an operation opens");
    visitor.find(".opblock-body").await;
    audit::quiet(&visitor, "the documentation").await;
}
