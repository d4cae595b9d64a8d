"""Settings: from the environment (``KB_…``), over ``kb.toml`` in ``KB_HOME``, over defaults."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Literal

from platformdirs import user_data_path
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url

from kb.encoders.models import DEFAULT
from kb.errors import UsageError

EU_PORTAL_API = "https://api.tech.ec.europa.eu/search-api/prod/rest"
EU_PORTAL_DATA = "https://ec.europa.eu/info/funding-tenders/opportunities/data"
AIDES_TERRITOIRES_API = "https://aides-territoires.beta.gouv.fr/api"
ILE_DE_FRANCE_API = (
    "https://data.iledefrance.fr/api/explore/v2.1/catalog/datasets/aides-appels-a-projets"
)
# In the folder of pulls: what sources listed last. Purging a document leaves it.
LISTED = "listed.db"


class Settings(BaseSettings):
    """Every setting with its default; an unknown name or a bad value is an error."""

    model_config = SettingsConfigDict(env_prefix="KB_", extra="forbid", frozen=True)

    home: Path = Field(description="The folder that holds everything.")
    database_url: str = Field("", description="SQLAlchemy URL; empty: SQLite in KB_HOME.")
    index_url: str = Field("", description="URL of a Qdrant server; empty: the embedded index.")
    index_api_key: SecretStr = Field(SecretStr(""), description="Key of the Qdrant server.")
    encoder: str = Field(DEFAULT, description="Name or folder of the model that makes vectors.")
    workers: int = Field(2, ge=1, le=64, description="Processes that read files.")
    worker_memory_mb: int = Field(1000, ge=256, description="Memory of one of them.")
    worker_seconds: int = Field(600, ge=1, description="Time that one file may take.")
    max_file_mb: int = Field(200, ge=1, description="Largest file that is read.")
    candidate_k: int = Field(100, ge=1, le=1000, description="Candidates of each leg.")
    dense_weight: float = Field(0.8, ge=0, le=10, description="Weight of the dense leg; lexical 1.")
    per_document: int = Field(3, ge=1, le=100, description="Passages shown of one document.")
    contact: str = Field("", description="Address that public sources are told when asked.")
    source_pause: float = Field(1.0, ge=0, le=60, description="Seconds between two requests.")
    eu_portal_api: str = Field(EU_PORTAL_API, description="Search of the EU portal.")
    eu_portal_data: str = Field(EU_PORTAL_DATA, description="Data files of the EU portal.")
    aides_territoires_api: str = Field(AIDES_TERRITOIRES_API, description="Aides-territoires.")
    aides_territoires_token: SecretStr = Field(SecretStr(""), description="Token of its API.")
    ile_de_france_api: str = Field(ILE_DE_FRANCE_API, description="Calls of Île-de-France.")
    smtp_url: SecretStr = Field(
        SecretStr(""), description="smtp(s)://user:password@host:port; empty: no mails."
    )
    mail_from: str = Field("", description="The address that mails come from.")
    public_url: str = Field("", description="Where readers reach the service: links in mails.")
    rate_anonymous: int = Field(
        60, ge=1, description="Requests a minute of an address without a key."
    )
    rate_key: int = Field(600, ge=1, description="Requests a minute of a key without its own rate.")
    redis_url: SecretStr = Field(
        SecretStr(""), description="Redis that counts requests for several processes; empty: none."
    )
    concurrency: int = Field(4, ge=1, description="Requests worked on at once, in each process.")
    queue: int = Field(64, ge=0, description="Requests that may wait for their turn.")
    queue_seconds: float = Field(10, gt=0, description="How long one waits for its turn.")
    body_seconds: float = Field(20, gt=0, description="How long a request's body may take.")
    request_seconds: float = Field(30, gt=0, description="How long an answer may take to begin.")
    max_connections: int = Field(500, ge=1, description="Connections of each serving process.")
    client_seconds: float = Field(
        20, gt=0, description="How long a client may take to send a request's head, or not read."
    )
    keep_alive_seconds: int = Field(30, ge=1, description="How long an idle connection is kept.")
    trusted_proxies: str = Field(
        "", description="Proxies whose X-Forwarded-For is believed: addresses, networks; spaces."
    )
    log: Literal["text", "json"] = Field("text", description="How kb serve writes its log.")
    otlp_endpoint: str = Field("", description="OpenTelemetry collector; empty: no traces.")
    cors_origins: str = Field(
        "", description="Sites whose pages may ask, with spaces between; * for all."
    )
    audit_queries: Literal["text", "hashed"] = Field(
        "text", description="How the audit trail keeps questions; hashed: as keyed hashes alone."
    )
    audit_days: int = Field(
        365, ge=1, le=36_500, description="Days that the audit trail and feedback are kept."
    )

    def shown(self) -> dict[str, Any]:
        """Every setting by name, secrets hidden."""
        url = make_url(self.database).render_as_string(hide_password=True)
        return {**self.model_dump(mode="json"), "database_url": url}

    @property
    def database(self) -> str:
        """The URL of the system of record."""
        return self.database_url or f"sqlite:///{self.home / 'record.db'}"

    @property
    def index_folder(self) -> Path:
        """Where the embedded index keeps its generations."""
        return self.home / "index"

    @property
    def originals(self) -> Path:
        """Where the ingested files are kept as they were."""
        return self.home / "originals"

    @property
    def fetched(self) -> Path:
        """Where documents of the web are kept, each address in a folder of its own."""
        return self.home / "fetched"

    @property
    def uploads(self) -> Path:
        """Where uploaded documents are kept, each in a folder of its own."""
        return self.home / "uploads"

    @property
    def pulls(self) -> Path:
        """Where pulls keep what sources answered, so as not to ask again."""
        return self.home / "pull"

    @property
    def pictures(self) -> Path:
        """Where pictures of pages are kept, which can be drawn again."""
        return self.home / "pictures"

    @property
    def lock(self) -> Path:
        """The lock of the one writer."""
        return self.home / "writer.lock"

    @property
    def keeping_lock(self) -> Path:
        """Held while a backup copies, and while something is taken away that it might copy."""
        return self.home / "keeping.lock"

    @property
    def pull_lock(self) -> Path:
        """The lock of the one pull that is under way."""
        return self.pulls / "pull.lock"

    @property
    def alerts_lock(self) -> Path:
        """The lock of the one run that sends digests."""
        return self.home / "alerts.lock"


def load_settings() -> Settings:
    """Read the settings.

    Raises:
        UsageError: A setting is unknown or out of range; the message names it.
    """
    home = Path(os.environ.get("KB_HOME") or user_data_path("operation-milliard-kb"))
    try:
        home = home.expanduser().resolve()
    except (RuntimeError, OSError) as error:
        raise UsageError(f"KB_HOME={str(home)!r} can't be used: {error}") from None
    file = home / "kb.toml"
    stated = _read_toml(file)
    overridden = {name for name in stated if f"KB_{name.upper()}" in os.environ}
    values = {name: value for name, value in stated.items() if name not in overridden}
    try:
        return Settings(**{**values, "home": home})
    except ValidationError as error:
        problems = "; ".join(_describe(problem, file, values) for problem in error.errors())
        raise UsageError(f"Settings can't be used: {problems}") from None


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):  # the latter is told when it is opened
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} can't be read: {error}") from None


def _describe(problem: Any, file: Path, values: dict[str, Any]) -> str:
    name = str(problem["loc"][0]) if problem["loc"] else "?"
    where = f"{name} in {file}" if name in values else f"KB_{name.upper()}"
    return f"{where}: {problem['msg']}"
