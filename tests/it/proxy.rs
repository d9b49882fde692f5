//! Proxies: whose word about a client's address counts.

use diesel::sql_types::{Nullable, Text};
use diesel::{QueryableByName, RunQueryDsl as _, sql_query};

use crate::support::prelude::*;

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Nullable<Text>)]
    address: Option<String>,
}

/// The address that the audit log keeps of a failed sign-in that was sent with these headers.
async fn noted(trusted: &str, headers: &[(&str, &str)]) -> String {
    let signet = Signet::start_with(Database::Postgres, &[("SIGNET_PROXY__TRUSTED", trusted)]).await;
    let mut browser = Browser::new(&signet);
    let page = browser.get("/signin").await.page();
    let form = page.form(&["username", "password"]).expect("a form").with(&[("username", "nobody"), ("password", "x")]);
    let mut request = browser.request(reqwest::Method::POST, &form.action).form(&form.fields);
    request = request.header("origin", signet.issuer());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    assert!(request.send().await.expect("an answer").status().as_u16() < 500);
    let rows: Vec<Row> = sql_query(
        "SELECT p.address FROM audit a JOIN audit_personal p ON p.audit_id = a.id WHERE a.event = 'sign_in.failed'",
    )
    .load(&mut signet.database())
    .expect("rows");
    assert_eq!(rows.len(), 1);
    rows[0].address.clone().expect("an address")
}

/// without a trusted proxy the address is the peer's, whatever the headers say.
#[tokio::test]
async fn headers_of_strangers_say_nothing() {
    for headers in [[("forwarded", "for=203.0.113.9")], [("x-forwarded-for", "203.0.113.9")]] {
        let address = noted("10.0.0.0/8", &headers).await;
        assert!(address == "127.0.0.1" || address == "::1", "{address}");
    }
}

/// a trusted proxy names the client; what the client itself claimed stands left of that and is not believed.
#[tokio::test]
async fn a_trusted_proxy_names_the_client() {
    let here = "127.0.0.0/8,::1/128";
    for headers in
        [[("forwarded", "for=6.6.6.6, for=\"[2001:db8::5]:4711\"")], [("x-forwarded-for", "6.6.6.6, 2001:db8::5")]]
    {
        assert_eq!(noted(here, &headers).await, "2001:db8::5");
    }
}
