//! Algorithms of signatures and encryption, by their registered names (RFC 7518, RFC 8037).

use serde::{Deserialize, Serialize};

/// Declares an enum of registered names.
macro_rules! names {
    ($(#[doc = $about:literal])* $name:ident { $(#[doc = $meaning:literal] $variant:ident = $wire:literal;)* }) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name {
            $(#[doc = $meaning] #[serde(rename = $wire)] $variant,)*
        }

        impl $name {
            /// All of them, in the order discovery lists them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The registered name.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $wire,)* }
            }

            /// Reads the registered name.
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == name)
            }
        }
    };
}

names! {
    /// A signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1).
    Alg {
        /// RSASSA-PKCS1-v1_5 with SHA-256.
        Rs256 = "RS256";
        /// RSASSA-PKCS1-v1_5 with SHA-384.
        Rs384 = "RS384";
        /// RSASSA-PKCS1-v1_5 with SHA-512.
        Rs512 = "RS512";
        /// RSASSA-PSS with SHA-256.
        Ps256 = "PS256";
        /// RSASSA-PSS with SHA-384.
        Ps384 = "PS384";
        /// RSASSA-PSS with SHA-512.
        Ps512 = "PS512";
        /// ECDSA on P-256 with SHA-256.
        Es256 = "ES256";
        /// ECDSA on P-384 with SHA-384.
        Es384 = "ES384";
        /// ECDSA on P-521 with SHA-512.
        Es512 = "ES512";
        /// Ed25519 (or Ed448, which is not served).
        EdDsa = "EdDSA";
        /// The same by the name without choices (RFC 9864 §2.2): what clients may send.
        Ed25519 = "Ed25519";
        /// HMAC with SHA-256.
        Hs256 = "HS256";
        /// HMAC with SHA-384.
        Hs384 = "HS384";
        /// HMAC with SHA-512.
        Hs512 = "HS512";
        /// No signature.
        None = "none";
    }
}

impl Alg {
    /// Those with a key pair: what Signet can sign with.
    pub const SIGNING: [Self; 10] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::EdDsa,
    ];
    /// Those with a key pair that clients may sign with: each of the above, and one of them by its newer name too.
    pub const ACCEPTED: [Self; 11] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::EdDsa,
        Self::Ed25519,
    ];
    /// Those whose keys every installation has from its start; the others' are made when first asked for.
    pub const BUILT_IN: [Self; 2] = [Self::Rs256, Self::Es256];
    /// Those with a shared secret (OIDC Core §9 `client_secret_jwt`).
    pub const MAC: [Self; 3] = [Self::Hs256, Self::Hs384, Self::Hs512];

    /// Whether Signet can sign with it.
    pub fn is_signing(self) -> bool {
        Self::SIGNING.contains(&self)
    }

    /// Whether clients may sign with a key of their own by it.
    pub fn is_accepted(self) -> bool {
        Self::ACCEPTED.contains(&self)
    }

    /// Whether it has a shared secret.
    pub fn is_mac(self) -> bool {
        Self::MAC.contains(&self)
    }
}

names! {
    /// How the content key of a JWE is agreed on (RFC 7518 §4.1).
    JweAlg {
        /// RSAES-OAEP with SHA-256.
        RsaOaep256 = "RSA-OAEP-256";
        /// Elliptic-curve Diffie-Hellman, the result is the key.
        EcdhEs = "ECDH-ES";
        /// Elliptic-curve Diffie-Hellman, the result wraps the key.
        EcdhEsA256Kw = "ECDH-ES+A256KW";
    }
}

names! {
    /// How the content of a JWE is encrypted (RFC 7518 §5.1).
    JweEnc {
        /// AES-GCM, 128 bits.
        A128Gcm = "A128GCM";
        /// AES-GCM, 256 bits.
        A256Gcm = "A256GCM";
        /// AES-CBC, 128 bits, with HMAC-SHA-256: what OIDC Registration §2 takes where none is named.
        A128CbcHs256 = "A128CBC-HS256";
        /// AES-CBC, 256 bits, with HMAC-SHA-512.
        A256CbcHs512 = "A256CBC-HS512";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for alg in Alg::ALL {
            assert_eq!(Alg::parse(alg.as_str()), Some(*alg));
            assert_eq!(serde_json::to_value(alg).unwrap(), alg.as_str());
            assert_eq!(u8::from(alg.is_accepted()) + u8::from(alg.is_mac()), u8::from(*alg != Alg::None));
            assert_eq!(alg.is_signing(), alg.is_accepted() && *alg != Alg::Ed25519);
        }
        assert_eq!(Alg::parse("rs256"), None);
    }
}
