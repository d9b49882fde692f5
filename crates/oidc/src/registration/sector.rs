//! The document of a sector (OIDC Core §8.1, OIDC Registration §5): the redirect URIs that belong together.

use std::collections::BTreeSet;

use super::{Wrong, wrong};

const MEMBER: &str = "sector_identifier_uri";

/// What was found at the address of a sector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sector {
    /// The address.
    pub uri: String,
    listed: BTreeSet<String>,
}

impl Sector {
    /// Reads the document: a JSON array of strings.
    pub fn read(uri: &str, body: &[u8]) -> Result<Self, Wrong> {
        match serde_json::from_slice(body) {
            Ok(listed) => Ok(Self { uri: uri.to_owned(), listed }),
            Err(_) => wrong(MEMBER, "What is there is not a JSON array of strings."),
        }
    }

    /// OIDC Registration §5: every redirect URI of the client is listed, byte by byte.
    pub fn check(&self, redirect_uris: &[String]) -> Result<(), Wrong> {
        match redirect_uris.iter().find(|uri| !self.listed.contains(*uri)) {
            None => Ok(()),
            Some(missing) => wrong(MEMBER, format!("What is there does not list the redirect URI {missing}.")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R3: the sector's document is an array of strings that holds each redirect URI as it is registered.
    #[test]
    fn what_a_sector_lists() {
        let uri = "https://sector.example/uris";
        let sector = Sector::read(uri, br#"["https://a.example/cb", "https://b.example/cb", "x"]"#).unwrap();
        let check = |uris: &[&str]| sector.check(&uris.iter().map(|&uri| uri.to_owned()).collect::<Vec<_>>()).is_ok();
        assert!(check(&["https://b.example/cb", "https://a.example/cb"]) && check(&[]));
        for missing in ["https://c.example/cb", "https://a.example/cb/", "https://A.example/cb", ""] {
            assert!(!check(&["https://a.example/cb", missing]), "{missing}");
        }
        for bad in ["", "{}", "\"https://a.example/cb\"", "[1]", "[null]", "[[\"a\"]]", "<html>", "[\"a\"] []"] {
            assert_eq!(Sector::read(uri, bad.as_bytes()).unwrap_err().member, MEMBER, "{bad}");
        }
    }
}
