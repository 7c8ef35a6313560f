"""Whom our HTTP clients trust."""

import ssl
from functools import cache

import httpx2


@cache
def trusted_authorities() -> ssl.SSLContext:
    """The usual authorities; reading them takes longer than most requests do, so all clients of a process share them.

    What the environment says of certificates is left out, as it is of proxies.
    """
    return httpx2.create_ssl_context(trust_env=False)
