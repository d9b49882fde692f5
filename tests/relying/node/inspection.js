// Introspection of both tokens, and their revocation.
import * as client from "openid-client";
import { discover, refusal, signIn } from "./party.js";

export default async function inspection(settings, open) {
  const config = await discover(settings);
  const tokens = await signIn(config, settings, open);
  const look = (token) => client.tokenIntrospection(config, token);
  const before = { access: await look(tokens.access_token), refresh: await look(tokens.refresh_token) };
  const unheard = await look("unheard of");
  await client.tokenRevocation(config, "unheard of");
  await client.tokenRevocation(config, tokens.refresh_token, { token_type_hint: "access_token" });
  const after = { access: await look(tokens.access_token), refresh: await look(tokens.refresh_token) };
  const refreshed = await refusal(client.refreshTokenGrant(config, tokens.refresh_token));
  return { before, unheard, after, refreshed };
}
