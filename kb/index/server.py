"""The server index: collections on a Qdrant server or cluster, one a generation."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ApiException

from kb.errors import StoreError
from kb.index.base import BREADTH, MAX_LANGUAGES, Placed, Scored, unseen_rarity
from kb.index.conditions import (
    Among,
    Between,
    Dated,
    Either,
    Every,
    Missing,
    Neither,
    OneOf,
    condition,
)
from kb.index.payload import DATES, DENSE, KEYWORDS, NUMBERS, SPARSE, payload
from kb.model import Filters

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from kb.analysis import SparseTerms
    from kb.index.base import Order, Point
    from kb.index.conditions import Condition
    from kb.model import Access, Visibility

_BATCH = 1000


class ServerIndex:
    """Generations as collections ``<name>-<number>``; the alias ``<name>`` names the newest."""

    def __init__(
        self, client: QdrantClient, dimension: int, name: str = "kb", shards: int | None = None
    ) -> None:
        self._client = client
        self._dimension = dimension
        self._name = name
        self._shards = shards

    @classmethod
    def connect(cls, url: str, api_key: str | None, dimension: int) -> ServerIndex:
        """Connect to a server.

        Raises:
            StoreError: It does not answer.
        """
        client = QdrantClient(url=url, api_key=api_key, timeout=30)
        try:
            client.get_collections()
        except (ApiException, OSError) as error:
            raise StoreError(
                f"The Qdrant server at {url} does not answer: {error}. Check KB_INDEX_URL and "
                "KB_INDEX_API_KEY, or unset them to use the embedded index."
            ) from None
        return cls(client, dimension)

    def reader(self, generation: int) -> ServerReader:
        """Open a generation for queries."""
        collection = self._collection(generation)
        if not self._client.collection_exists(collection):
            raise StoreError(
                f"The collection {collection} is missing. `kb doctor --repair` rebuilds it."
            )
        return ServerReader(self._client, collection)

    def writer(self, generation: int, parent: int | None) -> ServerWriter:
        """Begin a generation as a copy of its parent, or empty."""
        collection = self._collection(generation)
        self._client.delete_collection(collection)
        self._client.create_collection(
            collection,
            vectors_config={
                DENSE: models.VectorParams(size=self._dimension, distance=models.Distance.COSINE)
            },
            sparse_vectors_config={SPARSE: models.SparseVectorParams(modifier=models.Modifier.IDF)},
            shard_number=self._shards,
        )
        kinds = (
            (KEYWORDS, models.PayloadSchemaType.KEYWORD),
            (DATES, models.PayloadSchemaType.DATETIME),
            (NUMBERS, models.PayloadSchemaType.INTEGER),
        )
        for names, kind in kinds:
            for name in names:
                self._client.create_payload_index(collection, name, kind)
        if parent is not None:
            _copy(self._client, self._collection(parent), collection)
        return ServerWriter(self._client, collection, self._name)

    def erase(self, generation: int, document_ids: Collection[str], *, purge: bool = False) -> None:
        """Delete every point of these documents; the server rewrites its files in its own time."""
        del purge
        self._client.delete(
            self._collection(generation),
            models.FilterSelector(filter=_documents(document_ids)),
            wait=True,
        )

    def narrow(
        self, generation: int, document_ids: Collection[str], visibility: Visibility
    ) -> None:
        """Set the visibility of these documents' points in a kept generation."""
        self._set(generation, document_ids, {"visibility": visibility.value})

    def collect(
        self, generation: int, document_ids: Collection[str], collections: Collection[str]
    ) -> None:
        """Set the collections of these documents' points in a kept generation."""
        self._set(generation, document_ids, {"collections": sorted(collections)})

    def _set(self, generation: int, document_ids: Collection[str], values: dict[str, Any]) -> None:
        self._client.set_payload(
            self._collection(generation),
            values,
            models.FilterSelector(filter=_documents(document_ids)),
            wait=True,
        )

    def generations(self) -> set[int]:
        """The numbers of the generations that are there, finished or not."""
        prefix = f"{self._name}-"
        names = [found.name for found in self._client.get_collections().collections]
        tails = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
        return {int(tail) for tail in tails if tail.isdecimal()}

    def discard(self, generations: Iterable[int]) -> None:
        """Delete generations; readers that have them open go on to the newest."""
        for generation in generations:
            self._client.delete_collection(self._collection(generation))

    def _collection(self, generation: int) -> str:
        return f"{self._name}-{generation}"


class ServerReader:
    """One generation, open for queries."""

    def __init__(self, client: QdrantClient, collection: str) -> None:
        self._client = client
        self._collection = collection

    def dense(
        self,
        vector: NDArray[np.float32],
        filters: Filters,
        limit: int,
        among: Collection[str] | None = None,
    ) -> list[Scored]:
        """The nearest passages by cosine, best first; only those ``among`` if given."""
        return self._query(vector.tolist(), DENSE, filters, limit, among)

    def lexical(
        self,
        terms: SparseTerms,
        filters: Filters,
        limit: int,
        among: Collection[str] | None = None,
    ) -> list[Scored]:
        """The best passages by BM25, best first; only those ``among`` if given."""
        if not terms.indices:
            return []
        return self._query(_sparse(terms), SPARSE, filters, limit, among)

    def rarity(self, terms: SparseTerms, access: Access) -> dict[int, float]:
        """The inverse document frequency of each term, by its number.

        As on Edge: the best passage's score for the term alone over its stored weight.
        """
        if not terms.indices:
            return {}
        seen = _filter(Filters(access))
        requests = [
            models.QueryRequest(
                query=models.SparseVector(indices=[number], values=[1.0]),
                using=SPARSE,
                filter=seen,
                limit=1,
                with_vector=[SPARSE],
            )
            for number in terms.indices
        ]
        unseen = unseen_rarity(self.count())
        with _answered():
            answers = self._client.query_batch_points(self._collection, requests)
        return {
            number: _rarity(answer.points, number) or unseen
            for number, answer in zip(terms.indices, answers, strict=True)
        }

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """The languages of this generation's passages, in alphabetical order."""
        with _answered():
            found = self._client.facet(
                self._collection, "language", limit=MAX_LANGUAGES, exact=True
            )
        return tuple(sorted(str(hit.value) for hit in found.hits))

    def ids(self) -> set[str]:
        """Every passage id in this generation."""
        found: set[str] = set()
        with _answered():
            for records in _scroll(self._client, self._collection, with_vectors=False):
                found.update(str(record.id) for record in records)
        return found

    def count(self, filters: Filters | None = None) -> int:
        """How many passages this generation holds, or how many pass the filters."""
        wanted = None if filters is None else _filter(filters)
        with _answered():
            return self._client.count(self._collection, wanted, exact=True).count

    def facet(self, key: str, filters: Filters, limit: int) -> dict[str, int]:
        """The values of a keyword field and how many passages have each, most frequent first."""
        with _answered():
            found = self._client.facet(
                self._collection, key, facet_filter=_filter(filters), limit=limit, exact=True
            )
        return {str(hit.value): hit.count for hit in found.hits}

    def ordered(
        self, order: Order, filters: Filters, limit: int, without: Collection[str] = ()
    ) -> list[Placed]:
        """Passages by the value of a number field; those that have none are left out."""
        direction = models.Direction.DESC if order.descending else models.Direction.ASC
        start = None if order.start is None else int(order.start)
        sorting = models.OrderBy(key=order.key, direction=direction, start_from=start)
        with _answered():
            records, _ = self._client.scroll(
                self._collection,
                scroll_filter=_filter(filters, without=without),
                limit=limit,
                order_by=sorting,
                with_payload=False,
            )
        return [Placed(str(record.id), float(record.order_value or 0)) for record in records]

    def unordered(
        self, key: str, filters: Filters, limit: int, after: str | None, without: Collection[str]
    ) -> list[str]:
        """Passages that have no value in a number field, by id, those after ``after``."""
        left_out = {*without, *([after] if after else ())}
        missing = models.IsEmptyCondition(is_empty=models.PayloadField(key=key))
        with _answered():
            records, _ = self._client.scroll(
                self._collection,
                scroll_filter=models.Filter(must=[_filter(filters, without=left_out), missing]),
                limit=limit,
                offset=after,
                with_payload=False,
            )
        return [str(record.id) for record in records]

    def close(self) -> None:
        """Nothing to release: the connection serves every generation."""

    def _query(
        self,
        query: Any,
        using: str,
        filters: Filters,
        limit: int,
        among: Collection[str] | None,
    ) -> list[Scored]:
        with _answered():
            found = self._client.query_points(
                self._collection,
                query=query,
                using=using,
                query_filter=_filter(filters, among),
                limit=limit,
                with_payload=False,
                search_params=models.SearchParams(hnsw_ef=BREADTH) if using == DENSE else None,
            )
        return [Scored(str(point.id), point.score) for point in found.points]


class ServerWriter:
    """A generation being written into a collection that no alias names."""

    def __init__(self, client: QdrantClient, collection: str, alias: str) -> None:
        self._client = client
        self._collection = collection
        self._alias = alias

    def add(self, points: Sequence[Point]) -> None:
        """Add points, replacing those with the same id."""
        self._client.upsert(
            self._collection,
            [
                models.PointStruct(
                    id=point.passage.id,
                    vector={DENSE: point.dense.tolist(), SPARSE: _sparse(point.sparse)},
                    payload=payload(point),
                )
                for point in points
            ],
            wait=True,
        )

    def drop(self, document_ids: Collection[str]) -> None:
        """Delete every point of these documents."""
        self._client.delete(
            self._collection,
            models.FilterSelector(filter=_documents(document_ids)),
            wait=True,
        )

    def finish(self) -> None:
        """Point the alias at this generation, for tools that look at the server directly."""
        alias = models.CreateAliasOperation(
            create_alias=models.CreateAlias(
                collection_name=self._collection, alias_name=self._alias
            )
        )
        self._client.update_collection_aliases([alias])

    def abort(self) -> None:
        """Delete what was written."""
        self._client.delete_collection(self._collection)


@contextmanager
def _answered() -> Iterator[None]:
    """Say what to do when the server fails, or when a run has just discarded the collection."""
    try:
        yield
    except (ApiException, ValueError) as error:  # a ValueError in the client's local mode
        raise StoreError(
            f"The Qdrant server did not answer the query: {error}. Ask again; if that does not "
            "help, `kb doctor` looks at the index."
        ) from None


def _copy(client: QdrantClient, source: str, target: str) -> None:
    for records in _scroll(client, source, with_vectors=True):
        client.upsert(
            target,
            [
                models.PointStruct(id=r.id, vector=r.vector or {}, payload=r.payload)  # type: ignore[arg-type]
                for r in records
            ],
            wait=True,
        )


def _scroll(
    client: QdrantClient, collection: str, *, with_vectors: bool
) -> Iterable[list[models.Record]]:
    offset: Any = None
    while True:
        records, offset = client.scroll(
            collection,
            limit=_BATCH,
            offset=offset,
            with_payload=with_vectors,
            with_vectors=with_vectors,
        )
        yield records
        if offset is None:
            return


def _sparse(terms: SparseTerms) -> models.SparseVector:
    return models.SparseVector(indices=list(terms.indices), values=list(terms.values))


def _rarity(points: list[models.ScoredPoint], number: int) -> float | None:
    if not points:
        return None
    vectors: Any = points[0].vector
    stored = vectors[SPARSE]
    weight: float = stored.values[stored.indices.index(number)]
    return points[0].score / weight


def _documents(document_ids: Collection[str]) -> models.Filter:
    return models.Filter(
        must=[
            models.FieldCondition(key="document_id", match=models.MatchAny(any=list(document_ids)))
        ]
    )


def _filter(
    filters: Filters, among: Collection[str] | None = None, without: Collection[str] = ()
) -> models.Filter:
    return models.Filter(
        must=[_translated(part) for part in condition(filters, among, without).parts]
    )


def _translated(part: Condition) -> Any:  # noqa: C901, PLR0911 -- one case a condition
    """A condition in the engine's terms."""
    match part:
        case OneOf(key, values):
            among = models.MatchAny(any=list(values))
            return models.FieldCondition(key=key, match=among)
        case Between(key, gt, gte, lt, lte):
            span = models.Range(gt=gt, gte=gte, lt=lt, lte=lte)
            return models.FieldCondition(key=key, range=span)
        case Dated(key, since, until):
            period: dict[str, Any] = {}
            if since:
                period["gte"] = f"{since}T00:00:00Z"
            if until:
                period["lte"] = f"{until}T23:59:59Z"
            return models.FieldCondition(key=key, range=models.DatetimeRange(**period))
        case Missing(key):
            return models.IsEmptyCondition(is_empty=models.PayloadField(key=key))
        case Among(ids):
            return models.HasIdCondition(has_id=list(ids))
        case Every(parts):
            return models.Filter(must=[_translated(inner) for inner in parts])
        case Either(parts):
            return models.Filter(should=[_translated(inner) for inner in parts])
        case Neither(parts):
            return models.Filter(must_not=[_translated(inner) for inner in parts])
