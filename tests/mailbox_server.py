"""A real mail server on this machine that keeps what it accepts, and answers as it is told to."""

from __future__ import annotations

import socket
from email import message_from_bytes
from email.policy import default
from typing import TYPE_CHECKING, Any

from aiosmtpd.controller import Controller

from kb.calls.mail import SmtpServer

if TYPE_CHECKING:
    from email.message import EmailMessage

    from aiosmtpd.smtp import SMTP, Envelope, Session


class Inbox:
    """A mail server that keeps what it accepts, and answers as it is told to."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.recipients: list[str] = []
        self.on_recipient = "250 OK"
        self.on_data = "250 OK"
        self.hang_up: str | None = None
        self._started: list[Controller] = []

    def serve(self, security: str = "none", **options: Any) -> SmtpServer:
        """Start a mail server that fills this inbox; options are aiosmtpd's."""
        controller = Controller(self, hostname="127.0.0.1", port=free_port(), **options)
        controller.start()
        self._started.append(controller)
        return SmtpServer("127.0.0.1", controller.port, security)

    def close(self) -> None:
        """Stop the servers."""
        for controller in self._started:
            controller.stop()

    async def handle_RCPT(  # noqa: N802 -- aiosmtpd names and calls it
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        """Take or refuse a recipient."""
        del session, options
        if self.hang_up == "recipient":
            _hang_up(server)
        if self.on_recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.on_recipient.replace("ADDRESS", address)

    async def handle_DATA(  # noqa: N802 -- as above
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Take or refuse a mail, or hang up when it has come whole."""
        del session
        if self.on_data.startswith("250"):
            content = envelope.original_content or b""
            self.raw.append(content)
            self.mails.append(message_from_bytes(content, policy=default))
            self.recipients += envelope.rcpt_tos
        if self.hang_up == "data":
            _hang_up(server)
        return self.on_data


def _hang_up(server: SMTP) -> None:
    assert server.transport is not None
    server.transport.close()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        port: int = opened.getsockname()[1]
        return port
