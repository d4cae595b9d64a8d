"""The service's client for Python: typed, to be waited for or awaited.

>>> with Client("https://kb.example.org") as kb:
...     answer = kb.answer("Que couvre une garantie en fonds propres ?")

It loads httpx and pydantic, and nothing of what the service itself is made of.
"""

from kb.client import models
from kb.client.clients import AsyncClient, Client
from kb.client.errors import (
    KeyNotAcceptedError,
    NotFoundError,
    ServiceError,
    TooManyRequestsError,
    UnavailableError,
)
from kb.client.events import Event

__all__ = [
    "AsyncClient",
    "Client",
    "Event",
    "KeyNotAcceptedError",
    "NotFoundError",
    "ServiceError",
    "TooManyRequestsError",
    "UnavailableError",
    "models",
]
