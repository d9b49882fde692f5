// What the library tells an application of each refusal.
import * as client from "openid-client";
import { discover, refusal, request, signIn } from "./party.js";

export default async function refusals(settings, open) {
  const config = await discover(settings);
  const denied = await refusal(signIn(config, settings, open));
  const unknown_prompt = await refusal(signIn(config, settings, open, { prompt: "dance" }));

  const { parameters, checks } = await request(settings);
  const answer = await open(client.buildAuthorizationUrl(config, parameters));
  const wrong = { ...checks, pkceCodeVerifier: client.randomPKCECodeVerifier() };
  const wrong_verifier = await refusal(client.authorizationCodeGrant(config, answer, wrong));

  const second = await request(settings);
  const answered = await open(client.buildAuthorizationUrl(config, second.parameters));
  const tokens = await client.authorizationCodeGrant(config, answered, second.checks);
  const used_code = await refusal(client.authorizationCodeGrant(config, answered, second.checks));
  const { sub } = tokens.claims();
  const dead_token = await refusal(client.fetchUserInfo(config, tokens.access_token, sub));

  const stranger = await discover({ ...settings, client_secret: "not the secret" });
  const wrong_secret = await refusal(client.clientCredentialsGrant(stranger));
  const wrong_grant = await refusal(client.genericGrantRequest(config, "urn:example:grant", {}));
  return { denied, unknown_prompt, wrong_verifier, used_code, dead_token, wrong_secret, wrong_grant };
}
