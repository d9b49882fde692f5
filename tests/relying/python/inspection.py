"""Introspection and revocation, alone and as an API that asks about each token it is sent."""

import time

from authlib.common.security import generate_token
from authlib.oauth2.rfc6750 import InsufficientScopeError, InvalidTokenError
from authlib.oauth2.rfc7662 import IntrospectTokenValidator

from party import discover, refusal, session


class Resource(IntrospectTokenValidator):
    def __init__(self, client, endpoint):
        super().__init__()
        self.client, self.endpoint = client, endpoint

    def introspect_token(self, token_string):
        answer = self.client.introspect_token(self.endpoint, token=token_string)
        answer.raise_for_status()
        return answer.json()

    def takes(self, token, scope):
        try:
            self.validate_token(self.authenticate_token(token), [scope], None)
        except (InvalidTokenError, InsufficientScopeError) as error:
            return error.error
        return True


def run(settings, visit):
    metadata = discover(settings)
    client = session(settings, metadata, code_challenge_method="S256")
    verifier = generate_token(48)
    url, state = client.create_authorization_url(
        metadata["authorization_endpoint"], code_verifier=verifier
    )
    token = dict(
        client.fetch_token(authorization_response=visit(url), state=state, code_verifier=verifier)
    )
    resource = Resource(client, metadata["introspection_endpoint"])

    def look(kind, hint=None):
        answer = client.introspect_token(
            metadata["introspection_endpoint"], token=token[kind], token_type_hint=hint
        )
        answer.raise_for_status()
        return answer.json()

    before = {"access": look("access_token", "refresh_token"), "refresh": look("refresh_token")}
    taken = [resource.takes(token["access_token"], scope) for scope in ("profile", "reports:read")]
    revoked = []
    for value, hint in (("unheard of", None), (token["refresh_token"], "refresh_token")):
        answer = client.revoke_token(
            metadata["revocation_endpoint"], token=value, token_type_hint=hint
        )
        revoked.append(answer.status_code)
    after = {"access": look("access_token"), "refresh": look("refresh_token")}
    taken.append(resource.takes(token["access_token"], "profile"))
    refreshed = refusal(lambda: client.refresh_token(refresh_token=token["refresh_token"]))
    return {
        "before": before, "taken": taken, "revoked": revoked, "after": after,
        "refreshed": refreshed, "now": int(time.time()),
    }
