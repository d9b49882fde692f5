"""A Flask application with the library's registry: state, nonce, PKCE and ID token are checked by it."""

import secrets

from authlib.integrations.base_client import OAuthError
from authlib.integrations.flask_client import OAuth
from flask import Flask, jsonify


def application(settings):
    app = Flask("relying-party")
    app.secret_key = secrets.token_hex()
    oauth = OAuth(app)
    signet = oauth.register(
        "signet",
        client_id=settings["client_id"],
        client_secret=settings.get("client_secret"),
        server_metadata_url=f"{settings['issuer']}/.well-known/openid-configuration",
        client_kwargs={
            "scope": settings["scope"],
            "code_challenge_method": "S256",
            "token_endpoint_auth_method": settings["auth_method"],
        },
    )

    @app.get("/sign-in")
    def sign_in():
        return signet.authorize_redirect(settings["redirect_uri"])

    @app.get("/callback")
    def callback():
        token = signet.authorize_access_token()
        return jsonify(claims=token["userinfo"], userinfo=signet.userinfo(token=token), scope=token["scope"])

    @app.errorhandler(OAuthError)
    def refused(error):
        return jsonify(error=error.error, description=error.description), 400

    return app


def run(settings, visit):
    browser = application(settings).test_client()
    base = settings["redirect_uri"].removesuffix("/callback")
    location = browser.get("/sign-in", base_url=base).headers["Location"]
    answer = browser.get(visit(location).removeprefix(base), base_url=base)
    return {"status": answer.status_code, **answer.get_json()}
