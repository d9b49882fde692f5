// What the scenarios share: the client of the settings, and a sign-in.
import * as client from "openid-client";
import { privateKey } from "./keys.js";

const authentication = {
  client_secret_basic: ({ client_secret }) => client.ClientSecretBasic(client_secret),
  client_secret_post: ({ client_secret }) => client.ClientSecretPost(client_secret),
  client_secret_jwt: ({ client_secret }) => client.ClientSecretJwt(client_secret),
  private_key_jwt: async ({ private_key }) => client.PrivateKeyJwt(await privateKey(private_key)),
  none: () => client.None(),
};

// The client, made from what discovery says; signatures of ID tokens are checked besides.
export async function discover(settings, execute = []) {
  const { issuer, client_id, auth_method, metadata } = settings;
  const options = { execute: [client.enableNonRepudiationChecks, ...execute] };
  const method = await authentication[auth_method](settings);
  return client.discovery(new URL(issuer), client_id, metadata ?? {}, method, options);
}

// An authorization request with PKCE, state and nonce, and what its answer must fit.
export async function request({ redirect_uri, scope, parameters: usual }, further = {}) {
  const checks = {
    pkceCodeVerifier: client.randomPKCECodeVerifier(),
    expectedState: client.randomState(),
    expectedNonce: client.randomNonce(),
    idTokenExpected: true,
  };
  const parameters = {
    redirect_uri,
    scope,
    code_challenge: await client.calculatePKCECodeChallenge(checks.pkceCodeVerifier),
    code_challenge_method: "S256",
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    ...usual,
    ...further,
  };
  return { parameters, checks };
}

// The tokens of a person who signs in.
export async function signIn(config, settings, open, further) {
  const { parameters, checks } = await request(settings, further);
  const answer = await open(client.buildAuthorizationUrl(config, parameters));
  return client.authorizationCodeGrant(config, answer, checks);
}

// What an application is told of a refusal.
export async function refusal(promise) {
  try {
    await promise;
  } catch ({ name, error, status, cause }) {
    // Where the answer has a challenge, the library reads it in place of the body.
    return { name, error: error ?? cause?.[0]?.parameters?.error, status };
  }
  throw new Error("accepted where a refusal was expected");
}
