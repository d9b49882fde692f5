//! The OpenAPI document: the handlers' annotations, and what the route page says of each.

use std::sync::LazyLock;

use utoipa::{
    OpenApi,
    openapi::{
        Content, ContentBuilder, OpenApi as Document, PathItem, Ref, RefOr, Response, ResponseBuilder,
        path::Operation,
        security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
    },
};

use super::{audit, clients, consents, deliveries, keys, problem, registration_tokens, resources, roles, users};
use crate::{
    guard::route::{Line, Requirement},
    routes,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Signet administration",
        description = "Send an access token whose audience is this provider's address with `/api` behind it. \
            It must be allowed by a scope of the token and by a role of whoever it stands for. \
            Refusals are `application/problem+json` (RFC 9457) with a stable `code`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(
        clients::list, clients::create, clients::show, clients::update, clients::delete, clients::rotate_secret,
        clients::disable, clients::enable,
        registration_tokens::list, registration_tokens::create, registration_tokens::delete,
        resources::list, resources::create, resources::show, resources::update, resources::delete,
        keys::list, keys::rotate,
        users::list, users::create, users::show, users::update, users::set_password, users::lock, users::unlock,
        consents::list, consents::withdraw,
        roles::list, roles::create, roles::show, roles::update, roles::delete,
        roles::assign_to_user, roles::take_from_user, roles::assign_to_client, roles::take_from_client,
        audit::list,
        deliveries::list, deliveries::show, deliveries::repeat,
    ),
    components(schemas(problem::ProblemBody, problem::FieldError)),
    servers((url = "/"))
)]
struct Annotated;

/// The name of the security scheme.
const SCHEME: &str = "access_token";

/// Refusals every route of the API can answer with.
const REFUSALS: [(u16, &str); 12] = [
    (400, "The request cannot be read"),
    (401, "No access token, or one that is not valid here"),
    (403, "The token's scopes or its holder's roles do not allow it"),
    (404, "There is no such thing"),
    (405, "Another method"),
    (408, "The body took too long to arrive"),
    (409, "It clashes with what is stored"),
    (413, "The body is too large"),
    (415, "The body is not JSON"),
    (422, "A value is not acceptable; `errors` names the member"),
    (500, "Our fault; the log says what"),
    (503, "Try again in a moment"),
];

/// The document.
pub fn document() -> Document {
    let mut document = Annotated::openapi();
    env!("CARGO_PKG_VERSION").clone_into(&mut document.info.version);
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    document.components.get_or_insert_default().add_security_scheme(SCHEME, bearer);
    for line in routes::table() {
        let Requirement::Permission { permission } = line.requirement else { continue };
        let item = document.paths.paths.get_mut(line.path);
        if let Some(operation) = item.and_then(|item| operation(item, &line)) {
            describe(operation, permission, line.method);
        }
    }
    document
}

fn operation<'a>(item: &'a mut PathItem, line: &Line) -> Option<&'a mut Operation> {
    match line.method {
        "GET" => item.get.as_mut(),
        "POST" => item.post.as_mut(),
        "PUT" => item.put.as_mut(),
        "PATCH" => item.patch.as_mut(),
        "DELETE" => item.delete.as_mut(),
        _ => None,
    }
}

fn describe(operation: &mut Operation, permission: &str, method: &str) {
    let before = operation.description.take().map(|text| format!("{text}\n\n")).unwrap_or_default();
    operation.description = Some(format!("{before}Needs the permission `{permission}`."));
    operation.security = Some(vec![SecurityRequirement::new(SCHEME, Vec::<String>::new())]);
    let conditional = operation.parameters.iter().flatten().any(|parameter| match parameter {
        RefOr::T(parameter) => parameter.name == "If-Match",
        RefOr::Ref(_) => false,
    });
    let outdated = match (method, conditional) {
        ("GET", _) => None,
        (_, true) => Some((412, "What is stored is not what `If-Match` names")),
        (_, false) => Some((412, "`If-Match` was sent, and there is no ETag here that it could name")),
    };
    for (status, text) in REFUSALS.into_iter().chain(outdated) {
        operation.responses.responses.entry(status.to_string()).or_insert_with(|| RefOr::T(refusal(text)));
    }
}

fn refusal(text: &str) -> Response {
    let content: Content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description(text).content(problem::CONTENT_TYPE, content).build()
}

/// The document as it is sent.
pub(super) fn rendered() -> &'static [u8] {
    static RENDERED: LazyLock<Vec<u8>> = LazyLock::new(|| document().to_json().unwrap_or_default().into_bytes());
    &RENDERED
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    /// each route of the API has an operation that names its permission, each operation is a route, and no
    /// reference leads nowhere.
    #[test]
    fn the_document_is_the_table() {
        let document: Value = serde_json::from_slice(rendered()).unwrap();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
        let mut described = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let text = operation["description"].as_str().unwrap_or_default();
                let permission = text.rsplit("Needs the permission `").next().unwrap_or_default();
                described.insert((method.to_uppercase(), path.clone(), permission.trim_end_matches("`.").to_owned()));
                assert_eq!(operation["security"][0][SCHEME], Value::Array(Vec::new()), "{method} {path}");
            }
        }
        let expected: BTreeSet<_> = routes::table()
            .into_iter()
            .filter_map(|line| match line.requirement {
                Requirement::Permission { permission } => {
                    Some((line.method.to_owned(), line.path.to_owned(), permission.to_owned()))
                }
                _ => None,
            })
            .collect();
        assert_eq!(described, expected);
        let text = document.to_string();
        for reference in text.split("\"#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(!document["components"]["schemas"][name].is_null(), "{name} is not described");
        }
    }
}
