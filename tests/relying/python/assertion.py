"""A service that shows who it is by an assertion; the library addresses it to the token endpoint, for an hour."""

from authlib.oauth2.rfc7523 import ClientSecretJWT, PrivateKeyJWT
from joserfc.jwk import import_key

from party import discover, session


def run(settings, visit):
    metadata = discover(settings)
    key = settings.get("private_key")
    method = PrivateKeyJWT(alg=key["alg"]) if key else ClientSecretJWT()
    secret = import_key(key) if key else settings["client_secret"]
    tokens = []
    for _ in range(2):
        client = session({**settings, "client_secret": secret, "auth_method": method.name}, metadata)
        client.register_client_auth_method(method)
        tokens.append(dict(client.fetch_token(grant_type="client_credentials")))
    return {"tokens": tokens}
