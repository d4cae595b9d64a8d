"""What the site says of itself: how far it is accessible, and what it keeps of its visitors."""

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from api.access import EVERYONE, OpenKnowledgeBase
from api.web.site import CurrentSite

router = APIRouter(include_in_schema=False)


@router.get("/accessibility", dependencies=[EVERYONE])
async def accessibility(site: CurrentSite) -> HTMLResponse:
    """State what was tested, what is known to be missing, and how to reach the team."""
    return site.page("accessibility.html")


@router.get("/privacy", dependencies=[EVERYONE])
async def privacy(site: CurrentSite, kb: OpenKnowledgeBase) -> HTMLResponse:
    """State what is kept of those who ask, for how long, and what for."""
    return site.page("privacy.html", settings=kb.settings)
