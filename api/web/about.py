"""What the site says of itself: how far it is accessible, and whom to tell where it is not."""

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from api.access import EVERYONE
from api.web.site import CurrentSite

router = APIRouter(include_in_schema=False)


@router.get("/accessibility", dependencies=[EVERYONE])
async def accessibility(site: CurrentSite) -> HTMLResponse:
    """State what was tested, what is known to be missing, and how to reach the team."""
    return site.page("accessibility.html")
