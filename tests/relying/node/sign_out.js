// An Express application that registers itself, signs people in, and is told in the back channel when they sign out.
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import express from "express";
import { createRemoteJWKSet, jwtVerify } from "jose";
import * as client from "openid-client";
import { request } from "./party.js";

const LIMIT = 60_000; // milliseconds until the provider has told
const EVENT = "http://schemas.openid.net/event/backchannel-logout";

export default async function signOut(settings, open) {
  const app = express();
  const { cert, key } = settings;
  const tls = cert && { cert: readFileSync(cert), key: readFileSync(key) };
  const server = tls ? https.createServer(tls, app) : http.createServer(app);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const base = tls ? `https://localhost:${server.address().port}` : `http://127.0.0.1:${server.address().port}`;
  try {
    const config = await register(settings, base);
    const arrival = serve(app, config, { ...settings, redirect_uri: `${base}/callback` });
    return await story(config, { ...settings, base }, arrival, open);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

function register({ issuer, initial_access_token: initialAccessToken, registered }, base) {
  const metadata = {
    ...registered,
    redirect_uris: [`${base}/callback`],
    post_logout_redirect_uris: [`${base}/bye`],
    backchannel_logout_uri: `${base}/backchannel`,
    backchannel_logout_session_required: true,
  };
  const execute = [client.enableNonRepudiationChecks];
  return client.dynamicClientRegistration(new URL(issuer), metadata, client.ClientSecretBasic(), { initialAccessToken, execute });
}

// The application. Gives what came of the first logout token that is sent to it.
function serve(app, config, settings) {
  const pending = new Map(); // what an answer must fit, by cookie
  const sessions = new Map(); // who is signed in, by cookie
  const validate = validator(config);
  let arrived;
  const arrival = new Promise((resolve) => (arrived = resolve));

  app.get("/sign-in", async (req, res) => {
    const { parameters, checks } = await request(settings);
    pending.set(begin(res), checks);
    res.redirect(client.buildAuthorizationUrl(config, parameters).href);
  });

  app.get("/callback", async (req, res) => {
    const checks = pending.get(cookie(req));
    pending.delete(cookie(req));
    const tokens = await client.authorizationCodeGrant(config, new URL(req.url, settings.redirect_uri), checks);
    const { sub, sid } = tokens.claims();
    sessions.set(begin(res), { sub, sid, id_token: tokens.id_token });
    res.redirect("/me");
  });

  app.get("/me", (req, res) => {
    const session = sessions.get(cookie(req));
    res.status(session ? 200 : 401).json(session ?? {});
  });

  app.get("/sign-out", (req, res) => {
    const { id_token } = sessions.get(cookie(req));
    const back = new URL("/bye", settings.redirect_uri).href;
    const parameters = { id_token_hint: id_token, post_logout_redirect_uri: back, state: "bye" };
    res.redirect(client.buildEndSessionUrl(config, parameters).href);
  });

  // OIDC Back-Channel Logout §2.7, §2.8.
  app.post("/backchannel", express.urlencoded({ extended: false }), async (req, res) => {
    const { logout_token } = req.body;
    let outcome;
    try {
      const { header, claims } = await validate(logout_token);
      const ended = [...sessions].filter(([, { sid, sub }]) => (claims.sid ? sid === claims.sid : sub === claims.sub));
      for (const [handle] of ended) sessions.delete(handle);
      outcome = { status: 200, header, claims, ended: ended.length };
    } catch ({ name, message }) {
      outcome = { status: 400, error: "invalid_request", error_description: `${name}: ${message}` };
    }
    res.status(outcome.status).set("cache-control", "no-store").json(outcome);
    arrived({ ...outcome, logout_token });
  });
  return arrival;
}

// OIDC Back-Channel Logout §2.6, with what the provider publishes and what it registered.
function validator(config) {
  const { issuer, jwks_uri } = config.serverMetadata();
  const { client_id, id_token_signed_response_alg = "RS256" } = config.clientMetadata();
  const keys = createRemoteJWKSet(new URL(jwks_uri));
  const seen = new Set();
  const rules = {
    issuer,
    audience: client_id,
    algorithms: [id_token_signed_response_alg],
    typ: "logout+jwt",
    requiredClaims: ["iat", "exp", "jti", "events"],
    maxTokenAge: "3 minutes",
  };
  return async (token) => {
    const { payload: claims, protectedHeader: header } = await jwtVerify(token, keys, rules);
    if (typeof claims.events[EVENT] !== "object") throw new Error("no event of a sign-out");
    if (claims.sid === undefined && claims.sub === undefined) throw new Error("nobody is named");
    if ("nonce" in claims) throw new Error("a nonce");
    if (seen.has(claims.jti)) throw new Error("seen before");
    seen.add(claims.jti);
    return { header, claims };
  };
}

// Two browsers sign in; the person signs out in one of them, from the application or at the provider.
async function story(config, { base, issuer, sign_out }, arrival, open) {
  const [one, other] = [new Visitor(base), new Visitor(base)];
  const sessions = [];
  for (const visitor of [one, other]) {
    const back = await open(new URL((await visitor.get("/sign-in")).location));
    await visitor.get(back);
    sessions.push(await visitor.get("/me"));
  }
  const leave = sign_out === "provider" ? `${issuer}/` : (await one.get("/sign-out")).location;
  const { href } = await open(new URL(leave));
  const { logout_token, ...told } = await Promise.race([arrival, late()]);
  const after = [await one.get("/me"), await other.get("/me")];
  const again = { again: logout_token, id_token: sessions[1].id_token, ...forged(logout_token, sessions[1].sid) };
  const refused = {};
  for (const [what, token] of Object.entries(again)) {
    const body = new URLSearchParams({ logout_token: token });
    refused[what] = (await fetch(`${base}/backchannel`, { method: "POST", body })).status;
  }
  const still = (await other.get("/me")).status;
  const { client_id } = config.clientMetadata();
  return { client_id, sessions, left: href, told, after: after.map(({ status }) => status), refused, still };
}

// Tokens that nobody signed, which name another session.
function forged(token, sid) {
  const [head, body, signature] = token.split(".");
  const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = encoded({ ...JSON.parse(Buffer.from(body, "base64url")), jti: randomUUID(), sid });
  return {
    changed: `${head}.${claims}.${signature}`,
    unsigned: `${encoded({ alg: "none", typ: "logout+jwt" })}.${claims}.`,
  };
}

async function late() {
  await new Promise((resolve) => setTimeout(resolve, LIMIT).unref());
  throw new Error("no logout token came");
}

const cookie = (req) => /(?:^|; )session=([^;]+)/.exec(req.headers.cookie ?? "")?.[1];

// The cookie is another one after sign-in.
function begin(res) {
  const handle = randomUUID();
  res.cookie("session", handle, { httpOnly: true, sameSite: "lax" });
  return handle;
}

// A browser towards the application.
class Visitor {
  constructor(base) {
    this.base = base;
  }

  async get(path) {
    const headers = this.cookie ? { cookie: this.cookie } : {};
    const answer = await fetch(new URL(path, this.base), { headers, redirect: "manual" });
    this.cookie = answer.headers.get("set-cookie")?.split(";")[0] ?? this.cookie;
    const location = answer.headers.get("location");
    const body = location ? {} : await answer.json();
    return { status: answer.status, location, ...body };
  }
}
