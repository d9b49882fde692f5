// The authorization request as a signed object (RFC 9101): the URL says nothing but `client_id` and `request`.
import * as client from "openid-client";
import { privateKey } from "./keys.js";
import { discover, request } from "./party.js";

export default async function requestObject(settings, open) {
  const config = await discover(settings);
  const { parameters, checks } = await request(settings);
  const key = await privateKey(settings.request_key);
  const url = await client.buildAuthorizationUrlWithJAR(config, parameters, key);
  const tokens = await client.authorizationCodeGrant(config, await open(url), checks);
  return { sent: [...url.searchParams.keys()].sort(), claims: tokens.claims(), scope: tokens.scope };
}
