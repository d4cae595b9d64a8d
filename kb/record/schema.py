"""The tables of the system of record, for SQLite and PostgreSQL.

What a generation holds is written out in two tables that are copied from one generation to the
next: ``members`` (the versions that can be read, and which one of a document is current) and
``sources`` (the files that they came from). Everything else is written once and never changed,
but for metadata and removal, which hold for every generation at once. Visibility belongs to the
generation, so that a rollback also takes back what was shown by mistake; what is narrowed is
narrowed in every generation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

if TYPE_CHECKING:
    from sqlalchemy import Dialect

SCHEMA_VERSION = 3

# A file name is bytes: those that are no UTF-8 are lone surrogates in Python, which no database
# takes. They are kept as the last private characters of Unicode, which no name holds.
_ESCAPED = {0xDC00 + byte: 0x10FF00 + byte for byte in range(0x80, 0x100)}
_RESTORED = {kept: lone for lone, kept in _ESCAPED.items()}


class FilePath(TypeDecorator[str]):
    """The path of a file, whatever bytes its name holds."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Keep what is no UTF-8 as private characters."""
        del dialect
        return None if value is None else value.translate(_ESCAPED)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Give the path as Python and the file system have it."""
        del dialect
        return None if value is None else value.translate(_RESTORED)


metadata = MetaData()

facts = Table(
    "facts",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

generations = Table(
    "generations",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("parent", Integer),
    Column("state", String(16), nullable=False),  # building, published, abandoned
    Column("encoder", String(200), nullable=False),
    Column("created", DateTime, nullable=False),
    sqlite_autoincrement=True,  # the number of a generation that failed is not used again
)

documents = Table(
    "documents",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("work", String(200), nullable=False, index=True),
    Column("removed", DateTime),
    # The highest version number that was ever published: none is used for another text, also
    # after a rollback.
    Column("highest", Integer, nullable=False, server_default="0"),
)

# The collections that documents are in, for keys that are narrowed to some. They hold for every
# generation at once.
collected = Table(
    "collected",
    metadata,
    Column("document_id", ForeignKey("documents.id"), primary_key=True),
    Column("collection", String(200), primary_key=True, index=True),
)

# What a removed document held, so that a copy of it under another path stays out too.
removed_contents = Table(
    "removed_contents",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("document_id", ForeignKey("documents.id"), primary_key=True),
)

versions = Table(
    "versions",
    metadata,
    Column("key", Integer, primary_key=True, autoincrement=True),
    Column("document_id", ForeignKey("documents.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("born", Integer, nullable=False),  # the generation whose run wrote it
    Column("sha256", String(64), nullable=False, index=True),
    Column("original", String(300)),
    Column("media_type", String(100), nullable=False),
    Column("source", FilePath, nullable=False),
    Column("paged", Boolean, nullable=False),
    Column("warnings", Text, nullable=False),
    Column("ingested", DateTime, nullable=False),
    Column("title", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("language", String(8), nullable=False),
    Column("issuer", Text),
    Column("published", Date),
    Column("version_date", Date),
    Column("valid_until", Date),
    Column("details", Text, nullable=False),  # the other fields of Metadata, as JSON
    UniqueConstraint("document_id", "number"),
)

members = Table(
    "members",
    metadata,
    Column("generation", ForeignKey("generations.id"), primary_key=True),
    Column("version_key", ForeignKey("versions.key"), primary_key=True, index=True),
    Column("current", Boolean, nullable=False),
    Column("visibility", String(16), nullable=False),  # what this generation shows it to
)

sources = Table(
    "sources",
    metadata,
    Column("generation", ForeignKey("generations.id"), primary_key=True),
    Column("path", FilePath, primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("version_key", ForeignKey("versions.key"), nullable=False, index=True),
    Column("indexed", Boolean, nullable=False),  # false for another format of an indexed version
)

pages = Table(
    "pages",
    metadata,
    Column("version_key", ForeignKey("versions.key"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("label", Text),
    Column("text", Text, nullable=False),
    Column("layout", LargeBinary, nullable=False),  # blocks and boxes, compressed JSON
    Column("width", Float),
    Column("height", Float),
    Column("ocr_confidence", Float),
)

passages = Table(
    "passages",
    metadata,
    Column("version_key", ForeignKey("versions.key"), primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("id", String(36), nullable=False),
    Column("heading", Text, nullable=False),
    Column("language", String(8), nullable=False),
    Column("role", String(16), nullable=False),
    Column("spans", Text, nullable=False),
    Column("text", Text, nullable=False),
    Index("passages_by_id", "id"),
)

# What is known of a call beside the texts of its document: part of the version, so that a rollback
# takes both back (docs/decisions/0010).
calls = Table(
    "calls",
    metadata,
    Column("version_key", ForeignKey("versions.key"), primary_key=True),
    Column("key", String(300), nullable=False, index=True),  # the identifier, whatever its case
    Column("call", Text, nullable=False),  # ``kb.model.Call`` as JSON
    Column("records", LargeBinary, nullable=False),  # what each source said, compressed JSON
)

# When each source was last looked at: seeing nothing new makes no version.
call_checks = Table(
    "call_checks",
    metadata,
    Column("document_id", ForeignKey("documents.id"), primary_key=True),
    Column("source", String(64), primary_key=True),
    Column("language", String(8), primary_key=True),
    Column("checked", DateTime, nullable=False),
)

# What changed between two versions of a call, as it is told to people.
call_news = Table(
    "call_news",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("generation", Integer, nullable=False),
    Column("document_id", ForeignKey("documents.id"), nullable=False, index=True),
    Column("identifier", String(300), nullable=False),
    # Who may read it: whoever might see both states, since it tells of both.
    Column("visibility", String(16), nullable=False),
    # The same for the same change, also when it is found again after a rollback.
    Column("digest", String(64), nullable=False),
    Column("at", DateTime, nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("field", String(64)),
    Column("before", Text),
    Column("after", Text),
    sqlite_autoincrement=True,  # whoever was told up to a number is not told another under it
)

# Searches that people keep. Of the secret in a search's addresses only the SHA-256 is known.
saved_searches = Table(
    "saved_searches",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("secret_sha256", String(64), nullable=False, unique=True),
    Column("name", String(200), nullable=False),
    Column("query", Text, nullable=False),  # the values of a CallQuery, as JSON
    Column("language", String(8), nullable=False),
    Column("visibility", String(16), nullable=False),  # of whoever made it
    Column("collections", Text),  # that their key is narrowed to, as JSON
    Column("key_name", String(200)),  # of their key, with which the search ends
    Column("created", DateTime, nullable=False),
    Column("told_until", Integer, nullable=False),  # the newest news that was looked at for it
    sqlite_autoincrement=True,  # a digest is named after its search, also of one that is gone
)

# The one place of an e-mail address: to erase it is to delete its row, and its tokens go with it.
search_addresses = Table(
    "search_addresses",
    metadata,
    Column("search_id", ForeignKey("saved_searches.id", ondelete="CASCADE"), primary_key=True),
    Column("address", Text, nullable=False),
    Column("state", String(16), nullable=False),  # waiting, asking, asked, confirmed
    Column("given", DateTime, nullable=False),
)

mail_tokens = Table(
    "mail_tokens",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("purpose", String(16), nullable=False),  # confirm, unsubscribe
    Column(
        "search_id",
        ForeignKey("search_addresses.search_id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("expires", DateTime),
)

# How often an address was given within a day, under a keyed hash: nobody is to be flooded.
given_addresses = Table(
    "given_addresses",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("address_hash", String(64), nullable=False, index=True),
    Column("given", DateTime, nullable=False),
)

digests = Table(
    "digests",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column(
        "search_id",
        ForeignKey("saved_searches.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("state", String(16), nullable=False),  # sending, sent, doubtful
    Column("message_id", String(300), nullable=False),
    Column("claimed", DateTime, nullable=False),
)

# What a search was told of, each thing once: news by number, reminders by call and deadline.
told_news = Table(
    "told_news",
    metadata,
    Column("search_id", ForeignKey("saved_searches.id", ondelete="CASCADE"), primary_key=True),
    Column("key", String(300), primary_key=True),
    Column("document_id", String(200), nullable=False),
    Column("digest_id", ForeignKey("digests.id", ondelete="CASCADE"), nullable=False, index=True),
)

# Keys of those who may see more than the public. Of a key's text only the SHA-256 is known; none is
# ever deleted, so that the audit trail keeps its names.
keys = Table(
    "keys",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("hint", String(8), nullable=False),  # its last characters
    Column("name", String(200), nullable=False),
    Column("role", String(16), nullable=False),  # partner, staff
    Column("collections", Text),  # as JSON; null is no limit
    Column("rate", Integer),  # requests a minute
    Column("created", DateTime, nullable=False),
    Column("expires", DateTime),
    Column("revoked", DateTime),
    Column("last_used", DateTime),
    # A name is that of one key until it is revoked; then another may have it.
    Index(
        "keys_by_name",
        "name",
        unique=True,
        sqlite_where=text("revoked IS NULL"),
        postgresql_where=text("revoked IS NULL"),
    ),
    sqlite_autoincrement=True,  # limits and the audit trail name a key by its number
)

# Who is signed in with a key in a browser. Of the cookie only the SHA-256 is known.
sessions = Table(
    "sessions",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("key_id", ForeignKey("keys.id"), nullable=False, index=True),
    Column("opened", DateTime, nullable=False),
    Column("seen", DateTime, nullable=False),
)

# Who asked what and what they were given. A question is held twice: as text, which a setting leaves
# out, and as a keyed hash of its words, by which equal ones are counted.
audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", DateTime, nullable=False, index=True),
    Column("request_id", String(100), nullable=False, index=True),
    Column("door", String(16), nullable=False),
    Column("role", String(16)),  # null for who has no key
    Column("key_id", Integer),
    Column("key_name", String(200)),
    Column("action", String(32), nullable=False),
    Column("query", Text),
    Column("query_hash", String(64), index=True),
    Column("language", String(8)),  # in which the question was understood
    Column("filters", Text, nullable=False),  # as JSON
    Column("outcome", String(32), nullable=False),
    Column("returned", Text, nullable=False),  # [document, version, passage] each, as JSON
    Column("took_ms", Float),
    Column("generation", Integer),
    sqlite_autoincrement=True,  # a page of the list is named by the number that it ended with
)

# What people say of answers, and which documents they miss.
feedback = Table(
    "feedback",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", DateTime, nullable=False, index=True),
    Column("kind", String(32), nullable=False),
    Column("role", String(16)),
    Column("key_id", Integer),
    Column("key_name", String(200)),
    Column("request_id", String(100)),  # of the answer that it is about
    Column("question", Text),
    Column("question_hash", String(64)),
    Column("language", String(8)),
    Column("comment", Text),
    # The citation that is said to be wrong; a purge erases the words of its document.
    Column("document_id", String(200), index=True),
    Column("version", Integer),
    Column("page", Integer),
    Column("quote", Text),
    sqlite_autoincrement=True,  # as above
)

# Quotes that somebody selected, with their own words between them. Of the secrets in its addresses
# only the SHA-256 is known. Of documents it holds places, and no words.
briefs = Table(
    "briefs",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("edit_sha256", String(64), nullable=False, unique=True),
    Column("read_sha256", String(64), nullable=False, unique=True),
    Column("title", String(200), nullable=False),
    Column("language", String(8), nullable=False),
    Column("blocks", Text, nullable=False),  # as JSON
    Column("staff", Boolean, nullable=False, index=True),
    Column("key_name", String(200)),  # of whoever made it; null for who had no key
    Column("created", DateTime, nullable=False),
    Column("changed", DateTime, nullable=False),
    Column("revision", Integer, nullable=False),
    sqlite_autoincrement=True,  # staff find a brief by its number
)

# Documents that staff have uploaded, and what became of each. One process of the service at a time
# reads one: it claims it, and renews the claim while it is at it.
uploads = Table(
    "uploads",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String(32), nullable=False, unique=True),  # names its folder and its address
    Column("name", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("key_id", Integer),
    Column("key_name", String(200)),
    Column("state", String(16), nullable=False, index=True),  # waiting, running, done, failed
    Column("created", DateTime, nullable=False),
    Column("started", DateTime),
    Column("ended", DateTime),
    Column("attempts", Integer, nullable=False),
    Column("lost", Integer, nullable=False),  # attempts whose process ended without a word
    Column("next_try", DateTime, nullable=False),
    Column("claim", String(32)),
    Column("claimed_until", DateTime),
    Column("reason", Text),
    Column("report", Text),  # as JSON
    sqlite_autoincrement=True,  # a page of the list is named by the number that it ended with
)
