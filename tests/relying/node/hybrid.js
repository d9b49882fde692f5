// `code id_token`: the library checks the ID token of the front channel and its `c_hash` before it redeems the code.
import * as client from "openid-client";
import { discover, request } from "./party.js";

export default async function hybrid(settings, open) {
  const config = await discover(settings, [client.useCodeIdTokenResponseType]);
  const { parameters, checks } = await request(settings);
  const answer = await open(client.buildAuthorizationUrl(config, parameters));
  const tokens = await client.authorizationCodeGrant(config, answer, checks);
  const userinfo = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
  return { claims: tokens.claims(), userinfo };
}
