// Code with PKCE, with whatever parameters the settings add; then userinfo, and two refreshes.
import * as client from "openid-client";
import { discover, signIn } from "./party.js";

export default async function code(settings, open) {
  const config = await discover(settings);
  const tokens = await signIn(config, settings, open);
  const claims = tokens.claims();
  const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub);

  const refreshed = [];
  let { refresh_token } = tokens;
  for (const parameters of [{}, { scope: "openid email" }]) {
    const renewed = await client.refreshTokenGrant(config, refresh_token, parameters);
    refresh_token = renewed.refresh_token;
    const known = await client.fetchUserInfo(config, renewed.access_token, claims.sub);
    refreshed.push({ scope: renewed.scope, claims: renewed.claims(), userinfo: known });
  }
  const { alg } = JSON.parse(Buffer.from(tokens.id_token.split(".")[0], "base64url"));
  return { scope: tokens.scope, id_token_alg: alg, claims, userinfo, refreshed };
}
