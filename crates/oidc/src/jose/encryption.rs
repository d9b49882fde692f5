//! Encryption to a client (RFC 7516), of what it alone may read.

use std::fmt;

use josekit::{
    jwe::{self, ECDH_ES, ECDH_ES_A256KW, JweEncrypter, JweHeader, RSA_OAEP_256},
    jwk::Jwk,
};
use serde_json::{Map, Value};

use super::{JweAlg, JweEnc, KeyringError, jwks::ClientKeys};

/// How answers of a kind are encrypted, as a client registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encryption {
    /// How the content key is agreed on.
    pub alg: JweAlg,
    /// How the content is encrypted.
    pub enc: JweEnc,
}

impl Encryption {
    /// OIDC Registration §2: none where no `alg` is registered; A128CBC-HS256 where that is all.
    pub fn of(alg: Option<JweAlg>, enc: Option<JweEnc>) -> Option<Self> {
        alg.map(|alg| Self { alg, enc: enc.unwrap_or(JweEnc::A128CbcHs256) })
    }
}

/// A client that can read what is encrypted so. It is made before anything is spent: without a key nothing is issued.
#[derive(Clone)]
pub struct Recipient {
    encryption: Encryption,
    encrypter: Box<dyn JweEncrypter>,
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recipient").field("encryption", &self.encryption).finish_non_exhaustive()
    }
}

impl Recipient {
    /// By the client's key for that; none where no key of the set fits.
    pub fn new(keys: &ClientKeys, encryption: Encryption) -> Option<Self> {
        let encrypter = encrypter(encryption.alg, keys.encrypting(encryption.alg)?).ok()?;
        Some(Self { encryption, encrypter })
    }

    /// Whether this is how it is to be encrypted.
    pub fn reads(&self, encryption: Encryption) -> bool {
        self.encryption == encryption
    }

    /// RFC 7519 §5.2: a signed JWT, encrypted; `cty` says so.
    pub fn nest(&self, jwt: &str) -> Result<String, KeyringError> {
        let mut header = JweHeader::new();
        header.set_content_type("JWT");
        self.encrypt(header, jwt.as_bytes())
    }

    /// OIDC Core §5.3.2: claims that are encrypted and not signed.
    pub fn encrypt_claims(&self, claims: &Map<String, Value>) -> Result<String, KeyringError> {
        let mut header = JweHeader::new();
        header.set_token_type("JWT");
        self.encrypt(header, &serde_json::to_vec(claims)?)
    }

    /// The key's `kid` stands in the header where it has one (RFC 7516 §4.1.6). No compression: RFC 8725 §3.6.
    fn encrypt(&self, mut header: JweHeader, content: &[u8]) -> Result<String, KeyringError> {
        header.set_content_encryption(self.encryption.enc.as_str());
        Ok(jwe::serialize_compact(content, &header, self.encrypter.as_ref())?)
    }
}

/// What encrypts to a key. A key that is not for that algorithm is refused.
fn encrypter(alg: JweAlg, key: &Jwk) -> Result<Box<dyn JweEncrypter>, KeyringError> {
    Ok(match alg {
        JweAlg::RsaOaep256 => Box::new(RSA_OAEP_256.encrypter_from_jwk(key)?),
        JweAlg::EcdhEs => Box::new(ECDH_ES.encrypter_from_jwk(key)?),
        JweAlg::EcdhEsA256Kw => Box::new(ECDH_ES_A256KW.encrypter_from_jwk(key)?),
    })
}

/// RFC 7748 §6.1: whether a secret can be agreed on with an X25519 key: a point of low order makes it known to all.
pub(super) fn agrees(key: &Jwk) -> bool {
    let encryption = Encryption { alg: JweAlg::EcdhEs, enc: JweEnc::A128Gcm };
    encrypter(encryption.alg, key)
        .and_then(|encrypter| Recipient { encryption, encrypter }.encrypt(JweHeader::new(), b""))
        .is_ok()
}

#[cfg(test)]
mod tests {
    use josekit::{
        jwe::JweDecrypter,
        jwk::alg::{ec::EcCurve, ecx::EcxCurve},
    };
    use serde_json::json;

    use super::*;

    fn decrypter(alg: JweAlg, key: &Jwk) -> Box<dyn JweDecrypter> {
        match alg {
            JweAlg::RsaOaep256 => Box::new(RSA_OAEP_256.decrypter_from_jwk(key).unwrap()),
            JweAlg::EcdhEs => Box::new(ECDH_ES.decrypter_from_jwk(key).unwrap()),
            JweAlg::EcdhEsA256Kw => Box::new(ECDH_ES_A256KW.decrypter_from_jwk(key).unwrap()),
        }
    }

    fn set(keys: &[(&Jwk, Value)]) -> ClientKeys {
        let keys = keys.iter().map(|(key, members)| {
            let mut public: Map<String, Value> = key.to_public_key().unwrap().into();
            public.extend(members.as_object().unwrap().clone());
            Value::Object(public)
        });
        ClientKeys::from_value(&json!({ "keys": keys.collect::<Vec<_>>() })).unwrap()
    }

    /// T8, U1: every pair of algorithms by every kind of key; the holder of the private key reads it, nobody else does.
    #[test]
    fn the_client_alone_reads_it() {
        let rsa = || Jwk::generate_rsa_key(2_048).unwrap();
        let curve = |curve| Jwk::generate_ec_key(curve).unwrap();
        let montgomery = || Jwk::generate_ecx_key(EcxCurve::X25519).unwrap();
        let (es, wrapped) = (JweAlg::EcdhEs, JweAlg::EcdhEsA256Kw);
        for (key, other, algs) in [
            (rsa(), rsa(), &[JweAlg::RsaOaep256][..]),
            (curve(EcCurve::P256), curve(EcCurve::P256), &[es, wrapped]),
            (curve(EcCurve::P384), curve(EcCurve::P384), &[es, wrapped]),
            (curve(EcCurve::P521), curve(EcCurve::P521), &[es, wrapped]),
            (montgomery(), montgomery(), &[es, wrapped]),
        ] {
            let keys = set(&[(&key, json!({"kid": "of the client"}))]);
            for (&alg, &enc) in algs.iter().flat_map(|alg| JweEnc::ALL.iter().map(move |enc| (alg, enc))) {
                let encryption = Encryption { alg, enc };
                let recipient = Recipient::new(&keys, encryption).unwrap();
                assert!(recipient.reads(encryption));
                let another = JweEnc::ALL.iter().find(|other| **other != enc).unwrap();
                assert!(!recipient.reads(Encryption { alg, enc: *another }));
                let text = recipient.nest("a.b.c").unwrap();
                let (content, header) = jwe::deserialize_compact(&text, decrypter(alg, &key).as_ref()).unwrap();
                assert_eq!((content.as_slice(), header.content_type()), (b"a.b.c".as_slice(), Some("JWT")));
                assert_eq!((header.algorithm(), header.content_encryption()), (Some(alg.as_str()), Some(enc.as_str())));
                assert_eq!((header.key_id(), header.compression()), (Some("of the client"), None));
                assert!(jwe::deserialize_compact(&text, decrypter(alg, &other).as_ref()).is_err(), "{encryption:?}");
                assert_ne!(recipient.nest("a.b.c").unwrap(), text, "each time anew");
            }
            for alg in JweAlg::ALL.iter().filter(|alg| !algs.contains(alg)) {
                assert!(Recipient::new(&keys, Encryption { alg: *alg, enc: JweEnc::A128Gcm }).is_none(), "{alg:?}");
            }
        }
    }

    /// U1: claims without a signature are no nested JWT.
    #[test]
    fn claims_without_a_signature() {
        let key = Jwk::generate_ec_key(EcCurve::P256).unwrap();
        let encryption = Encryption::of(Some(JweAlg::EcdhEs), None).unwrap();
        assert_eq!(encryption.enc, JweEnc::A128CbcHs256);
        assert_eq!(Encryption::of(None, Some(JweEnc::A128Gcm)), None);
        let recipient = Recipient::new(&set(&[(&key, json!({}))]), encryption).unwrap();
        let claims = json!({"sub": "s"}).as_object().unwrap().clone();
        let text = recipient.encrypt_claims(&claims).unwrap();
        let (content, header) = jwe::deserialize_compact(&text, decrypter(JweAlg::EcdhEs, &key).as_ref()).unwrap();
        assert_eq!((content.as_slice(), header.content_type()), (br#"{"sub":"s"}"#.as_slice(), None));
        assert_eq!(header.key_id(), None);
        let shown = format!("{recipient:?}");
        assert!(shown.starts_with("Recipient { encryption: ") && shown.ends_with(", .. }"), "{shown}");
    }

    /// OIDC Core §10.2, RFC 7517 §4.2: the key that says it is for encryption goes before one that says nothing.
    #[test]
    fn a_key_for_encryption_goes_first() {
        let (any, own) = (Jwk::generate_ec_key(EcCurve::P256).unwrap(), Jwk::generate_ec_key(EcCurve::P256).unwrap());
        let keys = set(&[(&any, json!({"kid": "any"})), (&own, json!({"kid": "own", "use": "enc"}))]);
        assert_eq!(keys.encrypting(JweAlg::EcdhEs).unwrap().key_id(), Some("own"));
        let keys = set(&[(&own, json!({"kid": "own", "use": "sig"})), (&any, json!({"kid": "any"}))]);
        assert_eq!(keys.encrypting(JweAlg::EcdhEs).unwrap().key_id(), Some("any"));
    }

    /// RFC 7748 §6.1: X25519 keys with which every secret is known are no keys.
    #[test]
    fn points_of_low_order_are_no_keys() {
        use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
        let mut one = [0; 32];
        one[0] = 1;
        let mut negative = [0xff; 32];
        (negative[0], negative[31]) = (0xec, 0x7f);
        for point in [[0; 32], one, negative] {
            let key = json!({"kty": "OKP", "crv": "X25519", "x": URL_SAFE_NO_PAD.encode(point)});
            assert!(ClientKeys::from_value(&json!({ "keys": [key] })).is_err(), "{point:?}");
        }
    }
}
