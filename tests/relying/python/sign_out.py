"""A FastAPI application that registers itself, signs people in, and is told in the back channel when they sign out."""

import base64
import json
import queue
import secrets
import socket
import threading
from typing import Annotated

import requests
import uvicorn
from authlib.integrations.starlette_client import OAuth
from fastapi import FastAPI, Form, Request
from fastapi.responses import JSONResponse, RedirectResponse
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry
from starlette.middleware.sessions import SessionMiddleware

from party import discover
from registration import bearer

LIMIT = 60  # seconds until the provider has told
EVENT = "http://schemas.openid.net/event/backchannel-logout"


class Refused(Exception):
    """A logout token that is none."""


class LogoutTokens:
    """OIDC Back-Channel Logout §2.6, with what the provider publishes and what it registered."""

    def __init__(self, signet, registered):
        self.signet = signet
        self.registered = registered
        self.seen = set()

    async def validate(self, token):
        try:
            token = await self.decode(token)
            metadata = await self.signet.load_server_metadata()
            JWTClaimsRegistry(
                leeway=10,
                iss={"essential": True, "value": metadata["issuer"]},
                aud={"essential": True, "value": self.registered["client_id"]},
                iat={"essential": True}, exp={"essential": True}, jti={"essential": True}, events={"essential": True},
            ).validate(token.claims)
        except (JoseError, ValueError) as error:
            raise Refused(repr(error)) from error
        claims = token.claims
        for good, problem in [
            (token.header.get("typ") == "logout+jwt", "another kind of token"),
            (isinstance(claims["events"].get(EVENT), dict), "no event of a sign-out"),
            ("sid" in claims or "sub" in claims, "nobody is named"),
            ("nonce" not in claims, "a nonce"),
            (claims["jti"] not in self.seen, "seen before"),
        ]:
            if not good:
                raise Refused(problem)
        self.seen.add(claims["jti"])
        return token

    async def decode(self, token):
        algorithms = [self.registered.get("id_token_signed_response_alg", "RS256")]
        keys = KeySet.import_key_set(await self.signet.fetch_jwk_set())
        try:
            return jwt.decode(token, keys, algorithms=algorithms)
        except InvalidKeyIdError:
            keys = KeySet.import_key_set(await self.signet.fetch_jwk_set(force=True))
            return jwt.decode(token, keys, algorithms=algorithms)


def application(settings, registered, base, arrived):
    app = FastAPI()
    app.add_middleware(SessionMiddleware, secret_key=secrets.token_hex(), https_only=base.startswith("https:"))
    signet = OAuth().register(
        "signet",
        client_id=registered["client_id"],
        client_secret=registered["client_secret"],
        server_metadata_url=f"{settings['issuer']}/.well-known/openid-configuration",
        client_kwargs={"scope": settings["scope"], "code_challenge_method": "S256"},
    )
    tokens = LogoutTokens(signet, registered)
    sessions = {}  # who is signed in, by what the cookie holds

    @app.get("/sign-in")
    async def sign_in(request: Request):
        return await signet.authorize_redirect(request, f"{base}/callback")

    @app.get("/callback")
    async def callback(request: Request):
        token = await signet.authorize_access_token(request)
        handle = secrets.token_urlsafe()
        known = {name: token["userinfo"][name] for name in ("sub", "sid")}
        sessions[handle] = {**known, "id_token": token["id_token"]}
        request.session["handle"] = handle
        return RedirectResponse("/me")

    @app.get("/me")
    async def me(request: Request):
        session = sessions.get(request.session.get("handle"))
        return JSONResponse(session or {}, 200 if session else 401)

    @app.get("/sign-out")
    async def sign_out(request: Request):
        hint = sessions[request.session["handle"]]["id_token"]
        return await signet.logout_redirect(request, post_logout_redirect_uri=f"{base}/bye", id_token_hint=hint)

    @app.get("/bye")
    async def bye(request: Request):
        return await signet.validate_logout_response(request)

    @app.post("/backchannel")
    async def backchannel(logout_token: Annotated[str, Form()]):
        """OIDC Back-Channel Logout §2.7, §2.8."""
        try:
            token = await tokens.validate(logout_token)
        except Refused as error:
            outcome = {"status": 400, "error": "invalid_request", "error_description": str(error)}
        else:
            by = "sid" if "sid" in token.claims else "sub"
            ended = [handle for handle, session in sessions.items() if session[by] == token.claims[by]]
            for handle in ended:
                del sessions[handle]
            outcome = {"status": 200, "header": token.header, "claims": token.claims, "ended": len(ended)}
        arrived.put({**outcome, "logout_token": logout_token})
        return JSONResponse(outcome, outcome["status"], {"Cache-Control": "no-store"})

    return app


def register(settings, metadata, base):
    wanted = {
        **settings["registered"],
        "redirect_uris": [f"{base}/callback"],
        "post_logout_redirect_uris": [f"{base}/bye"],
        "backchannel_logout_uri": f"{base}/backchannel",
        "backchannel_logout_session_required": True,
    }
    answer = bearer(settings["initial_access_token"]).post(metadata["registration_endpoint"], json=wanted)
    answer.raise_for_status()
    return answer.json()


def run(settings, visit):
    tls = {"ssl_certfile": settings["cert"], "ssl_keyfile": settings["key"]} if settings.get("cert") else {}
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    base = f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}"
    registered = register(settings, discover(settings), base)
    arrived = queue.Queue()
    app = application(settings, registered, base, arrived)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False, **tls))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        return {"client_id": registered["client_id"], **story(settings, base, arrived, visit)}
    finally:
        server.should_exit = True
        thread.join(10)


def story(settings, base, arrived, visit):
    """Two browsers sign in; the person signs out in one of them, from the application or at the provider."""
    browsers, sessions = [requests.Session(), requests.Session()], []

    def get(browser, path):
        return browser.get(path if "://" in path else base + path, allow_redirects=False, timeout=30)

    for browser in browsers:
        callback = get(browser, visit(get(browser, "/sign-in").headers["Location"]))
        me = get(browser, callback.headers["Location"])
        sessions.append({"status": me.status_code, **me.json()})
    provider = settings["sign_out"] == "provider"
    left = visit(f"{settings['issuer']}/" if provider else get(browsers[0], "/sign-out").headers["Location"])
    bye = None if provider else get(browsers[0], left).status_code
    told = arrived.get(timeout=LIMIT)
    after = [get(browser, "/me").status_code for browser in browsers]
    logout_token = told.pop("logout_token")
    again = {"again": logout_token, "id_token": sessions[1]["id_token"], **forged(logout_token, sessions[1]["sid"])}
    refused = {
        what: requests.post(f"{base}/backchannel", data={"logout_token": token}, timeout=30).status_code
        for what, token in again.items()
    }
    still = get(browsers[1], "/me").status_code
    return {
        "sessions": sessions, "left": left, "bye": bye, "told": told, "after": after, "refused": refused, "still": still,
    }


def forged(token, sid):
    """Tokens that nobody signed, which name another session."""

    def encoded(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    claims = encoded({**claims, "jti": secrets.token_urlsafe(), "sid": sid})
    unsigned = encoded({"alg": "none", "typ": "logout+jwt"})
    return {"changed": f"{head}.{claims}.{signature}", "unsigned": f"{unsigned}.{claims}."}
