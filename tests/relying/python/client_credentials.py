"""A service that acts for itself, and the API that takes its token."""

from party import Resource, discover, refusal, session


def run(settings, visit):
    metadata = discover(settings)
    token = session(settings, metadata).fetch_token(grant_type="client_credentials")
    claims = Resource(metadata, settings["audience"]).claims(token["access_token"], [settings["scope"]])
    more = session({**settings, "scope": "openid"}, metadata)
    stranger = session({**settings, "client_secret": "not the secret"}, metadata)
    return {
        "token": dict(token), "claims": claims,
        "wrong_scope": refusal(lambda: more.fetch_token(grant_type="client_credentials")),
        "wrong_secret": refusal(lambda: stranger.fetch_token(grant_type="client_credentials")),
    }
