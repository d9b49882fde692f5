// `id_token` alone: no token endpoint, the scope's claims in the ID token.
import * as client from "openid-client";
import { discover, request } from "./party.js";

export default async function implicit(settings, open) {
  const config = await discover(settings, [client.useIdTokenResponseType]);
  const { parameters, checks } = await request(settings);
  delete parameters.code_challenge;
  delete parameters.code_challenge_method;
  const answer = await open(client.buildAuthorizationUrl(config, parameters));
  const { expectedNonce, expectedState } = checks;
  return { claims: await client.implicitAuthentication(config, answer, expectedNonce, { expectedState }) };
}
