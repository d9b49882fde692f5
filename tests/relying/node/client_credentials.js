// A service that acts for itself.
import * as client from "openid-client";
import { discover } from "./party.js";

export default async function clientCredentials(settings) {
  const config = await discover(settings);
  const tokens = await client.clientCredentialsGrant(config, settings.scope ? { scope: settings.scope } : {});
  const { token_type, scope, access_token, refresh_token } = tokens;
  return { token_type, scope, access_token, refreshable: refresh_token !== undefined };
}
