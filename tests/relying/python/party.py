"""What the scenarios share."""

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator


def discover(settings):
    answer = requests.get(f"{settings['issuer']}/.well-known/openid-configuration", timeout=30)
    answer.raise_for_status()
    return answer.json()


def session(settings, metadata, **further):
    """The client of the settings, with the endpoints that discovery gives."""
    return OAuth2Session(
        settings["client_id"],
        settings.get("client_secret"),
        token_endpoint_auth_method=settings["auth_method"],
        revocation_endpoint_auth_method=settings["auth_method"],
        scope=settings.get("scope"),
        redirect_uri=settings.get("redirect_uri"),
        token_endpoint=metadata["token_endpoint"],
        default_timeout=30,
        **further,
    )


class Resource(JWTBearerTokenValidator):
    """An API that takes access tokens made for it, checked by the published keys."""

    def __init__(self, metadata, audience):
        super().__init__(metadata["issuer"], audience)
        self.keys = requests.get(metadata["jwks_uri"], timeout=30).json()

    def get_jwks(self):
        return self.keys

    def claims(self, access_token, scopes=None):
        """The claims of a token that is good here."""
        token = self.authenticate_token(access_token)
        self.validate_token(token, scopes, None)
        return dict(token)


def refusal(call):
    """What an application is told of a refusal."""
    try:
        call()
    except OAuthError as error:
        return {"error": error.error, "description": error.description}
    raise AssertionError("accepted where a refusal was expected")
