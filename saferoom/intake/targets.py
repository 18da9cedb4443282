"""Where is a table's next page?

Under the service's own address, at the path that the manifest names: intake chooses the values of
the declared parameters, and a link of the service its query, nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, urljoin, urlsplit

from saferoom.canonical import Json
from saferoom.core.record import check_field
from saferoom.core.service import Paging, Resource, read_origin
from saferoom.errors import BadInput

LONGEST_VALUE = 1_000
LONGEST_TARGET = 4_000
_LINK = re.compile(r"<([\x21-\x3b\x3d\x3f-\x7e]*)>((?:\s*;[^<>,]*)*)")
_NEXT = re.compile(r";\s*rel\s*=\s*(?:\"next\"|next)\s*(?:;|$)", re.IGNORECASE)
_ETAG = re.compile(r"(?:W/)?\"[\x21\x23-\x7e]{0,200}\"")


class Targets:
    """The pages of one table, one after the other."""

    def __init__(self, address: str, resource: Resource) -> None:
        self.resource = resource
        origin = read_origin(address)
        self._start = address.removesuffix(origin.path)
        path, _, self._fixed = resource.path.partition("?")
        self._path = origin.path + path
        self._here = self._next = ""
        self._seen: set[str] = set()

    def target(self, ask: Mapping[str, Json]) -> str:
        """Put together what is asked for."""
        self._here = self._next if ask.get("linked") is True else self._first(ask)
        check_field(0 < len(self._here) <= LONGEST_TARGET, "link")
        return self._here

    def found_next(self, headers: Mapping[str, str]) -> bool:
        """Keep the link to the next page, if this service links pages and there is one."""
        self._next = ""
        if self.resource.paging is not Paging.LINK:
            return False
        links = _LINK.finditer(headers.get("link", ""))
        found = next((one[1] for one in links if _NEXT.search(one[2])), None)
        if found is not None:
            self._next = self._own(found)
        return found is not None

    def etag(self, headers: Mapping[str, str]) -> str | None:
        """Name the version of a table that is one page; of pages each has its own."""
        text = headers.get("etag", "")
        whole = self.resource.paging is Paging.NONE and self.resource.since is None
        return text if whole and _ETAG.fullmatch(text) else None

    def _first(self, ask: Mapping[str, Json]) -> str:
        query = [self._fixed] if self._fixed else []
        for name, value in (
            (self.resource.since, ask.get("since")),
            (self.resource.parameter, ask.get("value")),
        ):
            if value is None:
                continue
            check_field(name is not None and isinstance(value, str), "value")
            text = str(value)
            check_field(0 < len(text) <= LONGEST_VALUE, "value")
            query.append(f"{quote(str(name), safe='')}={quote(text, safe='')}")
        return "?".join([self._path, *(["&".join(query)] if query else [])])

    def _own(self, link: str) -> str:
        """Take of a link nothing but its query, and refuse one that leads elsewhere."""
        try:
            whole = urlsplit(urljoin(self._start + self._here, link))
        except ValueError as error:
            raise BadInput("SOURCE_MALFORMED", "a link that leads elsewhere") from error
        if (f"{whole.scheme}://{whole.netloc}", whole.path) != (self._start, self._path):
            raise BadInput("SOURCE_MALFORMED", "a link that leads elsewhere")
        target = f"{self._path}?{whole.query}"
        if target in self._seen or target == self._here or len(target) > LONGEST_TARGET:
            raise BadInput("SOURCE_MALFORMED", "a page that repeats")
        self._seen.add(target)
        return target
