//! What a line of the route page is made of. A handler is registered by [`install`], from a [`Service`], and in no other
//! way: a handler becomes an [`Endpoint`] only by saying what it requires.

use std::rc::Rc;

use actix_web::{FromRequest, Handler, Responder, Route, guard, http::Method, middleware::from_fn, web};
use serde::Serialize;
use signet_rbac::Permission;

use super::gate;
use crate::call;

/// Who may call. What cannot be decided is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Requirement {
    /// Everybody; a form of ours carries its own protection.
    Public,
    /// Somebody who is signed in here. The handler reads the session in the transaction it acts in, and leads to sign-in
    /// where there is none.
    Session,
    /// RFC 6750: an access token for an audience, with a scope.
    Token {
        /// For whom the token must be.
        audience: Audience,
        /// What the token must allow.
        scope: &'static str,
    },
    /// An access token for the API alone, allowed by its scopes and by the roles of whoever it stands for.
    Permission {
        /// `resource:action`.
        permission: &'static str,
    },
}

/// Whom a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// The issuer: userinfo.
    Issuer,
}

/// How a refusal of the guard looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Face {
    /// A page for a person.
    Page,
    /// RFC 6749 §5.2.
    OAuth,
    /// RFC 9457.
    Problem,
}

/// Which content security policy an answer carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Csp {
    /// No script, no frame, nothing from elsewhere, forms to us only.
    Strict,
    /// Protocol O2: without `form-action`, which browsers apply to the redirect that follows a post and leads to the
    /// application.
    Interaction,
    /// The same, and where the page shows an application's picture, pictures of that one origin.
    Application,
    /// As strict, with a script file of ours.
    Script,
    /// The sign-out page: as [`Csp::Interaction`], and with the frames of the applications that are told, in their origins
    /// alone, with one script by nonce.
    Logout,
    /// What applications show in a frame of theirs: nothing but a script file of ours.
    Framed,
    /// Swagger UI: its scripts from here, requests to us.
    Docs,
}

/// The headers of a service: the declared exceptions of protocol O2 are the values that are not those of
/// [`Headers::STRICT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Headers {
    /// Content security policy.
    pub csp: Csp,
    /// Scripts of applications may call it.
    pub cors: bool,
    /// An application that opened the page as a popup keeps hold of it: no `Cross-Origin-Opener-Policy`.
    pub popup: bool,
    /// May answer with a form that posts itself to an application: then its policy allows one script by nonce, and the form.
    pub posts: bool,
}

impl Headers {
    /// No exception.
    pub const STRICT: Self = Self { csp: Csp::Strict, cors: false, popup: false, posts: false };
    /// Pages whose post may end at an application.
    pub const INTERACTION: Self = Self { csp: Csp::Interaction, cors: false, popup: true, posts: true };
    /// The sign-out page.
    pub const LOGOUT: Self = Self { csp: Csp::Logout, cors: false, popup: true, posts: false };
    /// The frame of session management.
    pub const FRAMED: Self = Self { csp: Csp::Framed, cors: false, popup: true, posts: false };
    /// Pages on the way into an application, which show what it says of itself.
    pub const APPLICATION: Self = Self { csp: Csp::Application, ..Self::INTERACTION };
    /// The authorization endpoint, which shows errors and otherwise redirects.
    pub const POPUP: Self = Self { csp: Csp::Strict, cors: false, popup: true, posts: true };
    /// Protocol endpoints that scripts of applications call.
    pub const CORS: Self = Self { csp: Csp::Strict, cors: true, popup: false, posts: false };
    /// The page of sign-in links, whose script moves the code out of the address.
    pub const SCRIPT: Self = Self { csp: Csp::Script, cors: false, popup: false, posts: false };
    /// Swagger UI.
    pub const DOCS: Self = Self { csp: Csp::Docs, cors: false, popup: false, posts: false };
}

/// A line as data: `signet routes` prints it, tests walk it.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// The path's pattern.
    pub path: &'static str,
    /// The method; HEAD is served wherever GET is and changes nothing.
    pub method: &'static str,
    /// Who may call.
    pub requirement: Requirement,
    /// The codes of the audit events it may write; empty where it changes nothing.
    pub writes: &'static [&'static str],
    /// The greatest body, in bytes.
    pub body_limit: usize,
    /// What refusals look like.
    pub face: Face,
    /// Headers of every answer.
    pub headers: Headers,
    /// Served in development only.
    pub development: bool,
    /// The permission, read once. `None` on a line that needs one means that nobody may.
    #[serde(skip)]
    pub(crate) permission: Option<Permission>,
}

/// A handler that has not said yet what it requires.
#[must_use]
pub struct Draft {
    method: Method,
    name: &'static str,
    route: Route,
}

#[expect(clippy::disallowed_methods, reason = "a route that is registered from the table alone")]
fn draft<F, Args>(method: Method, name: &'static str, handler: F) -> Draft
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    // RFC 9110 §9.1: HEAD is served as GET is; the body is left out behind us.
    let route = match method {
        Method::GET => web::route().guard(guard::Any(guard::Get()).or(guard::Head())),
        _ => web::method(method.clone()),
    };
    Draft { route: route.to(handler), method, name }
}

macro_rules! methods {
    ($($function:ident $method:ident $name:literal)*) => {$(
        #[doc = concat!("A handler of `", $name, "`.")]
        pub fn $function<F, Args>(handler: F) -> Draft
        where
            F: Handler<Args>,
            Args: FromRequest + 'static,
            F::Output: Responder + 'static,
        {
            draft(Method::$method, $name, handler)
        }
    )*};
}

methods! { get GET "GET" post POST "POST" put PUT "PUT" patch PATCH "PATCH" delete DELETE "DELETE" }

impl Draft {
    /// Everybody.
    pub fn public(self) -> Endpoint {
        self.requires(Requirement::Public)
    }

    /// Somebody who is signed in here.
    pub fn session(self) -> Endpoint {
        self.requires(Requirement::Session)
    }

    /// An access token for `audience` with `scope`.
    pub fn token(self, audience: Audience, scope: &'static str) -> Endpoint {
        self.requires(Requirement::Token { audience, scope })
    }

    /// An access token for the API that allows `permission`.
    pub fn needs(self, permission: &'static str) -> Endpoint {
        self.requires(Requirement::Permission { permission })
    }

    fn requires(self, requirement: Requirement) -> Endpoint {
        Endpoint { draft: self, requirement, writes: &[], body_limit: call::BODY_LIMIT }
    }
}

/// A handler and what it requires.
#[must_use]
pub struct Endpoint {
    draft: Draft,
    requirement: Requirement,
    writes: &'static [&'static str],
    body_limit: usize,
}

impl Endpoint {
    /// It changes state, and writes one of these audit events when it does.
    pub fn writes(mut self, events: &'static [&'static str]) -> Self {
        self.writes = events;
        self
    }

    /// The greatest body it reads, in bytes.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }
}

/// A path with its methods.
#[must_use]
pub struct Service {
    path: &'static str,
    face: Face,
    headers: Headers,
    development: bool,
    endpoints: Vec<Endpoint>,
}

/// A page for people.
pub fn page<const N: usize>(path: &'static str, headers: Headers, endpoints: [Endpoint; N]) -> Service {
    Service { path, face: Face::Page, headers, development: false, endpoints: endpoints.into() }
}

/// An endpoint of the protocol.
pub fn endpoint<const N: usize>(path: &'static str, headers: Headers, endpoints: [Endpoint; N]) -> Service {
    Service { face: Face::OAuth, ..page(path, headers, endpoints) }
}

/// A resource of the API.
pub fn api<const N: usize>(path: &'static str, endpoints: [Endpoint; N]) -> Service {
    Service { face: Face::Problem, ..page(path, Headers::STRICT, endpoints) }
}

impl Service {
    /// Served in development only.
    pub fn in_development(self) -> Self {
        Self { development: true, ..self }
    }

    /// The lines, one for each method.
    pub fn lines(&self) -> impl Iterator<Item = Line> {
        self.endpoints.iter().map(|endpoint| Line {
            path: self.path,
            method: endpoint.draft.name,
            requirement: endpoint.requirement,
            writes: endpoint.writes,
            body_limit: endpoint.body_limit,
            face: self.face,
            headers: self.headers,
            development: self.development,
            permission: match endpoint.requirement {
                Requirement::Permission { permission } => permission.parse().ok(),
                _ => None,
            },
        })
    }
}

/// What the guard of a path knows.
pub(super) struct Post {
    pub(super) lines: Vec<Rc<Line>>,
    pub(super) methods: Vec<Method>,
    pub(super) face: Face,
    pub(super) headers: Headers,
}

/// Registers the services, each behind the guard. The only place where a handler meets a path.
#[expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "the one place where handlers are registered")]
pub fn install(config: &mut web::ServiceConfig, services: Vec<Service>, development: bool) {
    for service in services.into_iter().filter(|service| development || !service.development) {
        let post = Rc::new(Post {
            lines: service.lines().map(Rc::new).collect(),
            methods: service.endpoints.iter().map(|endpoint| endpoint.draft.method.clone()).collect(),
            face: service.face,
            headers: service.headers,
        });
        let mut resource = web::resource(service.path);
        for endpoint in service.endpoints {
            resource = resource.route(endpoint.draft.route);
        }
        config.service(resource.wrap(from_fn(move |request, next| gate::pass(Rc::clone(&post), request, next))));
    }
}
