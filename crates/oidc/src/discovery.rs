//! The discovery document (OIDC Discovery §3, RFC 8414 §2), built from what the endpoints dispatch on.

use serde_json::{Map, Value, json};

use crate::{
    authorize::ResponseMode,
    claims,
    client::{ClientAuth, GRANT_TYPES, RESPONSE_TYPES, SubjectType},
    jose::{Alg, JweAlg, JweEnc},
    realm::Realm,
    scope,
};

/// OIDC Core §3.1.2.1: the pages are made for a window of any size and for fingers; none is made for a feature phone.
const DISPLAY: [&str; 3] = ["page", "popup", "touch"];

/// RFC 5646: the languages of the pages.
const LOCALES: [&str; 1] = ["en"];

/// The document. `acr_values` are those that the factors of this installation can reach.
pub fn document(realm: &Realm, acr_values: &[&str]) -> Value {
    let scopes: Vec<&str> = scope::STANDARD.iter().map(|(name, _)| *name).collect();
    // Initiating User Registration 1.0 §4.
    let create = realm.registration_open.then_some("create");
    let prompts: Vec<&str> = ["none", "login", "consent", "select_account"].into_iter().chain(create).collect();
    let (encryption_algs, encryption_encs) = (
        JweAlg::ALL.iter().map(|alg| alg.as_str()).collect::<Vec<_>>(),
        JweEnc::ALL.iter().map(|enc| enc.as_str()).collect::<Vec<_>>(),
    );
    let assertions: Vec<&str> = Alg::ACCEPTED.into_iter().chain(Alg::MAC).map(Alg::as_str).collect();
    let mut document = json!({
        "issuer": realm.issuer,
        "authorization_endpoint": realm.url("/oauth/authorize"),
        "token_endpoint": realm.url("/oauth/token"),
        "userinfo_endpoint": realm.url("/oauth/userinfo"),
        "introspection_endpoint": realm.url("/oauth/introspect"),
        "revocation_endpoint": realm.url("/oauth/revoke"),
        "jwks_uri": realm.url("/oauth/jwks"),
        "end_session_endpoint": realm.url("/oauth/logout"),
        "scopes_supported": scopes,
        "claims_supported": claims::SUPPORTED,
        "response_types_supported": RESPONSE_TYPES,
        "response_modes_supported": ResponseMode::ALL.map(ResponseMode::as_str),
        "grant_types_supported": GRANT_TYPES,
        "subject_types_supported": SubjectType::ALL.map(SubjectType::as_str),
        "id_token_signing_alg_values_supported": names(Alg::SIGNING.into_iter().chain([Alg::None])),
        "id_token_encryption_alg_values_supported": encryption_algs,
        "id_token_encryption_enc_values_supported": encryption_encs,
        "token_endpoint_auth_methods_supported": ClientAuth::METHODS,
        "introspection_endpoint_auth_methods_supported": ClientAuth::confidential_methods().collect::<Vec<_>>(),
        "revocation_endpoint_auth_methods_supported": ClientAuth::METHODS,
        "token_endpoint_auth_signing_alg_values_supported": assertions,
        "introspection_endpoint_auth_signing_alg_values_supported": assertions,
        "revocation_endpoint_auth_signing_alg_values_supported": assertions,
        "code_challenge_methods_supported": ["S256"],
        "acr_values_supported": acr_values,
        "prompt_values_supported": prompts,
        "display_values_supported": DISPLAY,
        "ui_locales_supported": LOCALES,
        "userinfo_signing_alg_values_supported": Alg::SIGNING.map(Alg::as_str),
        "userinfo_encryption_alg_values_supported": encryption_algs,
        "userinfo_encryption_enc_values_supported": encryption_encs,
        "claims_parameter_supported": true,
        "request_parameter_supported": true,
        "request_uri_parameter_supported": true,
        "require_request_uri_registration": true,
        "request_object_signing_alg_values_supported": names([Alg::None].into_iter().chain(Alg::ACCEPTED)),
        "authorization_response_iss_parameter_supported": true,
    });
    if let Value::Object(members) = &mut document {
        members.extend(sessions(realm));
        // Protocol D3: only where somebody may.
        if realm.clients_register {
            members.insert("registration_endpoint".to_owned(), json!(realm.url("/oauth/register")));
        }
    }
    document
}

/// OIDC Session Management §3.3, Back-Channel Logout §2.1, Front-Channel Logout §3.
fn sessions(realm: &Realm) -> Map<String, Value> {
    let supported = [
        "backchannel_logout_supported",
        "backchannel_logout_session_supported",
        "frontchannel_logout_supported",
        "frontchannel_logout_session_supported",
    ];
    let mut members: Map<String, Value> =
        supported.map(|name| (name.to_owned(), Value::Bool(true))).into_iter().collect();
    members.insert("check_session_iframe".to_owned(), realm.url("/oauth/check-session").into());
    members
}

fn names(algs: impl Iterator<Item = Alg>) -> Vec<&'static str> {
    algs.map(Alg::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::realm;

    fn texts(document: &Value, name: &str) -> Vec<String> {
        let listed = document[name].as_array().unwrap_or_else(|| panic!("{name} is a list"));
        listed.iter().map(|one| one.as_str().unwrap().to_owned()).collect()
    }

    /// D1, D2: the issuer to the letter, its endpoints below it, the algorithms by their registered names.
    #[test]
    fn the_document() {
        let closed = Realm { registration_open: false, clients_register: false, ..realm() };
        let (document, closed) = (document(&realm(), &["1", "2"]), document(&closed, &[]));
        assert_eq!(document["issuer"], "https://op.example");
        assert_eq!(document["token_endpoint"], "https://op.example/oauth/token");
        assert_eq!(texts(&document, "acr_values_supported"), ["1", "2"]);
        assert_eq!(texts(&closed, "acr_values_supported"), [""; 0]);
        for (document, create) in [(&document, true), (&closed, false)] {
            assert_eq!(texts(document, "prompt_values_supported").contains(&"create".to_owned()), create);
        }
        assert_eq!(document["registration_endpoint"], "https://op.example/oauth/register");
        assert_eq!(closed.get("registration_endpoint"), None);
        assert_eq!(document["check_session_iframe"], "https://op.example/oauth/check-session");
        for way in ["backchannel", "frontchannel"] {
            for name in [format!("{way}_logout_supported"), format!("{way}_logout_session_supported")] {
                assert_eq!(document[&name], true, "{name}");
            }
        }
        let signs = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];
        assert_eq!(texts(&document, "userinfo_signing_alg_values_supported"), signs);
        assert_eq!(texts(&document, "id_token_signing_alg_values_supported"), [&signs[..], &["none"]].concat());
        let requests = texts(&document, "request_object_signing_alg_values_supported");
        assert_eq!(requests.first().map(String::as_str), Some("none"));
        let assertions = texts(&document, "token_endpoint_auth_signing_alg_values_supported");
        for alg in signs {
            assert!(requests.iter().any(|one| one == alg) && assertions.iter().any(|one| one == alg), "{alg}");
        }
        assert!(assertions.iter().any(|one| one == "HS256") && !assertions.iter().any(|one| one == "none"));
    }
}
