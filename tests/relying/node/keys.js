// Private keys of the settings, as JWKs, for the library.

const sha256 = { hash: "SHA-256" };
const algorithms = {
  RS256: [{ name: "RSASSA-PKCS1-v1_5", ...sha256 }, "sign"],
  PS256: [{ name: "RSA-PSS", ...sha256 }, "sign"],
  ES256: [{ name: "ECDSA", namedCurve: "P-256" }, "sign"],
  EdDSA: [{ name: "Ed25519" }, "sign"],
  "RSA-OAEP-256": [{ name: "RSA-OAEP", ...sha256 }, "decrypt"],
  "ECDH-ES": [{ name: "ECDH", namedCurve: "P-256" }, "deriveBits"],
  "ECDH-ES+A256KW": [{ name: "ECDH", namedCurve: "P-256" }, "deriveBits"],
};

// A key to sign or decrypt with, and its identifier.
export async function privateKey({ alg, kid, use, key_ops, ...jwk }) {
  const [algorithm, usage] = algorithms[alg];
  return { key: await crypto.subtle.importKey("jwk", jwk, algorithm, false, [usage]), kid, alg };
}
