"""An application that registers itself, checks the answer, signs a person in, and removes itself."""

from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7591 import ClientMetadataClaims
from authlib.oidc.registration import ClientMetadataClaims as OpenIDClaims

from party import Resource, discover, session


def bearer(token):
    return OAuth2Session(token={"access_token": token, "token_type": "Bearer"}, default_timeout=30)


def run(settings, visit):
    metadata = discover(settings)
    endpoint = metadata["registration_endpoint"]
    refused = bearer("not the token").post(endpoint, json=settings["registered"])
    answer = bearer(settings["initial_access_token"]).post(endpoint, json=settings["registered"])
    answer.raise_for_status()
    registered = answer.json()
    for claims in (ClientMetadataClaims, OpenIDClaims):
        options = claims.get_claims_options(metadata)
        claims(registered, {}, options, metadata).validate()

    known = {
        **settings,
        "client_id": registered["client_id"],
        "client_secret": registered.get("client_secret"),
        "auth_method": registered["token_endpoint_auth_method"],
    }
    client = session(known, metadata, code_challenge_method="S256")
    verifier = generate_token(48)
    url, state = client.create_authorization_url(
        metadata["authorization_endpoint"], code_verifier=verifier, nonce=generate_token(20)
    )
    token = client.fetch_token(authorization_response=visit(url), state=state, code_verifier=verifier)
    claims = Resource(metadata, registered["client_id"]).claims(token["access_token"], ["email"])
    userinfo = client.get(metadata["userinfo_endpoint"])
    userinfo.raise_for_status()

    own = bearer(registered["registration_access_token"])
    uri = registered["registration_client_uri"]
    read = own.get(uri).json()
    change = {"client_id": registered["client_id"], **settings["registered"], "client_name": "Another name"}
    changed = own.put(uri, json=change).json()
    removed = own.delete(uri).status_code
    gone = own.get(uri).status_code
    return {
        "refused": [refused.status_code, refused.json()["error"]], "status": answer.status_code, "answer": registered,
        "claims": claims, "userinfo": userinfo.json(), "read": read, "changed": changed, "removed": removed, "gone": gone,
    }
