// ID tokens and userinfo that only this client can read.
import * as client from "openid-client";
import { privateKey } from "./keys.js";
import { discover, signIn } from "./party.js";

export default async function encrypted(settings, open) {
  const key = await privateKey(settings.decryption_key);
  const config = await discover(settings, [
    (config) => client.enableDecryptingResponses(config, settings.encryptions, key),
  ]);
  const tokens = await signIn(config, settings, open);
  const claims = tokens.claims();
  const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
  const renewed = await client.refreshTokenGrant(config, tokens.refresh_token);
  return {
    claims,
    userinfo,
    renewed: renewed.claims(),
    parts: [tokens.id_token, renewed.id_token].map((token) => token.split(".").length),
    decrypted: {
      userinfo: client.getDecryptedResponses(userinfo) !== undefined,
      id_token: client.getDecryptedResponses(tokens) !== undefined,
    },
  };
}
