"""Which page of a service's table comes after this one, and is it a new one?

We ask the caller over the link: what pages are called is the service's affair, and where they are
the caller's. A service that never ends, or gives the same page again, is refused.
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from saferoom.canonical import Json
from saferoom.core.record import check_field
from saferoom.core.service import Paging, Resource
from saferoom.errors import CODES, BadInput, Unavailable
from saferoom.intake.replies import Said
from saferoom.wire import receive, send

MOST_PAGES = 100_000


@dataclass(frozen=True)
class Page:
    """One reply as it came."""

    body: bytes
    is_new: bool  # since the version that we named
    etag: str | None
    linked: bool  # to another


Ask = dict[str, Json]


class Pages:
    """The pages of one table."""

    def __init__(self, link: socket.socket, table: str, resource: Resource, first: Ask) -> None:
        self._link, self._table, self._resource = link, table, resource
        self._ask, self._number, self._seen = first, 0, set[bytes]()
        if resource.paging is Paging.PAGE:
            self._ask = {**first, "value": str(resource.first)}

    def first(self) -> Page:
        """Get the first."""
        return self._get()

    def next(self, page: Page, said: Said) -> Page | None:
        """Get the one after this, of which we know by now what it says; None at the end."""
        self._number += 1
        ask = _ASKS[self._resource.paging](self._resource, self._number, page, said)
        if ask is None:
            return None
        what = ask.get("value") if self._resource.paging is Paging.CURSOR else None
        self._check_new(page.body if what is None else str(what).encode())
        if self._number >= MOST_PAGES:
            raise BadInput("SOURCE_MALFORMED", f"more than {MOST_PAGES} pages")
        self._ask = {**self._ask, **ask}
        return self._get()

    def _check_new(self, what: bytes) -> None:
        """Refuse a cursor that repeats, and a page that is another's equal: there is no end."""
        digest = hashlib.sha256(what).digest()
        if digest in self._seen:
            raise BadInput("SOURCE_MALFORMED", "a page that repeats")
        self._seen.add(digest)

    def _get(self) -> Page:
        try:
            with suppress(ConnectionError):  # it may have refused before it was asked
                send(self._link, {**self._ask, "table": self._table})
            frame = receive(self._link)
        except ConnectionError as error:
            raise Unavailable("SOURCE_UNAVAILABLE", "its caller ended") from error
        header = frame.header
        if header.get("say") == "refused":
            code, detail = str(header.get("code")), header.get("detail")
            raise CODES[code].family(code, None if detail is None else str(detail))
        check_field(len(frame.attachments) == 1, "page")
        etag = header["etag"]
        return Page(
            frame.attachments[0],
            header["fresh"] is True,
            None if etag is None else str(etag),
            header["linked"] is True,
        )


def _by_number(resource: Resource, number: int, _page: Page, said: Said) -> Ask | None:
    return {"value": str(int(resource.first or 0) + number)} if said.rows else None


def _by_cursor(_resource: Resource, _number: int, _page: Page, said: Said) -> Ask | None:
    return None if said.cursor is None else {"value": said.cursor}


def _by_link(_resource: Resource, _number: int, page: Page, _said: Said) -> Ask | None:
    return {"linked": True} if page.linked else None


_ASKS: Mapping[Paging, Callable[[Resource, int, Page, Said], Ask | None]] = {
    Paging.NONE: lambda *_: None,
    Paging.PAGE: _by_number,
    Paging.CURSOR: _by_cursor,
    Paging.LINK: _by_link,
}
