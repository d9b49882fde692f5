//! The REST API, one file for each resource. Handlers are thin: they call `admin` and answer JSON.

pub mod audit;
pub mod clients;
pub mod consents;
pub mod deliveries;
pub mod docs;
mod input;
pub mod keys;
pub mod openapi;
pub mod problem;
pub mod registration_tokens;
pub mod resources;
pub mod roles;
pub mod users;

use actix_web::{
    FromRequest, HttpRequest, HttpResponse, dev,
    http::header,
    web::{Bytes, Data, Payload},
};
use futures_util::future::{Ready, ready};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    admin::{Condition, Desk, Page},
    app::App,
    guard::bearer::Caller,
};
use problem::Problem;

/// What a handler works with: the desk of administration in the caller's name, and the request. Like [`Caller`] it
/// exists only behind a permission.
pub struct Office {
    /// Where administration is done, by the caller, within what the caller may do.
    pub desk: Desk,
    /// Who calls.
    pub caller: Caller,
    http: HttpRequest,
}

impl FromRequest for Office {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(http: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let caller = Caller::from_request(http, payload).into_inner();
        let (Ok(caller), Some(app)) = (caller, http.app_data::<Data<App>>()) else {
            return ready(Err(Problem::internal()));
        };
        let desk = Desk::of(app, caller.origin(http), Some(caller.permissions()));
        ready(Ok(Self { desk, caller, http: http.clone() }))
    }
}

impl Office {
    /// The body as JSON.
    pub async fn body<T: DeserializeOwned>(&self, payload: Payload) -> Result<T, Problem> {
        input::parse(&input::read(&self.http, payload).await?)
    }

    /// The body as JSON; the default where there is none.
    pub async fn body_or_default<T: DeserializeOwned + Default>(&self, payload: Payload) -> Result<T, Problem> {
        let body = input::read_any(&self.http, payload).await?;
        if body.is_empty() { Ok(T::default()) } else { input::parse(&body) }
    }

    /// The query.
    pub fn query<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        input::query(self.http.query_string())
    }

    /// A part of the path.
    pub fn path<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let parts = actix_web::web::Path::<T>::extract(&self.http).into_inner();
        parts.map(actix_web::web::Path::into_inner).map_err(|_| Problem::no_route())
    }

    /// A change as JSON (RFC 7396). A `null` for what cannot be absent is refused by the member's name.
    pub async fn change<T: MergePatch>(&self, payload: Payload) -> Result<T, Problem> {
        let body = input::read(&self.http, payload).await?;
        let change: T = input::parse(&body)?;
        let members: serde_json::Map<String, serde_json::Value> = input::parse(&body)?;
        let emptied = |name: &&&'static str| members.get(**name).is_some_and(serde_json::Value::is_null);
        match T::KEPT.iter().find(emptied) {
            Some(name) => Err(Problem::kept(name)),
            None => Ok(change),
        }
    }

    /// RFC 9110 §13.1.1 `If-Match`: what the change is based on. Tags are compared strongly (§8.8.3.2): weak ones are
    /// never met.
    pub fn condition(&self) -> Condition {
        if !self.http.headers().contains_key(header::IF_MATCH) {
            return Condition::Any;
        }
        let sent = self.http.headers().get_all(header::IF_MATCH).filter_map(|value| value.to_str().ok());
        let tags: Vec<&str> = sent.flat_map(|value| value.split(',')).map(str::trim).collect();
        if tags.contains(&"*") {
            return Condition::Any;
        }
        let strong = tags.into_iter().filter(|tag| !tag.starts_with("W/"));
        Condition::OneOf(strong.map(|tag| tag.trim_matches('"').to_owned()).collect())
    }

    /// RFC 9110 §13.1.1: `If-Match` names nothing where nothing has an `ETag`, so it is never met.
    pub fn unconditional(&self) -> Result<(), Problem> {
        if self.http.headers().contains_key(header::IF_MATCH) {
            return Err(Problem::new(
                412,
                "no_revision",
                "There is no ETag here that If-Match could name. Leave it out.",
            ));
        }
        Ok(())
    }

    /// RFC 8288: a part of a list, with the way to the next part.
    pub fn page<T: Serialize>(&self, page: &Page<T>) -> HttpResponse {
        let mut answer = HttpResponse::Ok();
        if let Some(next) = &page.next {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            let sent = url::form_urlencoded::parse(self.http.query_string().as_bytes());
            query.extend_pairs(sent.filter(|(name, _)| name != "after"));
            query.append_pair("after", next);
            let link = format!("<{}?{}>; rel=\"next\"", self.desk.realm.url(self.http.path()), query.finish());
            if let Ok(value) = header::HeaderValue::from_str(&link) {
                answer.insert_header((header::LINK, value));
            }
        }
        answer.json(page)
    }

    /// RFC 9110 §15.3.2: something made, and where it is. `name` is its last part.
    pub fn created<T: Serialize>(&self, name: &str, made: &T) -> HttpResponse {
        let path = self.http.path().trim_end_matches('/');
        let location = format!("{}/{}", self.desk.realm.url(path), segment(name));
        HttpResponse::Created().insert_header((header::LOCATION, location)).json(made)
    }
}

/// The body of a PATCH.
pub trait MergePatch: DeserializeOwned {
    /// The members that cannot be absent from what is changed: `null` is no value for them.
    const KEPT: &'static [&'static str];
}

/// Something as it is now, with its revision as `ETag`.
pub fn tagged<T: Serialize>(revision: &str, value: &T) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::ETAG, format!("\"{revision}\""))).json(value)
}

/// Something as it is now.
pub fn shown<T: Serialize>(value: &T) -> HttpResponse {
    HttpResponse::Ok().json(value)
}

/// A list that is never long: one page.
pub fn all<T: Serialize>(items: Vec<T>) -> HttpResponse {
    HttpResponse::Ok().json(Page { items, next: None })
}

/// One segment of a path, escaped (RFC 3986 §3.3).
fn segment(name: &str) -> String {
    use std::fmt::Write as _;
    let mut escaped = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

/// `GET /api/openapi.json`
pub async fn document() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "public, max-age=300"))
        .content_type("application/json")
        .body(Bytes::from_static(openapi::rendered()))
}
