"""Methods that an address does not take: 405, which names those that it takes, but not of staff."""

from fastapi import Request
from starlette.exceptions import HTTPException

from api.access import Caller, Reach, reach_of
from api.problems import ProblemResponse, error_problem, problem_response
from kb.errors import NotFoundError


async def on_wrong_method(request: Request, error: Exception) -> ProblemResponse:
    """Say that a method can't be used; of an address for staff alone, that nothing is there."""
    if not isinstance(error, HTTPException):  # Starlette's handlers take any exception
        raise error
    if _is_hidden(request):
        return error_problem(request.scope, NotFoundError("There is nothing at this address."))
    detail = f"{request.method} can't be used at this address."
    return problem_response(request.scope, error.status_code, detail, headers=error.headers)


def _is_hidden(request: Request) -> bool:
    caller: Caller = request.state.caller
    dependant = getattr(request.scope.get("route"), "dependant", None)
    for_staff = dependant is not None and reach_of(dependant) is Reach.STAFF
    return for_staff and not caller.is_whole_staff
