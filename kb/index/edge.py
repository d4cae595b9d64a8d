"""The embedded index: Qdrant Edge shards, one folder a generation (docs/decisions/0001)."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from qdrant_edge import (
    CountRequest,
    Direction,
    Distance,
    EdgeConfig,
    EdgeOptimizersConfig,
    EdgeShard,
    EdgeSparseVectorParams,
    EdgeVectorParams,
    FacetRequest,
    FieldCondition,
    Filter,
    HasIdCondition,
    IsEmptyCondition,
    MatchAny,
    Modifier,
    OrderBy,
    PayloadSchemaType,
    Query,
    QueryBatchRequest,
    QueryRequest,
    RangeDateTime,
    RangeFloat,
    ScrollRequest,
    SearchParams,
    SparseVector,
    UpdateOperation,
)
from qdrant_edge import Point as EdgePoint

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
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from kb.analysis import SparseTerms
    from kb.index.base import Order, Point
    from kb.index.conditions import Condition
    from kb.model import Access, Visibility

# Passages up to which the dense leg compares all of them.
EXACT_UP_TO = 20_000
_UNFINISHED = ".building"
_CHUNK = 1 << 20
_GONE = ".gone"


class EdgeIndex:
    """Generations as folders ``<number>.<revision>``; what is not finished has a suffix.

    Shards are made without a write-ahead log: with one, a reader takes an exclusive lock. So a
    folder that readers may open is never written to: a removal writes the next revision beside it
    and renames it into place, and a crash at any moment leaves the old one or the new one.
    """

    def __init__(self, folder: Path, dimension: int) -> None:
        self._folder = folder
        self._dimension = dimension

    def reader(self, generation: int) -> EdgeReader:
        """Open a generation for queries."""
        folder = self._newest(generation)
        try:
            return EdgeReader(_load(folder))
        except StoreError:
            newest = self._newest(generation)
            if newest == folder:
                raise
            return EdgeReader(_load(newest))  # a removal has just put the next revision in place

    def writer(self, generation: int, parent: int | None) -> EdgeWriter:
        """Begin a generation as a copy of its parent, or empty."""
        target = self._folder / f"{generation}.0"
        source = None if parent is None else self._newest(parent)
        return EdgeWriter(self._begin(target, source), _building(target), target)

    def erase(self, generation: int, document_ids: Collection[str], *, purge: bool = False) -> None:
        """Delete every point of these documents from a kept generation, for good.

        ``purge`` rewrites its files: a deleted point's payload would stay in them.
        """
        gone = UpdateOperation.delete_points_by_filter(_documents(document_ids))
        self._revise(generation, gone, purge=purge)

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
        self._revise(
            generation, UpdateOperation.set_payload_by_filter(_documents(document_ids), values)
        )

    def generations(self) -> set[int]:
        """The numbers of the generations that are there, finished or not."""
        return {int(path.name.partition(".")[0]) for path in self._folders("*")}

    def discard(self, generations: Iterable[int]) -> None:
        """Delete generations; readers that have them open go on."""
        for generation in generations:
            for path in self._folders(f"{generation}.*"):
                _delete(path)

    def folder(self, generation: int) -> Path:
        """Where a kept generation lies: what its files hold stays as it is."""
        return self._newest(generation)

    def _revise(self, generation: int, operation: UpdateOperation, *, purge: bool = False) -> None:
        old = self._newest(generation)
        target = self._folder / f"{generation}.{_revision(old) + 1}"
        shard = self._begin(target, old)
        shard.update(operation)
        if purge:
            shard.flush()
            shard.close()
            _vacuum(_building(target))
            shard = _load(_building(target))
        EdgeWriter(shard, _building(target), target).finish()
        for path in self._folders(f"{generation}.*"):
            if path != target:  # the old revision, and what a crash left of others
                _delete(path)

    def _begin(self, target: Path, source: Path | None) -> EdgeShard:
        building = _building(target)
        shutil.rmtree(building, ignore_errors=True)
        building.parent.mkdir(parents=True, exist_ok=True)
        if source is None:
            return _create(building, self._dimension)
        if not source.is_dir():
            raise StoreError(_missing(source))
        shutil.copytree(source, building, copy_function=_copy_sparse)
        shard = _load(building)
        _index_fields(shard)  # a base that was begun before a field was known
        return shard

    def _newest(self, generation: int) -> Path:
        finished = [path for path in self._folders(f"{generation}.*") if _revision(path) >= 0]
        return max(finished, key=_revision, default=self._folder / f"{generation}.0")

    def _folders(self, pattern: str) -> list[Path]:
        return [path for path in self._folder.glob(pattern) if path.name[0].isdecimal()]


@contextmanager
def _looked_up(key: str) -> Iterator[None]:
    """Say what to do about a generation that was made before a field was known."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 -- the binding raises plain Exception
        raise StoreError(
            f"The index can't count or sort by {key}: {error}. `kb doctor --repair` rebuilds it."
        ) from None


def _building(target: Path) -> Path:
    return target.with_name(target.name + _UNFINISHED)


def _delete(folder: Path) -> None:
    """Take a folder away at once, so that nobody opens one that is half deleted."""
    gone = folder.with_name(folder.name + _GONE)
    try:
        folder.rename(gone)
    except OSError:
        gone = folder  # left by a crash under that name already, or vanished
    shutil.rmtree(gone, ignore_errors=True)


def _revision(folder: Path) -> int:
    """The revision of a finished generation's folder, -1 of an unfinished one."""
    tail = folder.name.partition(".")[2]
    return int(tail) if tail.isdecimal() else -1


class EdgeReader:
    """One generation, open for queries."""

    def __init__(self, shard: EdgeShard) -> None:
        self._shard = shard

    def dense(
        self,
        vector: NDArray[np.float32],
        filters: Filters,
        limit: int,
        among: Collection[str] | None = None,
    ) -> list[Scored]:
        """The nearest passages by cosine, best first; only those ``among`` if given."""
        nearest = Query.Nearest(vector.tolist(), using=DENSE)
        return self._query(nearest, filters, limit, among, self._breadth)

    @cached_property
    def _breadth(self) -> SearchParams:
        """Every point is compared where that takes milliseconds.

        The graph misses 9 of the nearest 200 in 100 where many passages are the same, as conditions
        of calls are: 1.4 ms against 5 at 12,500 passages; with a breadth of 512, 2.3 ms and 7 in
        100.
        """
        small = self._shard.info().points_count <= EXACT_UP_TO
        return SearchParams(exact=True) if small else SearchParams(hnsw_ef=BREADTH)

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
        sparse = SparseVector(indices=list(terms.indices), values=list(terms.values))
        return self._query(Query.Nearest(sparse, using=SPARSE), filters, limit, among)

    def rarity(self, terms: SparseTerms, access: Access) -> dict[int, float]:
        """The inverse document frequency of each term, by its number.

        The engine does not tell it, so each term is asked for alone: the best passage's score over
        its stored weight is what the engine multiplied by.
        """
        if not terms.indices:
            return {}
        seen = _filter(Filters(access))
        requests = [
            QueryRequest(
                limit=1,
                query=Query.Nearest(SparseVector(indices=[number], values=[1.0]), using=SPARSE),
                filter=seen,
                with_vector=[SPARSE],
            )
            for number in terms.indices
        ]
        unseen = unseen_rarity(self.count())
        answers = self._shard.query_batch(QueryBatchRequest(requests))
        return {
            number: _rarity(points, number) or unseen
            for number, points in zip(terms.indices, answers, strict=True)
        }

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """The languages of this generation's passages, in alphabetical order."""
        found = self._shard.facet(FacetRequest("language", limit=MAX_LANGUAGES, exact=True))
        return tuple(sorted(str(hit.value) for hit in found.hits))

    def ids(self) -> set[str]:
        """Every passage id in this generation."""
        found: set[str] = set()
        offset: Any = None
        while True:
            records, offset = self._shard.scroll(
                ScrollRequest(offset=offset, limit=5000, with_payload=False, with_vector=False)
            )
            found.update(str(record.id) for record in records)
            if offset is None:
                return found

    def count(self, filters: Filters | None = None) -> int:
        """How many passages this generation holds, or how many pass the filters."""
        return self._shard.count(
            CountRequest(exact=True, filter=None if filters is None else _filter(filters))
        )

    def facet(self, key: str, filters: Filters, limit: int) -> dict[str, int]:
        """The values of a keyword field and how many passages have each, most frequent first."""
        # "Exact" counts every value by a search of its own: four times as long at 20,000 calls.
        # Otherwise only a point that stands in two segments while it is moved counts twice, and a
        # finished generation has none.
        request = FacetRequest(key, limit=limit, exact=False, filter=_filter(filters))
        with _looked_up(key):
            return {str(hit.value): hit.count for hit in self._shard.facet(request).hits}

    def ordered(
        self, order: Order, filters: Filters, limit: int, without: Collection[str] = ()
    ) -> list[Placed]:
        """Passages by the value of a number field; those that have none are left out."""
        direction = Direction.Desc if order.descending else Direction.Asc
        start = None if order.start is None else int(order.start)
        request = ScrollRequest(
            limit=limit,
            filter=_filter(filters, without=without),
            with_payload=False,
            with_vector=False,
            order_by=OrderBy(order.key, direction, start),
        )
        with _looked_up(order.key):
            records, _ = self._shard.scroll(request)
        return [Placed(str(record.id), float(record.order_value or 0)) for record in records]

    def unordered(
        self, key: str, filters: Filters, limit: int, after: str | None, without: Collection[str]
    ) -> list[str]:
        """Passages that have no value in a number field, by id, those after ``after``."""
        left_out = {*without, *([after] if after else ())}
        wanted = _filter(filters, without=left_out)
        request = ScrollRequest(
            offset=after,
            limit=limit,
            filter=Filter(must=[wanted, IsEmptyCondition(key)]),
            with_payload=False,
            with_vector=False,
        )
        records, _ = self._shard.scroll(request)
        return [str(record.id) for record in records]

    def close(self) -> None:
        """Release the generation; no query may be running."""
        self._shard.close()

    def _query(
        self,
        query: Any,
        filters: Filters,
        limit: int,
        among: Collection[str] | None,
        params: SearchParams | None = None,
    ) -> list[Scored]:
        request = QueryRequest(
            limit=limit,
            query=query,
            filter=_filter(filters, among),
            with_payload=False,
            with_vector=False,
            params=params,
        )
        return [Scored(str(point.id), point.score) for point in self._shard.query(request)]


class EdgeWriter:
    """A generation being written into a folder that no reader looks at."""

    def __init__(self, shard: EdgeShard, building: Path, target: Path) -> None:
        self._shard = shard
        self._building = building
        self._target = target

    def add(self, points: Sequence[Point]) -> None:
        """Add points, replacing those with the same id."""
        self._shard.update(UpdateOperation.upsert_points([_edge_point(p) for p in points]))

    def drop(self, document_ids: Collection[str]) -> None:
        """Delete every point of these documents."""
        self._shard.update(UpdateOperation.delete_points_by_filter(_documents(document_ids)))

    def finish(self) -> None:
        """Optimise, make durable and close."""
        self._shard.optimize()
        self._shard.flush()
        self._shard.close()
        # Edge 0.9: whoever loads a shard first writes its journals back into its files and deletes
        # them. Readers may be many, and a backup may copy meanwhile: so that is done before.
        _load(self._building).close()
        self._building.rename(self._target)

    def abort(self) -> None:
        """Delete what was written."""
        self._shard.close()
        shutil.rmtree(self._building, ignore_errors=True)


def _create(folder: Path, dimension: int) -> EdgeShard:
    folder.mkdir(parents=True)
    shard = EdgeShard.create(str(folder), _config(dimension))
    _index_fields(shard)
    return shard


def _index_fields(shard: EdgeShard) -> None:
    """Have every field that is filtered looked up; one that already is stays as it is."""
    kinds = (
        (KEYWORDS, PayloadSchemaType.Keyword),
        (DATES, PayloadSchemaType.Datetime),
        (NUMBERS, PayloadSchemaType.Integer),
    )
    for names, kind in kinds:
        for name in names:
            shard.update(UpdateOperation.create_field_index(name, kind))


def _config(dimension: int, optimizers: EdgeOptimizersConfig | None = None) -> EdgeConfig:
    return EdgeConfig(
        vectors={DENSE: EdgeVectorParams(size=dimension, distance=Distance.Cosine)},
        sparse_vectors={SPARSE: EdgeSparseVectorParams(modifier=Modifier.Idf)},
        optimizers=optimizers,
        wal_enabled=False,
    )


def _vacuum(folder: Path) -> None:
    """Write every segment that has deleted points anew; Edge 0.9 waits for a fifth of them."""
    dimension = _dimension(folder)
    eager = EdgeOptimizersConfig(deleted_threshold=1e-9, vacuum_min_vector_number=1)
    shard = EdgeShard.load(str(folder), _config(dimension, eager))
    shard.optimize()
    shard.flush()
    shard.close()
    # The shard keeps what it was last loaded with: later runs are not to rewrite everything.
    EdgeShard.load(str(folder), _config(dimension, EdgeOptimizersConfig())).close()


def _dimension(folder: Path) -> int:
    """That of a shard's own vectors: a kept generation may be another encoder's."""
    stated = json.loads((folder / "edge_config.json").read_text(encoding="utf-8"))
    return int(stated["vectors"][DENSE]["size"])


def _load(folder: Path) -> EdgeShard:
    if not folder.is_dir():
        raise StoreError(_missing(folder))
    try:
        return EdgeShard.load(str(folder))
    except Exception as error:  # noqa: BLE001 -- the binding raises plain Exception for a bad shard
        raise StoreError(
            f"The index in {folder} can't be opened: {error}. `kb doctor --repair` rebuilds it."
        ) from None


def _copy_sparse(source: str, target: str) -> None:
    """Copy a file without filling its holes.

    Edge reserves 140 MB a shard of which a small base uses one: a plain copy would write them all.
    """
    with open(source, "rb", buffering=0) as old, open(target, "wb", buffering=0) as new:  # noqa: PTH123 -- descriptors are needed
        size = os.fstat(old.fileno()).st_size
        new.truncate(size)
        position = 0
        while position < size:
            try:
                start = os.lseek(old.fileno(), position, os.SEEK_DATA)
            except OSError:
                return  # nothing but a hole is left
            position = os.lseek(old.fileno(), start, os.SEEK_HOLE)
            old.seek(start)
            new.seek(start)
            while start < position:
                chunk = old.read(min(position - start, _CHUNK))
                new.write(chunk)
                start += len(chunk)


def _missing(folder: Path) -> str:
    return f"The index folder {folder} is missing. `kb doctor --repair` rebuilds it."


def _edge_point(point: Point) -> EdgePoint:
    return EdgePoint(
        id=point.passage.id,
        vector={
            DENSE: point.dense.tolist(),
            SPARSE: SparseVector(
                indices=list(point.sparse.indices), values=list(point.sparse.values)
            ),
        },
        payload=payload(point),
    )


def _rarity(points: list[Any], number: int) -> float | None:
    if not points:
        return None
    stored = points[0].vector[SPARSE]
    weight: float = stored.values[stored.indices.index(number)]
    score: float = points[0].score
    return score / weight


def _documents(document_ids: Collection[str]) -> Filter:
    return Filter(must=[FieldCondition("document_id", match=MatchAny(list(document_ids)))])


def _filter(
    filters: Filters, among: Collection[str] | None = None, without: Collection[str] = ()
) -> Filter:
    return Filter(must=[_translated(part) for part in condition(filters, among, without).parts])


def _translated(part: Condition) -> Any:  # noqa: PLR0911 -- one case a condition
    """A condition in the engine's terms."""
    match part:
        case OneOf(key, values):
            return FieldCondition(key, match=MatchAny(list(values)))
        case Between(key, gt, gte, lt, lte):
            return FieldCondition(key, range=RangeFloat(gte=gte, gt=gt, lte=lte, lt=lt))
        case Dated(key, since, until):
            period = RangeDateTime(
                gte=f"{since}T00:00:00Z" if since else None,
                lte=f"{until}T23:59:59Z" if until else None,
            )
            return FieldCondition(key, range=period)
        case Missing(key):
            return IsEmptyCondition(key)
        case Among(ids):
            return HasIdCondition(set(ids))
        case Every(parts):
            return Filter(must=[_translated(inner) for inner in parts])
        case Either(parts):
            return Filter(should=[_translated(inner) for inner in parts])
        case Neither(parts):
            return Filter(must_not=[_translated(inner) for inner in parts])
