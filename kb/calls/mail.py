"""Mails over SMTP: no text can add a header, and it is known what became of each."""

from __future__ import annotations

import re
import smtplib
import ssl
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from functools import cached_property
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from email_validator import EmailNotValidError, validate_email

from kb.errors import KnowledgeBaseError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from urllib.parse import SplitResult

    from kb.settings import Settings

TIMEOUT = 30.0  # seconds for each answer of the server
_LOCAL = {"localhost", "127.0.0.1", "::1"}
_PORTS = {"smtp": 587, "smtps": 465}
_GO_AHEAD, _ACCEPTED = 354, 250
_UNFOLDED = {"list-unsubscribe", "message-id"}
_TEXT = "quoted-printable"


class MailRefusedError(KnowledgeBaseError):
    """The server did not take a mail: it may be sent again."""


class MailUnavailableError(MailRefusedError):
    """The server takes no mail at all at present, so that trying others is no use."""


class MailDoubtfulError(KnowledgeBaseError):
    """The connection ended after a whole mail was sent and before the server's word on it."""


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """A mail server: ``security`` is ``tls`` from the start, ``starttls``, or ``none``."""

    host: str
    port: int
    security: str
    user: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Letter:
    """What a mail says, in the same words twice: as plain text and as HTML."""

    subject: str
    text: str
    html: str
    language: str


class Mailer(Protocol):
    """Sends mails from the service's own address."""

    @property
    def sender(self) -> str:
        """The address that mails come from."""
        ...

    def send(self, message: EmailMessage, recipient: str) -> None:
        """Send a mail; when this returns, the server has accepted it.

        Raises:
            MailRefusedError: It was not accepted.
            MailDoubtfulError: Nobody knows whether it was.
        """
        ...


class _WholeAddresses(EmailPolicy):
    """Folds headers, but for addresses that mail programs look up as they stand.

    Python 3.11 breaks a long one into encoded words, which RFC 2369 does not allow in a
    ``List-Unsubscribe``: providers would find no address in it.
    """

    def fold_binary(self, name: str, value: str) -> bytes:
        """Return a header as it is sent."""
        if name.lower() in _UNFOLDED:
            return f"{name}: {value}".encode("ascii") + b"\r\n"
        return super().fold_binary(name, value)


_POLICY = _WholeAddresses(linesep="\r\n", cte_type="7bit")


class SmtpMailer:
    """Sends each mail over a connection of its own, with the server's certificate checked."""

    def __init__(self, server: SmtpServer, sender: str, timeout: float = TIMEOUT) -> None:
        self._server = server
        self._timeout = timeout
        self.sender = sender

    def send(self, message: EmailMessage, recipient: str) -> None:
        """Send a mail, as ``Mailer`` says."""
        content = message.as_bytes(policy=_POLICY).rstrip() + b"\r\n"
        connection = self._connect()
        try:
            self._hand_over(connection, recipient, content)
        finally:
            _leave(connection)

    @cached_property
    def _context(self) -> ssl.SSLContext:
        """The certificates that are trusted; reading them takes 0.1 s."""
        return ssl.create_default_context()

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        try:
            connection = (
                smtplib.SMTP_SSL(
                    server.host, server.port, timeout=self._timeout, context=self._context
                )
                if server.security == "tls"
                else smtplib.SMTP(server.host, server.port, timeout=self._timeout)
            )
        except (OSError, ValueError, smtplib.SMTPException) as error:
            raise self._unavailable(error) from None  # ValueError: a host that is no host's name
        try:
            if server.security == "starttls":
                connection.starttls(context=self._context)
            if server.user:
                connection.login(server.user, server.password)
        except (OSError, ValueError, smtplib.SMTPException) as error:
            _leave(connection)
            raise self._unavailable(error) from None
        return connection

    def _hand_over(self, connection: smtplib.SMTP, recipient: str, content: bytes) -> None:
        try:
            connection.ehlo_or_helo_if_needed()
            for answer in (connection.mail(self.sender), connection.rcpt(recipient)):
                _expect(answer, _ACCEPTED, recipient)
            _expect(connection.docmd("DATA"), _GO_AHEAD, recipient)
        except (OSError, smtplib.SMTPException) as error:
            raise MailRefusedError(f"The mail server ended the connection: {error}.") from None
        try:
            connection.send(re.sub(rb"(?m)^\.", b"..", content) + b".\r\n")
            answer = connection.getreply()
        except (OSError, smtplib.SMTPException) as error:
            raise MailDoubtfulError(
                f"The mail server ended the connection before its last word: {error}."
            ) from None
        _expect(answer, _ACCEPTED, recipient)

    def _unavailable(self, error: Exception) -> MailUnavailableError:
        server = self._server
        return MailUnavailableError(
            f"The mail server {server.host}:{server.port} can't be used: {error}. Check "
            "KB_SMTP_URL; what was not sent is sent by the next `kb alerts run`."
        )


def _leave(connection: smtplib.SMTP) -> None:
    """Say goodbye; what the server answers to that changes nothing."""
    try:
        connection.quit()
    except (OSError, smtplib.SMTPException):
        connection.close()


def _expect(answer: tuple[int, bytes], wanted: int, recipient: str) -> None:
    """Raise a refusal where the server answers otherwise, without the address: logs keep it."""
    code, words = answer
    if code == wanted or (wanted == _ACCEPTED and code // 100 == _ACCEPTED // 100):
        return
    said = one_line(words.decode("utf-8", "replace"))
    said = re.sub(re.escape(recipient), "the address", said, flags=re.IGNORECASE)
    raise MailRefusedError(f"The mail server refused a mail: {code} {said}.")


def make_mailer(settings: Settings) -> SmtpMailer | None:
    """The mailer of these settings; null where no mail server is set.

    Raises:
        UsageError: A mail server is set, but it, the sender or the public address can't be used.
    """
    url = settings.smtp_url.get_secret_value()
    if not url:
        return None
    public_address(settings.public_url)
    try:
        sender = mail_address(settings.mail_from)
    except UsageError as error:
        raise UsageError(f"KB_MAIL_FROM: {error}") from None
    return SmtpMailer(smtp_server(url), sender)


def smtp_server(url: str) -> SmtpServer:
    """Read ``smtp://user:password@host:587`` (STARTTLS) or ``smtps://…:465`` (TLS).

    ``?tls=none`` sends without encryption, to this machine alone.

    Raises:
        UsageError: It is no such address; the message does not hold it, since it may hold a
            password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _bad_url("its host or port can't be read") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise _bad_url("it must be smtp://host or smtps://host")
    if parts.path not in {"", "/"}:
        raise _bad_url("it has a path; write %2F for a slash in a user or password")
    return SmtpServer(
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        security=_security(parts),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )


def _security(parts: SplitResult) -> str:
    stated = parse_qs(parts.query, keep_blank_values=True)
    if not stated:
        return "tls" if parts.scheme == "smtps" else "starttls"
    if stated != {"tls": ["none"]} or parts.scheme != "smtp":
        raise _bad_url("after ? only smtp://…?tls=none is known")
    if parts.hostname not in _LOCAL:
        raise _bad_url("tls=none is for a server on this machine alone (localhost)")
    return "none"


def _bad_url(reason: str) -> UsageError:
    return UsageError(f"KB_SMTP_URL can't be used: {reason}.")


def public_address(url: str) -> str:
    """The public address of the service, without a slash at its end.

    Raises:
        UsageError: It is no ``https`` address; ``http`` is for this machine alone.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOCAL)
    if not secure or not parts.hostname or parts.query or parts.fragment or not url.isascii():
        raise UsageError(
            "KB_PUBLIC_URL must be the https address at which readers reach the service, such as "
            "https://calls.example.org: the links in mails begin with it."
        )
    return url.rstrip("/")


def mail_address(text: str) -> str:
    """Return an e-mail address in the form in which it is written to.

    Raises:
        UsageError: It is none.
    """
    try:
        found = validate_email(text, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError as error:
        raise UsageError(f"This is no e-mail address that can be written to: {error}") from None
    return found.ascii_email or found.normalized


def compose(
    letter: Letter, *, sender: str, recipient: str, at: datetime, headers: Mapping[str, str]
) -> EmailMessage:
    """Make a mail of a letter: plain text with an HTML alternative, and further headers."""
    message = EmailMessage(SMTP)
    message["From"] = Address("Opération Milliard", addr_spec=sender)
    message["To"] = Address(addr_spec=recipient)
    message["Subject"] = one_line(letter.subject)
    message["Date"] = at
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: holiday notices don't answer
    for name, value in headers.items():
        message[name] = value
    message.set_content(letter.text, cte=_TEXT)
    message.add_alternative(letter.html, subtype="html", cte=_TEXT)
    message["Content-Language"] = letter.language  # before, it would move to the first part
    return message


def one_line(text: str) -> str:
    """A text that a header can hold: on one line, without control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
