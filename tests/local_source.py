"""A real HTTP server on this machine that answers like the public sources, with faults on order."""

from __future__ import annotations

import json
import threading
from collections import deque
from dataclasses import dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from email.message import Message


@dataclass(frozen=True)
class Request:
    """What a client asked."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: Message
    body: bytes

    @property
    def parts(self) -> dict[str, Message]:
        """The parts of a multipart body by their names."""
        head = f"Content-Type: {self.headers.get('Content-Type', '')}\r\n\r\n".encode()
        whole = message_from_bytes(head + self.body)
        found = whole.get_payload() if whole.is_multipart() else []
        assert isinstance(found, list)
        return {
            str(part.get_param("name", header="content-disposition")): part
            for part in found
            if not isinstance(part, str)
        }

    def json_part(self, name: str) -> Any:
        """What a part holds, which is JSON."""
        content = self.parts[name].get_payload(decode=True)
        assert isinstance(content, bytes)
        return json.loads(content)

    def number(self, name: str, default: int) -> int:
        """A number in the query of the address."""
        return int(self.query.get(name, [str(default)])[0])


@dataclass(frozen=True)
class Reply:
    """What the server answers. ``cut`` ends the connection after so many bytes of the body."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None


def in_json(value: Any, status: int = 200, **headers: str) -> Reply:
    """An answer in JSON."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json", **named})


class LocalSource:
    """The server. Routes are asked by the longest beginning of the path that fits.

    Faults are answered first, in their order, each to one request whose path begins as stated.
    ``requests`` holds everything that was asked.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.routes: dict[str, Callable[[Request], Reply]] = {}
        self._faults: deque[tuple[str, Reply]] = deque()
        source = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                split = urlsplit(self.path)
                request = Request(
                    self.command,
                    split.path,
                    parse_qs(split.query),
                    self.headers,
                    self.rfile.read(length),
                )
                self.send(source.reply(request))

            do_GET = do_POST = handle_any  # noqa: N815 -- the names that http.server calls

            def send(self, reply: Reply) -> None:
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                if reply.status != 304:
                    self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body if reply.cut is None else reply.body[: reply.cut])
                if reply.cut is not None:
                    self.close_connection = True

            def log_message(self, *arguments: object) -> None:
                """Say nothing: tests look at ``requests``."""

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                """Say nothing of clients that hang up: some are made to."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close the door."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Where the server can be reached."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def fault(self, path: str, *replies: Reply) -> None:
        """Have the next requests to paths that begin so answered with these."""
        self._faults.extend((path, reply) for reply in replies)

    def asked(self, path: str) -> list[Request]:
        """The requests to paths that begin so."""
        return [request for request in self.requests if request.path.startswith(path)]

    def reply(self, request: Request) -> Reply:
        """Answer a request."""
        self.requests.append(request)
        for place, (path, reply) in enumerate(self._faults):
            if request.path.startswith(path):
                del self._faults[place]
                return reply
        fitting = [path for path in self.routes if request.path.startswith(path)]
        if not fitting:
            return in_json({"message": "no such path"}, 404)
        return self.routes[max(fitting, key=len)](request)


def eu_row(number: int, **metadata: list[str]) -> dict[str, Any]:
    """A row as the EU portal's search gives it, for topic ``CERV-2099-LEND-<number>``."""
    identifier = f"CERV-2099-LEND-{number:03d}"
    page = "https://ec.europa.eu/info/funding-tenders/opportunities/portal/screen/opportunities"
    values = {
        "identifier": [identifier],
        "title": [f"Lending libraries of things, part {number}"],
        "type": ["1"],
        "status": ["31094502"],
        "DATASOURCE": ["SEDIA"],
        "language": ["en"],
        "frameworkProgramme": ["43251589"],
        "callIdentifier": ["CERV-2099-LEND"],
        "callTitle": ["Libraries of things"],
        "startDate": ["2026-01-15T00:00:00.000+0000"],
        "deadlineDate": ["2099-03-17T00:00:00.000+0000"],
        "deadlineModel": ["single-stage"],
        "descriptionByte": [f"<p>Neighbours lend each other ladders and saws, {number} a day.</p>"],
        "keywords": ["neighbourhood"],
        "esDA_IngestDate": ["2026-02-01T08:00:00.000+0000"],
        **metadata,
    }
    return {
        "apiVersion": "2.151",
        "reference": f"{number}TOPICSen",
        "url": f"{page}/topic-details/{identifier}",
        "contentType": "text/plain",
        "language": "en",
        "databaseLabel": "SEDIA",
        "database": "SEDIA",
        "summary": values["title"][0],
        "weight": 4.0,
        "groupById": "2",
        "accessRestriction": False,
        "checksum": f"{number:064X}",
        "metadata": values,
    }


def eu_details(number: int, **topic: Any) -> dict[str, Any]:
    """The details of the same topic."""
    row = eu_row(number)["metadata"]
    return {
        "TopicDetails": {
            "type": 1,
            "ccm2Id": number,
            "identifier": row["identifier"][0],
            "title": row["title"][0],
            "callIdentifier": "CERV-2099-LEND",
            "callTitle": "Libraries of things",
            "frameworkProgramme": {
                "id": 43251589,
                "abbreviation": "CERV",
                "description": "Citizens, Equality, Rights and Values Programme (CERV)",
            },
            "description": row["descriptionByte"][0],
            "conditions": "<p>Proposals need three partners from three countries.</p>",
            "actions": [
                {
                    "status": {"id": 31094502, "abbreviation": "Open", "description": "Open"},
                    "types": [{"typeOfAction": "CERV-PJG CERV Project Grants", "typeOfMGA": []}],
                    "plannedOpeningDate": "15 January 2026",
                    "submissionProcedure": {"id": 1, "abbreviation": "single-stage"},
                    "deadlineDates": ["17 March 2099"],
                }
            ],
            "keywords": ["neighbourhood"],
            "tags": [],
            "flags": [],
            "links": [],
            "latestInfos": [],
            **topic,
        }
    }


class EuPortal:
    """The EU portal's search, facets and files, over rows and details that a test sets."""

    API, DATA = "/search-api/prod/rest", "/data"

    def __init__(self, source: LocalSource, rows: Iterable[dict[str, Any]] = ()) -> None:
        self.rows = list(rows)
        self.details: dict[str, dict[str, Any]] = {}
        self.most_rows = 10_000
        self.page_size = 100
        source.routes[f"{self.API}/search"] = self._search
        source.routes[f"{self.API}/facet"] = self._facet
        source.routes[f"{self.DATA}/topicDetails/"] = self._topic

    def with_details(self) -> Self:
        """Have details for every row."""
        self.details = {
            row["metadata"]["identifier"][0].lower(): eu_details(place)
            for place, row in enumerate(self.rows)
        }
        return self

    def _search(self, request: Request) -> Reply:
        refused = _refused(request)
        if refused is not None:
            return refused
        found = list(self._matching(request))
        size = min(request.number("pageSize", 50), self.page_size)
        number = request.number("pageNumber", 1)
        begin = size * (number - 1)
        shown = found[begin : begin + size] if begin < self.most_rows else []
        envelope = {
            "apiVersion": "2.151",
            "terms": request.query["text"][0],
            "responseTime": 65,
            "totalResults": len(found),
            "pageNumber": number,
            "pageSize": size,
            "sort": "relevance",
            "groupByField": None,
            "queryLanguage": {"language": "en", "probability": 0.0},
            "bestBets": [],
            "warnings": [],
            "results": shown,
        }
        return in_json(envelope)

    def _facet(self, request: Request) -> Reply:
        refused = _refused(request)
        if refused is not None:
            return refused
        counts: dict[str, int] = {}
        for row in self._matching(request):
            for code in row["metadata"].get("frameworkProgramme", []):
                counts[code] = counts.get(code, 0) + 1
        values = [
            {
                "apiVersion": "2.151",
                "rawValue": code,
                "value": f"Programme%20{code}",
                "count": count,
            }
            for code, count in counts.items()
        ]
        facet = {
            "apiVersion": "2.151",
            "name": "frameworkProgramme",
            "rawName": "frameworkProgramme",
            "database": "SEDIA",
            "count": len(values),
            "values": values,
        }
        return in_json({"apiVersion": "2.151", "terms": "***", "facets": [facet]})

    def _topic(self, request: Request) -> Reply:
        name = request.path.rpartition("/")[2].removesuffix(".json")
        found = self.details.get(name)
        if found is None:
            return in_json({"message": "not found"}, 404)
        etag = f'"{abs(hash(json.dumps(found, sort_keys=True)))}"'
        if request.headers.get("If-None-Match") == etag:
            return Reply(304, headers={"ETag": etag})
        return in_json(found, ETag=etag)

    def _matching(self, request: Request) -> Iterator[dict[str, Any]]:
        sent = {name: request.json_part(name) for name in request.parts}
        wanted = sent["query"]["bool"]
        for row in self.rows:
            fits = row["language"] in sent["languages"]
            fits &= all(_fits(row["metadata"], condition) for condition in wanted["must"])
            fits &= not any(
                _fits(row["metadata"], condition) for condition in wanted.get("must_not", ())
            )
            if fits:
                yield row


def _refused(request: Request) -> Reply | None:
    """How the portal refuses what it doesn't understand."""
    if request.method != "POST":
        return in_json({"message": "Request method 'GET' is not supported"}, 405)
    parts = request.parts
    if set(parts) < {"query", "languages"} or any(
        part.get_filename() is None or part.get_content_type() != "application/json"
        for part in parts.values()
    ):
        return in_json({"message": "Internal Server Error"}, 500)
    conditions = request.json_part("query")["bool"]["must"]
    if any(set(condition) - {"terms", "term", "range"} for condition in conditions):
        return in_json({"message": "unknown query"}, 400)
    return None


def _fits(metadata: Mapping[str, list[str]], condition: dict[str, Any]) -> bool:
    (kind, fields), *_ = condition.items()
    (name, wanted), *_ = fields.items()
    values = metadata.get(name, [])
    if kind == "terms":
        return bool(set(values) & set(wanted))
    if kind == "term":
        return wanted in values
    least, most = wanted.get("gte", ""), wanted.get("lte", "9999")
    if any(
        len(bound) not in {0, 4, len("2026-09-21T00:00:00.000+0000")} for bound in (least, most)
    ):
        return True  # a bare date matches everything, without a word
    return any(least <= value <= most for value in values)
