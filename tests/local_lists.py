"""French sources and the EU portal's bulk file, for ``local_source`` to answer with."""

from __future__ import annotations

import json
from typing import Any

from local_source import EuPortal, LocalSource, Reply, Request, in_json

BULK = f"{EuPortal.DATA}/referenceData/grantsTenders.json"


def bulk_file(count: int, kind: int = 1) -> bytes:
    """The portal's file of all its topics."""
    objects = [
        {
            "type": kind,
            "ccm2Id": number,
            "identifier": f"CERV-2099-LEND-{number:03d}",
            "title": f"Lending libraries of things, part {number}",
            "callIdentifier": "CERV-2099-LEND",
            "publicationDateLong": 1765497600000,
            "plannedOpeningDateLong": 1768435200000,
            "deadlineDatesLong": [4077302400000],
            "frameworkProgramme": {"id": 43251589, "abbreviation": "CERV", "description": "CERV"},
            "status": {"id": 31094502, "abbreviation": "Open", "description": "Open"},
            "deadlineModel": {},
            "topicActions": [],
            "actions": [],
            "keywords": ["neighbourhood"],
            "tags": [],
            "flags": [],
        }
        for number in range(count)
    ]
    return json.dumps({"fundingData": {"GrantTenderObj": objects}}).encode()


def with_ranges(content: bytes, etag: str) -> Any:
    """A route to a file that knows versions and parts."""

    def route(request: Request) -> Reply:
        if request.headers.get("If-None-Match") == etag:
            return Reply(304, headers={"ETag": etag})
        asked = request.headers.get("Range")
        if asked and request.headers.get("If-Range") == etag:
            first = int(asked.removeprefix("bytes=").removesuffix("-"))
            last = len(content) - 1
            part = {"ETag": etag, "Content-Range": f"bytes {first}-{last}/{len(content)}"}
            return Reply(206, content[first:], part)
        return Reply(200, content, {"ETag": etag})

    return route


class Aids:
    """Aides-territoires: a token for a token, and pages with the address of the next."""

    def __init__(self, source: LocalSource, count: int) -> None:
        self.url = source.url
        self.aids = [self.aid(number) for number in range(count)]
        self.page_size = 2
        self.bearers = ["day-1", "day-2"]
        self.next_host = source.url.removeprefix("http://")
        source.routes["/api/connexion/"] = self._connect
        source.routes["/api/aids/"] = self._list

    @staticmethod
    def aid(number: int) -> dict[str, Any]:
        """An aid as the API gives it."""
        return {
            "id": 7000 + number,
            "slug": f"pret-d-objets-{number}",
            "url": f"/aides/pret-d-objets-{number}/",
            "name": f"Bibliothèques d'objets, volet {number}",
            "financers": ["Ville de Lune"],
            "description": "<p>La ville aide les associations qui prêtent des échelles.</p>",
            "eligibility": "<p>Être une association.</p>",
            "perimeter": "Lune (Commune)",
            "targeted_audiences": ["Associations"],
            "submission_deadline": "2099-03-17",
            "recurrence": "Ponctuelle",
            "is_live": True,
            "european_aid": None,
        }

    def _connect(self, request: Request) -> Reply:
        if request.method != "POST" or request.headers.get("X-AUTH-TOKEN") != "lent-ladder":
            return in_json({"message": "Le jeton lent-ladder n'est pas valide"}, 401)
        return in_json({"token": self.bearers[0]})

    def _list(self, request: Request) -> Reply:
        if request.headers.get("Authorization") != f"Bearer {self.bearers[0]}":
            return in_json({"message": "JWT"}, 401)
        assert request.query["targeted_audiences"] == ["association"]
        number = request.number("page", 1)
        size = min(request.number("itemsPerPage", 30), self.page_size)
        begin = size * (number - 1)
        more = begin + size < len(self.aids)
        query = f"itemsPerPage={size}&targeted_audiences=association&page={number + 1}"
        return in_json(
            {
                "count": len(self.aids),
                "previous": None,
                "next": f"http://{self.next_host}/api/aids/?{query}" if more else None,
                "results": self.aids[begin : begin + size],
            }
        )


class Region:
    """The open data of Île-de-France: records by limit and offset."""

    def __init__(self, source: LocalSource, count: int) -> None:
        self.records = [self.record(number) for number in range(count)]
        self.total: int | None = None
        path = "/datasets/aides-appels-a-projets"
        source.routes[f"{path}/records"] = self._page
        source.routes[f"{path}/exports/json"] = lambda _: in_json(self.records)

    @staticmethod
    def record(number: int) -> dict[str, Any]:
        """A record as the data set has it."""
        return {
            "reference_administrative": 24000 + number,
            "id_aide": f"aide-{number}",
            "nom_de_l_aide_de_la_demarche": f"Bibliothèques d'objets, volet {number}",
            "porteur_aide": "Région Île-de-France",
            "theme": ["Économie sociale et solidaire"],
            "qui_peut_en_beneficier": ["Associations"],
            "entete": "La Région aide les associations qui prêtent des échelles.",
            "objectif": "<p>Prêter plutôt que vendre.</p>",
            "modalite": "<p>Jusqu'à 5 000 €.</p>",
            "date_ouverture": "2026-01-15",
            "date_cloture": "2099-03-17",
            "url_descriptif": f"https://www.iledefrance.fr/aides-et-appels-a-projets/{number + 1}",
        }

    def _page(self, request: Request) -> Reply:
        limit, offset = request.number("limit", 10), request.number("offset", 0)
        if limit > 100 or limit + offset > 10_000:
            return in_json({"error_code": "InvalidRESTParameterError"}, 400)
        shown = self.records[offset : offset + min(limit, 2)]
        return in_json({"total_count": self.total or len(self.records), "results": shown})
