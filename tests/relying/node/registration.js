// An application that registers itself, signs a person in, changes its registration and removes it.
import * as client from "openid-client";
import { refusal, signIn } from "./party.js";

export default async function registration(settings, open) {
  const { issuer, initial_access_token: initialAccessToken, registered: metadata, auth_method } = settings;
  const register = (options) =>
    client.dynamicClientRegistration(new URL(issuer), metadata, authentication(auth_method), {
      execute: [client.enableNonRepudiationChecks],
      ...options,
    });
  const unknown = await refusal(register({ initialAccessToken: "not the token" }));
  const config = await register({ initialAccessToken });
  const used = await refusal(register({ initialAccessToken }));
  const answer = { ...config.clientMetadata() };

  const tokens = await signIn(config, settings, open);
  const claims = tokens.claims();
  const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub);

  const { registration_client_uri, registration_access_token } = answer;
  const manage = (method, body) =>
    client.fetchProtectedResource(
      config,
      registration_access_token,
      new URL(registration_client_uri),
      method,
      body && JSON.stringify(body),
      new Headers(body && { "content-type": "application/json" }),
    );
  const read = await (await manage("GET")).json();
  const change = { client_id: answer.client_id, ...metadata, client_name: "Another name" };
  const changed = await (await manage("PUT", change)).json();
  const removed = (await manage("DELETE")).status;
  const gone = await refusal(manage("GET"));
  const dead = await refusal(client.fetchUserInfo(config, tokens.access_token, claims.sub));
  return { unknown, used, answer, claims, userinfo, read, changed, removed, gone, dead };
}

// Made by the library from the secret that the answer brings, but for those that name another method.
function authentication(method) {
  const methods = {
    client_secret_basic: client.ClientSecretBasic(),
    client_secret_jwt: client.ClientSecretJwt(),
    none: client.None(),
  };
  return methods[method];
}
