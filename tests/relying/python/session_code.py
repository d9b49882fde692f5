"""Code with PKCE by `OAuth2Session`; then userinfo, and a refresh that the library makes by itself."""

import time

from authlib.common.security import generate_token

from party import Resource, discover, refusal, session


def run(settings, visit):
    metadata = discover(settings)
    refreshed = []
    client = session(
        settings, metadata, code_challenge_method="S256",
        update_token=lambda token, **old: refreshed.append({"token": dict(token), **old}),
    )
    verifier = generate_token(48)
    url, state = client.create_authorization_url(
        metadata["authorization_endpoint"], code_verifier=verifier, nonce=generate_token(20)
    )
    callback = visit(url)
    token = client.fetch_token(authorization_response=callback, state=state, code_verifier=verifier)
    first = dict(token)
    claims = Resource(metadata, settings["client_id"]).claims(first["access_token"], ["profile email"])
    userinfo = client.get(metadata["userinfo_endpoint"])
    userinfo.raise_for_status()

    client.token = {**first, "expires_at": int(time.time()) - 1}
    again = client.get(metadata["userinfo_endpoint"])
    again.raise_for_status()
    used = refusal(
        lambda: session(settings, metadata).fetch_token(
            authorization_response=callback, state=state, code_verifier=verifier
        )
    )
    return {
        "token": first, "claims": claims, "userinfo": userinfo.json(), "again": again.json(),
        "refreshed": refreshed, "used": used,
    }
