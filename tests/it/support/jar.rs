//! Cookies of one browser towards one host.

use reqwest::header::{HeaderMap, SET_COOKIE};

/// One stored cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// Name, prefix included.
    pub name: String,
    /// Value as sent.
    pub value: String,
    /// Path it is sent to, with everything below.
    pub path: String,
    /// The whole header value it came with.
    pub header: String,
}

/// The cookies a browser keeps.
#[derive(Clone, Debug, Default)]
pub struct Jar {
    cookies: Vec<Cookie>,
}

impl Jar {
    /// Takes over what an answer sets and removes.
    pub fn remember(&mut self, headers: &HeaderMap) {
        for header in headers.get_all(SET_COOKIE) {
            self.store(header.to_str().expect("an ASCII cookie"));
        }
    }

    /// Stores one `Set-Cookie` value, or removes the cookie when it has expired with it.
    pub fn store(&mut self, header: &str) {
        let mut parts = header.split(';').map(str::trim);
        let pair = parts.next().unwrap_or_default();
        let (name, value) = pair.split_once('=').expect("a cookie's name and value");
        let (mut path, mut gone) = ("/".to_owned(), false);
        for part in parts {
            let (key, setting) = part.split_once('=').unwrap_or((part, ""));
            match key.to_ascii_lowercase().as_str() {
                "path" => setting.clone_into(&mut path),
                "max-age" => gone = setting.parse::<i64>().is_ok_and(|age| age <= 0),
                _ => {}
            }
        }
        self.cookies.retain(|cookie| cookie.name != name || cookie.path != path);
        if !gone {
            self.cookies.push(Cookie {
                name: name.to_owned(),
                value: value.to_owned(),
                path,
                header: header.to_owned(),
            });
        }
    }

    /// Every cookie.
    pub fn all(&self) -> &[Cookie] {
        &self.cookies
    }

    /// The first cookie of this name.
    pub fn get(&self, name: &str) -> Option<&Cookie> {
        self.cookies.iter().find(|cookie| cookie.name == name)
    }

    /// Forgets the cookies of this name.
    pub fn remove(&mut self, name: &str) {
        self.cookies.retain(|cookie| cookie.name != name);
    }

    /// The `Cookie` header for a path, when there is something to send.
    pub fn header(&self, path: &str) -> Option<String> {
        let pairs: Vec<_> = self
            .cookies
            .iter()
            .filter(|cookie| path_matches(path, &cookie.path))
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

/// RFC 6265 §5.1.4: equal, or below at a slash.
fn path_matches(request: &str, cookie: &str) -> bool {
    match request.strip_prefix(cookie) {
        None => false,
        Some(rest) => rest.is_empty() || cookie.ends_with('/') || rest.starts_with('/'),
    }
}
