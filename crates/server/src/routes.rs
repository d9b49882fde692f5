//! The whole route map.

use actix_web::web::{self, ServiceConfig};

use crate::{
    oauth::{authorize, discovery, logout, token, userinfo},
    pages::{self, consent, home, interact, register, signin},
};

/// Every route of the provider. The playground's own routes are added in development.
pub fn configure(routes: &mut ServiceConfig) {
    use web::{get, head, method, post, resource};
    let options = || method(actix_web::http::Method::OPTIONS).to(discovery::preflight);
    routes
        .service(resource("/").route(get().to(home::get)))
        .service(resource("/signin").route(get().to(signin::get)).route(post().to(signin::post)))
        .service(resource("/register").route(get().to(register::get)).route(post().to(register::post)))
        .service(resource("/consent").route(get().to(consent::get)).route(post().to(consent::post)))
        .service(resource("/continue").route(get().to(interact::get)))
        .service(resource("/assets/style.css").route(get().to(pages::style)))
        .service(resource("/oauth/authorize").route(get().to(authorize::get)).route(post().to(authorize::post)))
        .service(
            resource("/oauth/token")
                .route(post().to(token::post))
                .route(options())
                .default_service(web::to(token::wrong_method)),
        )
        .service(
            resource("/oauth/userinfo")
                .route(get().to(userinfo::handle))
                .route(post().to(userinfo::handle))
                .route(options()),
        )
        .service(
            resource("/oauth/jwks").route(get().to(discovery::jwks)).route(head().to(discovery::jwks)).route(options()),
        )
        .service(resource("/oauth/logout").route(get().to(logout::get)).route(post().to(logout::post)));
    for path in [
        "/.well-known/openid-configuration",
        "/.well-known/openid_configuration",
        "/.well-known/oauth-authorization-server",
    ] {
        routes.service(
            resource(path).route(get().to(discovery::document)).route(head().to(discovery::document)).route(options()),
        );
    }
    routes.default_service(web::to(pages::not_found));
}
