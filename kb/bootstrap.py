"""The one place that chooses the parts: record, index, encoder, search engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from kb.audit import Trail
from kb.calls.finder import CallFinder
from kb.clock import Clock, system_clock
from kb.encoders.choice import make_encoder
from kb.errors import StoreError
from kb.gaps import GapFinder
from kb.index.generations import Generations, check_encoder
from kb.pictures.store import Pictures
from kb.record.calls import CallRecords
from kb.record.database import open_database
from kb.record.feedback import FeedbackRecord
from kb.record.keys import KeysRecord
from kb.record.questions import QuestionsRecord
from kb.record.reading import Record
from kb.settings import Settings, load_settings
from kb.swap import refuse_half_restored

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from kb.encoders.base import Encoder
    from kb.index.base import VectorIndex
    from kb.search.engine import SearchEngine


@dataclass
class KnowledgeBase:
    """Everything that commands and routes need, each part opened when it is first used."""

    settings: Settings
    clock: Clock
    engine: Engine
    record: Record
    index: VectorIndex
    generations: Generations
    encoder: Encoder
    # Made at once, which costs nothing: of a cached property two threads might each get their own.
    trail: Trail = field(init=False)
    pictures: Pictures = field(init=False)

    def __post_init__(self) -> None:
        """Make the audit trail and the pictures, whose threads and processes start later."""
        self.trail = Trail(self.engine, self.settings)
        self.pictures = Pictures(self.settings.pictures, self.settings.worker_memory_mb)

    @cached_property
    def search(self) -> SearchEngine:
        """The search engine."""
        from kb.search.engine import Ranking, SearchEngine  # noqa: PLC0415 -- Haystack takes 0.3 s

        settings = self.settings
        ranking = Ranking(settings.candidate_k, settings.dense_weight, settings.per_document)
        return SearchEngine(self.record, self.generations, self.encoder, ranking)

    @cached_property
    def calls(self) -> CallRecords:
        """What the system of record knows of calls."""
        return CallRecords(self.engine)

    @cached_property
    def keys(self) -> KeysRecord:
        """The keys of partners and staff, and the sessions that were opened with them."""
        return KeysRecord(self.engine)

    @cached_property
    def finder(self) -> CallFinder:
        """The finder of calls; it makes the search engine where a question is to be ranked."""
        return CallFinder(self.record, self.calls, self.generations, lambda: self.search)

    @cached_property
    def feedback(self) -> FeedbackRecord:
        """What people say of answers."""
        return FeedbackRecord(self.engine, self.trail.record)

    @cached_property
    def gaps(self) -> GapFinder:
        """What is asked for and not found."""
        questions = QuestionsRecord(self.engine)
        return GapFinder(self.record, questions, self.feedback, self.encoder)

    def check_encoder(self) -> None:
        """Refuse to write vectors of one model beside those of another.

        Raises:
            StoreError: The index was made by another encoder than the one that is set.
        """
        current = self.record.current_id()
        made_by = None if current is None else self.record.encoder_of(current)
        check_encoder(made_by, self.encoder.name)

    def close(self) -> None:
        """Write what waits for the audit trail; release the index and the database."""
        self.pictures.close()
        self.trail.close()
        self.generations.close()
        self.engine.dispose()


def open_knowledge_base(
    settings: Settings | None = None,
    *,
    clock: Clock = system_clock,
    encoder: Encoder | None = None,
    index: VectorIndex | None = None,
) -> KnowledgeBase:
    """Open the knowledge base of these settings (default: the environment's).

    Raises:
        StoreError: ``KB_HOME`` can't be made or used, or a restore into it was cut off.
    """
    settings = settings or load_settings()
    refuse_half_restored(settings.home)
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"KB_HOME {settings.home} can't be used: {error.strerror}. Set it to a folder of yours."
        ) from None
    engine = open_database(settings.database)
    record = Record(engine)
    encoder = encoder or make_encoder(settings.encoder)
    index = index or _open_index(settings, encoder)
    return KnowledgeBase(
        settings, clock, engine, record, index, Generations(record, index, encoder.name), encoder
    )


def _open_index(settings: Settings, encoder: Encoder) -> VectorIndex:
    if settings.index_url:
        from kb.index.server import ServerIndex  # noqa: PLC0415 -- only where it is used

        return ServerIndex.connect(
            settings.index_url,
            settings.index_api_key.get_secret_value() or None,
            encoder.dimension,
        )
    from kb.index.edge import EdgeIndex  # noqa: PLC0415 -- only where it is used

    return EdgeIndex(settings.index_folder, encoder.dimension)
