"""A plain service over the same passages, to compare with: SQLite's full-text search and FastAPI.

    python -m evaluation.load.peer FILE

It finds passages by words alone (BM25), those of four letters and more, since the short ones stand
in every passage: no vectors, no other language, no roles, keys, limits or audit trail.
"""

from __future__ import annotations

import re
import socket
import sqlite3
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi import FastAPI

_WORD = re.compile(r"\w{4,}")
_FIND = """
 select passages.title, passages.text, bm25(passages) score from passages
 where passages match ? order by score limit 10"""
_COPY = """
 insert into passages select versions.title, passages.text
 from base.passages passages
 join base.versions versions on versions.key = passages.version_key
 join base.members members on members.version_key = versions.key
 where members.generation = ? and members.current"""


def build(record: Path, file: Path) -> int:
    """Write the passages of a base's current generation into a full-text table; returns how many.

    Args:
        record: The base's database.
        file: The database to make.
    """
    address = file.as_uri()
    with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
        connection.execute("attach ? as base", (f"{record.as_uri()}?mode=ro",))
        columns = "title, text, tokenize = 'unicode61 remove_diacritics 2'"
        connection.execute(f"create virtual table passages using fts5({columns})")
        newest = "select max(id) from base.generations where state = 'published'"
        count = connection.execute(_COPY, connection.execute(newest).fetchone()).rowcount
        connection.execute("insert into passages(passages) values ('optimize')")
    return count


def make_app(file: Path | str) -> FastAPI:
    """The service; a thread keeps its connection."""
    from fastapi import FastAPI as Made  # noqa: PLC0415 -- only for who serves

    app = Made()
    threads = threading.local()

    @app.get("/v1/search")
    def search(query: str) -> dict[str, Any]:
        if not hasattr(threads, "connection"):
            threads.connection = sqlite3.connect(file)
        words = " OR ".join(f'"{word}"' for word in _WORD.findall(query))
        found = threads.connection.execute(_FIND, (words,)).fetchall() if words else []
        return {"hits": [{"title": each[0], "text": each[1], "score": -each[2]} for each in found]}

    return app


def main() -> None:
    """Serve a file on a free port, one process."""
    import uvicorn  # noqa: PLC0415 -- as above

    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(make_app(sys.argv[1]), log_level="warning", loop="asyncio")
    uvicorn.Server(config).run([listener])


if __name__ == "__main__":
    main()
