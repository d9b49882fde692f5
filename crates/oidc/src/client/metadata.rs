//! What a registration says beside the members that have a column of their own (OIDC Registration §2, RFC 7591 §2).

use std::collections::BTreeMap;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, Visitor},
    forward_to_deserialize_any,
};
use serde_json::Value;

use crate::jose::{Alg, Encryption, JweAlg, JweEnc};

/// OIDC Core §8: what a subject identifier is the same for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubjectType {
    /// Every client sees the same one.
    #[default]
    Public,
    /// Every sector sees its own.
    Pairwise,
}

impl SubjectType {
    /// Both, in the order discovery lists them.
    pub const ALL: [Self; 2] = [Self::Public, Self::Pairwise];

    /// The registered name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Pairwise => "pairwise",
        }
    }
}

/// Where the value of a custom claim comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimSource {
    /// The account's groups, a list of names.
    Groups,
    /// The names of the account's roles.
    Roles,
    /// A member of the account's metadata, by its dotted path.
    Metadata(String),
}

/// A custom claim of a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimMapping {
    /// Where its value comes from.
    pub from: ClaimSource,
    /// The scope that releases it; with `openid` where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

/// Members of a registration that decisions read and no SQL statement does. Stored as one JSON object; a member that is
/// absent has its default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "these are the members that specifications name")]
pub struct ClientMetadata {
    /// RFC 7517 §5: its public keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Value>,
    /// Where its public keys are found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// The algorithm of its assertions; any fitting its method when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_signing_alg: Option<Alg>,
    /// The algorithm of its ID tokens; RS256 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token_signed_response_alg: Option<Alg>,
    /// How the key of its encrypted ID tokens is agreed on; unencrypted when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token_encrypted_response_alg: Option<JweAlg>,
    /// How its ID tokens are encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token_encrypted_response_enc: Option<JweEnc>,
    /// The algorithm of its userinfo answers; plain JSON when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub userinfo_signed_response_alg: Option<Alg>,
    /// How the key of its encrypted userinfo answers is agreed on; unencrypted when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub userinfo_encrypted_response_alg: Option<JweAlg>,
    /// How its userinfo answers are encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub userinfo_encrypted_response_enc: Option<JweEnc>,
    /// The algorithm of its request objects; any, or none at all, when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_object_signing_alg: Option<Alg>,
    /// RFC 9101 §10.5: only signed request objects are accepted.
    #[serde(skip_serializing_if = "is_false")]
    pub require_signed_request_object: bool,
    /// OIDC Core §6.2: from where request objects may be fetched, fragment included.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub request_uris: Vec<String>,
    /// OIDC Core §8.
    pub subject_type: SubjectType,
    /// OIDC Core §8.1: names the sector and lists its redirect URIs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sector_identifier_uri: Option<String>,
    /// The greatest age of a sign-in where a request names none, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_max_age: Option<u32>,
    /// Whether its ID tokens must say when the person signed in. They always do.
    #[serde(skip_serializing_if = "is_false")]
    pub require_auth_time: bool,
    /// The contexts asked for where a request names none, the most wanted first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub default_acr_values: Vec<String>,
    /// OIDC Core §4: where a third party begins a sign-in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initiate_login_uri: Option<String>,
    /// Its home page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<String>,
    /// Its picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo_uri: Option<String>,
    /// What it does with what it learns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_uri: Option<String>,
    /// Its terms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tos_uri: Option<String>,
    /// Addresses of the people behind it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<String>,
    /// Back-Channel Logout §2.2: where it is told that a person signed out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backchannel_logout_uri: Option<String>,
    /// Whether what it is told must name the session.
    #[serde(skip_serializing_if = "is_false")]
    pub backchannel_logout_session_required: bool,
    /// Front-Channel Logout §2: what is shown in a frame when a person signs out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frontchannel_logout_uri: Option<String>,
    /// Whether the address of the frame must name the session.
    #[serde(skip_serializing_if = "is_false")]
    pub frontchannel_logout_session_required: bool,
    /// RFC 7591 §2: the same for every copy of a piece of software.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software_id: Option<String>,
    /// RFC 7591 §2: which version of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software_version: Option<String>,
    /// Members in further languages, by name and language tag (`client_name#de`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub localized: BTreeMap<String, String>,
    /// the roles whose holders may use it; everyone when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub access_roles: Vec<String>,
    /// the APIs that it may ask for by `resource`, beside its default audience.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// custom claims, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<String, ClaimMapping>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Hears which members a type reads, and gives it none.
struct Names(&'static [&'static str]);

impl<'de> Deserializer<'de> for &mut Names {
    type Error = de::value::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Self::Error> {
        self.0 = fields;
        Err(de::Error::custom("there is nothing to read"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(de::Error::custom("this has no members"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct
        seq tuple tuple_struct map enum identifier ignored_any
    }
}

impl ClientMetadata {
    /// The names of its members, as they are stored: what reading asks for, so that no list stands beside the type.
    pub fn members() -> &'static [&'static str] {
        let mut names = Names(&[]);
        // The names are all that is wanted.
        let _ = Self::deserialize(&mut names);
        names.0
    }

    /// What its ID tokens are signed with (OIDC Registration §2: RS256 by default).
    pub fn id_token_alg(&self) -> Alg {
        self.id_token_signed_response_alg.unwrap_or(Alg::Rs256)
    }

    /// How its ID tokens are encrypted, if they are.
    pub fn id_token_encryption(&self) -> Option<Encryption> {
        Encryption::of(self.id_token_encrypted_response_alg, self.id_token_encrypted_response_enc)
    }

    /// How its userinfo answers are encrypted, if they are.
    pub fn userinfo_encryption(&self) -> Option<Encryption> {
        Encryption::of(self.userinfo_encrypted_response_alg, self.userinfo_encrypted_response_enc)
    }

    /// The algorithms that Signet must have keys for, to answer this client.
    pub fn signing_algs(&self) -> impl Iterator<Item = Alg> {
        [self.id_token_signed_response_alg, self.userinfo_signed_response_alg]
            .into_iter()
            .flatten()
            .filter(|alg| alg.is_signing())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// the names are those that reading knows and writing uses.
    #[test]
    fn members_are_what_is_read() {
        let names = ClientMetadata::members();
        let read =
            |name: &str| serde_json::from_value::<ClientMetadata>(json!({ name: 1.5 })).map_err(|e| e.to_string());
        for name in names {
            // What takes any value takes this one.
            let error = read(name).err().unwrap_or_default();
            assert!(!error.starts_with("unknown field"), "{name}: {error}");
        }
        let unknown = read("nobody").unwrap_err();
        assert_eq!(unknown.matches('`').count() / 2, names.len() + 1, "{unknown}");
        for name in ["jwks", "subject_type", "request_uris", "claims", "access_roles"] {
            assert!(names.contains(&name), "{name}");
        }
    }

    /// What has its default is not stored, and what is stored is read again.
    #[test]
    fn defaults_are_not_stored() {
        let plain = serde_json::to_value(ClientMetadata::default()).unwrap();
        assert_eq!(plain, json!({"subject_type": "public"}));
        let marked = json!({
            "require_signed_request_object": true, "require_auth_time": true, "subject_type": "pairwise",
            "id_token_signed_response_alg": "ES384", "userinfo_signed_response_alg": "PS256",
        });
        let read: ClientMetadata = serde_json::from_value(marked.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), marked);
        assert_eq!(read.signing_algs().collect::<Vec<_>>(), [Alg::Es384, Alg::Ps256]);
        assert_eq!(SubjectType::ALL.map(SubjectType::as_str), ["public", "pairwise"]);
        let unsigned = ClientMetadata { id_token_signed_response_alg: Some(Alg::None), ..ClientMetadata::default() };
        assert_eq!(unsigned.signing_algs().count(), 0);
    }
}
