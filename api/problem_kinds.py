"""Every kind of problem that programs may meet, with what to do, and the pages that say so."""

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Path
from starlette.responses import HTMLResponse

from api.web.site import CurrentSite
from kb.errors import NotFoundError

router = APIRouter(prefix="/problems", include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: its HTTP status, and what it means and asks for, in French and English."""

    status: int
    french: str
    english: str

    def said(self, language: str) -> str:
        """What it means and asks for, in a language of the pages."""
        return self.french if language == "fr" else self.english


# By the last part of a problem's ``type``, which never changes. A test holds this equal to what the
# code sends.
KINDS: Final = {
    "address-too-long": Kind(
        414,
        "L'adresse ou ses paramètres sont trop longs. Raccourcissez la question ou envoyez-la par "
        "POST.",
        "The address or its parameters are too long. Shorten the question, or send it by POST.",
    ),
    "body-too-large": Kind(
        413,
        "Le corps de la requête est trop grand. Envoyez-le en plusieurs fois.",
        "The body of the request is too large. Send it in several parts.",
    ),
    "busy": Kind(
        503,
        "Le service a autant à faire qu'il peut. Réessayez après le délai de Retry-After.",
        "The service has as much to do as it can. Try again after the delay of Retry-After.",
    ),
    "client-left": Kind(
        499,
        "Vous êtes parti avant la réponse ; le travail a été arrêté.",
        "You left before the answer; the work was stopped.",
    ),
    "cross-site-request": Kind(
        403,
        "Une page d'un autre site a demandé cette modification. Faites-la depuis le service.",
        "A page of another site asked for this change. Ask for it from the service's own pages.",
    ),
    "csrf-token-missing": Kind(
        403,
        "La modification vient d'une session sans son jeton. Rechargez la page, ou envoyez "
        "csrf_token de /v1/session dans X-CSRF-Token.",
        "The change comes with a session but without its token. Reload the page, or send "
        "csrf_token of /v1/session as X-CSRF-Token.",
    ),
    "file-unreadable": Kind(
        422,
        "Le fichier ne peut pas être lu. Le détail dit pourquoi.",
        "The file can't be read. The detail says why.",
    ),
    "file-unsupported": Kind(
        422,
        "Ce format de fichier n'est pas connu, ou le fichier ne contient pas de texte.",
        "This format of file is not known, or the file holds no text.",
    ),
    "internal-error": Kind(
        500,
        "Une erreur du service. Signalez-la avec l'identifiant de la requête.",
        "A fault of the service. Report it with the id of the request.",
    ),
    "key-not-accepted": Kind(
        401,
        "La clé est mal recopiée, expirée ou révoquée. Demandez-en une autre, ou n'en envoyez pas.",
        "The key is mistyped, expired or revoked. Ask for another, or send none.",
    ),
    "method-not-allowed": Kind(
        405,
        "Cette méthode ne s'emploie pas à cette adresse. Consultez la documentation.",
        "This method can't be used at this address. See the documentation.",
    ),
    "not-acceptable": Kind(
        406,
        "Aucun des formats acceptés ne peut être donné. Acceptez application/json.",
        "None of the accepted formats can be given. Accept application/json.",
    ),
    "not-found": Kind(
        404,
        "Il n'y a rien à cette adresse, ou rien que vous puissiez lire.",
        "There is nothing at this address, or nothing that you may read.",
    ),
    "not-ready": Kind(
        503,
        "Le service n'est pas prêt ; le détail dit ce qui manque.",
        "The service is not ready; the detail says what is missing.",
    ),
    "nothing-ingested": Kind(
        503,
        "La base est vide. Elle répondra dès que des documents y seront entrés.",
        "The base is empty. It will answer as soon as documents are in it.",
    ),
    "request-not-understood": Kind(
        422,
        "La requête n'est pas comprise ; le détail et errors nomment les champs.",
        "The request is not understood; the detail and errors name the fields.",
    ),
    "request-timeout": Kind(
        408,
        "Le corps de la requête est arrivé trop lentement. Réessayez.",
        "The body of the request came too slowly. Try again.",
    ),
    "store-not-available": Kind(
        503,
        "Le service ne peut pas répondre en ce moment. Réessayez un peu plus tard.",
        "The service can't answer at the moment. Try again a little later.",
    ),
    "too-many-requests": Kind(
        429,
        "Trop de requêtes. Attendez le nombre de secondes de Retry-After.",
        "Too many requests. Wait as many seconds as Retry-After says.",
    ),
    "took-too-long": Kind(
        503,
        "La réponse a pris trop de temps et a été arrêtée. Posez une question plus courte, ou "
        "réessayez.",
        "The answer took too long and was stopped. Ask a shorter question, or try again.",
    ),
}


@router.get("")
async def list_problems(site: CurrentSite) -> HTMLResponse:
    """List every kind of problem."""
    return site.page("problems.html", kinds=KINDS, named=None)


@router.get("/{slug}")
async def show_problem(
    slug: Annotated[str, Path(max_length=100)], site: CurrentSite
) -> HTMLResponse:
    """Say what one kind of problem means; its ``type`` is this address."""
    kind = KINDS.get(slug)
    if kind is None:
        raise NotFoundError("There is no such kind of problem.")
    return site.page("problems.html", kinds={slug: kind}, named=slug)
