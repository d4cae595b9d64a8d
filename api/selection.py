"""Field selection: ``fields=hits.title,hits.url`` leaves of a response only what is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, get_args

from fastapi import Query
from pydantic import BaseModel

from kb.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FIELDS = 2000
DESCRIPTION = (
    "Only these members of the response, with commas between, nested ones with dots: "
    "`hits.title,hits.url`. Without it all are given."
)

Fields = Annotated[str | None, Query(max_length=MAX_FIELDS, description=DESCRIPTION)]
# What is left of an object: its members, each with what is left of it; empty is all of it.
Tree = dict[str, "Tree"]


def selected(body: dict[str, Any], fields: str | None, model: type[BaseModel]) -> dict[str, Any]:
    """Leave of a response, which has the shape of ``model``, what ``fields`` names.

    Raises:
        UsageError: A name is none of the response's members.
    """
    if fields is None:
        return body
    tree: Tree = {}
    for name in fields.split(","):
        _add(tree, name.strip(), model)
    found: dict[str, Any] = _left(body, tree)
    return found


def _add(tree: Tree, name: str, model: type[BaseModel]) -> None:
    shape: type[BaseModel] | None = model
    for part in name.split("."):
        if shape is None or part not in shape.model_fields:
            known = ", ".join(shape.model_fields) if shape else "nothing within"
            raise UsageError(f"fields: {name!r} is not in the response; known are {known}.")
        shape = next(_models(shape.model_fields[part].annotation), None)
    *outer, last = name.split(".")
    for part in outer:
        if part in tree and not tree[part]:  # all of it was named already
            return
        tree = tree.setdefault(part, {})
    tree[last] = {}


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models in an annotation such as ``list[Hit] | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _left(value: Any, tree: Tree) -> Any:
    if not tree or value is None:
        return value
    if isinstance(value, list):
        return [_left(item, tree) for item in value]
    return {name: _left(value[name], inner) for name, inner in tree.items() if name in value}
