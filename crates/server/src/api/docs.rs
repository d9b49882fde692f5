//! `/docs`: Swagger UI over the OpenAPI document. Its files are in the program; the page and its start are ours, so that
//! no inline script is needed and nothing is fetched from elsewhere.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{Data, Path},
};
use utoipa_swagger_ui::Config;

use crate::{app::App, pages};

/// The page.
const PAGE: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Signet API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="stylesheet" href="/docs/index.css">
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
</head>
<body>
<noscript>This page needs JavaScript. The document behind it is at <a href="/api/openapi.json">/api/openapi.json</a>.</noscript>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"#;

/// Starts Swagger UI: our document, no validator elsewhere, no link to another document from the address.
const START: &str = r##"window.addEventListener("load", () => {
  window.ui = SwaggerUIBundle({
    url: "/api/openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    queryConfigEnabled: false,
    validatorUrl: "none",
    presets: [SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
  });
});
"##;

/// The files of Swagger UI that the page uses.
const FILES: [&str; 4] = ["swagger-ui.css", "index.css", "swagger-ui-bundle.js", "favicon-32x32.png"];

/// `GET /docs`
pub async fn page() -> HttpResponse {
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(PAGE)
}

/// `GET /docs/{file}`
pub async fn file(app: Data<App>, http: HttpRequest, name: Path<String>) -> HttpResponse {
    if name.as_str() == "start.js" {
        return HttpResponse::Ok().content_type("text/javascript; charset=utf-8").body(START);
    }
    let Some(known) = FILES.iter().find(|known| **known == name.as_str()) else {
        return pages::not_found(app, http).await;
    };
    match utoipa_swagger_ui::serve(known, Arc::new(Config::from("/api/openapi.json"))) {
        Ok(Some(file)) => HttpResponse::Ok()
            .insert_header((header::CACHE_CONTROL, "public, max-age=3600"))
            .content_type(file.content_type)
            .body(file.bytes.into_owned()),
        _ => pages::not_found(app, http).await,
    }
}
