"""What can be asked of a room, one method per route?

The routes are those of docs/reference/formats.md. With a key folder the client gets its
own token and renews it; with a bare token it can do what needs no signature. A write
without an idempotency key of the caller's gets one from the bytes that it sends, so that
the same signed statement, posted by two tries of one program, counts once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self, cast

import httpx2

from saferoom.canonical import Digest, Json, canonical_bytes, digest_bytes
from saferoom.client.keyfolder import KeyFolder, keep_origin, keep_token
from saferoom.client.statements import Author
from saferoom.client.terms import Terms
from saferoom.client.transport import Transport
from saferoom.client.trustfile import trusted_origin
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput, NotFound, Unauthenticated, Unavailable

Answer = dict[str, Json]
MOST_STATEMENTS = 500  # that one request may carry


class RoomClient:
    """One caller of one room."""

    def __init__(
        self, url: str, key: KeyFolder | str, *, transport: Transport | None = None
    ) -> None:
        self.key = key
        self._transport = Transport(url) if transport is None else transport

    @property
    def author(self) -> Author:
        """Return who signs; a token alone cannot."""
        if isinstance(self.key, str):
            raise BadInput("UNSIGNED")
        return Author(self.key)

    # --- who am I, what is here ---

    def login(self) -> Answer:
        """Prove that the enrolled key is held; the token is kept in the key folder.

        The proof names the room. Whose room this is was said by the trust file, or by the
        room itself at the first login, and is kept: no other room gets a proof for it.
        """
        author = self.author
        keys = author.keys
        named = trusted_origin(keys)
        if keys.origin is None or named not in {None, keys.origin}:  # a closed log's successor
            known = replace(keys, origin=None)
            keys = keep_origin(known, named or _text(self.room(), "origin"))
        request = author.token_request(keys.origin or "")
        answer = _object(self._transport.post("/v1/tokens", {"statement": request.to_json()}))
        self.key = keep_token(keys, _text(answer, "token"))
        return answer

    def me(self) -> Answer:
        """Ask for holder, party and role."""
        return self._get("/v1/me")

    def room(self) -> Answer:
        """Ask for the room's public keys and digests; needs no token."""
        return _object(self._transport.get("/v1/room"))

    def catalogue(self) -> Answer:
        """Ask for the approved view set."""
        return self._get("/v1/catalogue")

    def mock_set(self) -> Answer:
        """Ask for the approved declarations of mock data."""
        return self._get("/v1/mock")

    def parties(self) -> list[Answer]:
        """List admitted organisations and those put up for a vote."""
        return self._list("/v1/parties", "parties")

    # --- people, organisations, votes ---

    def enrol(self, statements: Sequence[Statement]) -> list[Digest]:
        """Enrol keys: each statement carries its own signature and two operators'."""
        return self._post_many("/v1/enrolments", statements)

    def admit(self, statement: Statement) -> Digest:
        """Put an organisation up for the operators' votes."""
        return _digest(self._post("/v1/admissions", statement))

    def suspend_party(self, party: str, statement: Statement) -> str:
        """Suspend an organisation; two operators sign."""
        return _text(self._post(f"/v1/parties/{party}/suspension", statement), "state")

    def end_party(self, party: str, statement: Statement) -> str:
        """End a suspended organisation's place for good; two operators sign."""
        return _text(self._post(f"/v1/parties/{party}/exit", statement), "state")

    def vote(self, statement: Statement) -> Answer:
        """Cast a vote; the subject's state comes back."""
        return self._post("/v1/votes", statement)

    def propose(self, statement: Statement) -> Digest:
        """Put a view set, a source's manifest, a policy set or mock declarations up for votes."""
        return _digest(self._post("/v1/subjects", statement))

    def export_openings(self, first: int, size: int | None) -> Answer:
        """Open, as an auditor, entries of the log from a place on; a page at a time, logged."""
        asked: Answer = {"first": first, "size": size}
        return self._write("/v1/audit/openings", asked, repeatable=False)

    def override_witnesses(self, statement: Statement) -> Digest:
        """Let releases go on without witnesses; the trust file's operators sign."""
        return _digest(self._post("/v1/overrides", statement))

    # --- model versions ---

    def submit(self, statement: Statement, artefact: bytes) -> Answer:
        """Submit a version with its sealed artefact; digest and findings come back."""
        return self._post("/v1/versions", statement, artefact=artefact.hex())

    def versions(self) -> list[Answer]:
        """List the versions that the caller may know of."""
        return self._list("/v1/versions", "versions")

    def version(self, digest: Digest) -> Answer:
        """Ask for one version's manifest, state and findings."""
        return self._get(f"/v1/versions/{digest}")

    def terms(self, digest: Digest) -> Terms:
        """Ask what granting a version means, in the words that are in force."""
        return Terms.read(self._get(f"/v1/versions/{digest}/terms"), digest)

    def suspend_version(self, digest: Digest, statement: Statement) -> str:
        """Stop one version at once and for good; an operator or its bank signs."""
        return _text(self._post(f"/v1/versions/{digest}/suspension", statement), "state")

    # --- enterprises ---

    def sign_budgets(self, statements: Sequence[Statement]) -> list[Digest]:
        """Bring budgets that enterprises signed."""
        return self._post_many("/v1/budgets", statements)

    def sign_grants(self, statements: Sequence[Statement]) -> list[Digest]:
        """Bring grants that enterprises signed."""
        return self._post_many("/v1/grants", statements)

    def grants(self) -> list[Answer]:
        """List the grants that the caller may know of."""
        return self._list("/v1/grants", "grants")

    def ledger(self) -> list[Answer]:
        """List what was charged, and what is left."""
        return self._list("/v1/ledger", "accounts")

    def revoke(self, statement: Statement) -> Digest:
        """Take a grant back, effective at once."""
        return _digest(self._post("/v1/revocations", statement))

    def revoke_all(self, statements: Sequence[Statement]) -> list[Digest]:
        """Take many grants back."""
        return self._post_many("/v1/revocations", statements)

    # --- scores and receipts ---

    def score(self, statement: Statement, *, idempotency_key: str | None = None) -> Answer:
        """Send a signed score request; sealed answers come back."""
        return self._post("/v1/scores", statement, idempotency_key=idempotency_key)

    def verify(self, statement: Statement, grant: Statement) -> Answer:
        """Have a department asked that verifies; its word comes back sealed."""
        body: Answer = {"statement": statement.to_json(), "grant": grant.to_json()}
        return self._write("/v1/verifications", body)

    def questions(self) -> list[Answer]:
        """List what departments that verify may be asked."""
        return self._list("/v1/questions", "questions")

    def set_contact(self, statement: Statement) -> Digest:
        """Say where one's own party's notices are to go."""
        return _digest(self._post("/v1/contacts", statement))

    def notices(self, after: int = 0) -> list[Answer]:
        """List what happened to one's own party after a number, oldest first."""
        listed: list[Answer] = []
        while page := self._list("/v1/notices", "notices", {"after": str(after)}):
            listed += page
            after = int(str(page[-1]["number"]))
        return listed

    def looks(self, first: int = 0) -> Answer:
        """Ask for a page of who looked at one's own enterprise, from a place of the log on."""
        return self._get("/v1/looks", {"first": str(first)})

    def own_record(self, order: Statement) -> bytes:
        """Have one's own rows, sealed to the key that the order names."""
        body: Answer = {"statement": order.to_json()}
        told = self._write("/v1/own-records", body)
        try:
            return bytes.fromhex(_text(told, "sealed"))
        except ValueError as error:
            raise _strange() from error

    def dispute(self, statement: Statement) -> Digest:
        """Let a record of one's own count as disputed."""
        return _digest(self._post("/v1/disputes", statement))

    def disputes(self) -> list[Answer]:
        """List one's own disputes; as a steward, those of one's source."""
        return self._list("/v1/disputes", "disputes")

    def lineage(self, receipt_id: str) -> Answer:
        """Ask what a release rests on."""
        return self._get(f"/v1/lineage/{receipt_id}")

    def batch(self, number: int) -> Answer:
        """Ask, as its source, an operator or an auditor, where a batch went."""
        return self._get(f"/v1/lineage/batches/{number}")

    def touched(self, order: Digest) -> Answer:
        """Ask which models an erased enterprise touched."""
        return self._get(f"/v1/lineage/erasures/{order}")

    def receipts(
        self, *, version: str | None = None, since: str | None = None, kind: str | None = None
    ) -> list[str]:
        """List receipt ids of one kind of log entry (unset: releases), newest last."""
        given = (("version", version), ("since", since), ("kind", kind))
        params = {k: v for k, v in given if v is not None}
        listed = self._get("/v1/receipts", params)["receipts"]
        return [str(item) for item in cast("list[Json]", listed)]

    def receipt(self, receipt_id: str) -> bytes:
        """Fetch a receipt's canonical bytes, waiting a moment for its checkpoint."""
        return self._authorised("GET", f"/v1/receipts/{receipt_id}").content

    def checkpoint(self) -> bytes:
        """Fetch the log's newest checkpoint; needs no token."""
        return self._transport.get("/log/checkpoint").content

    def log_file(self, path: str) -> bytes | None:
        """Fetch a file of the public log, or None where nothing stands; needs no token."""
        try:
            return self._transport.get(f"/log/{path}").content
        except NotFound:
            return None

    # --- sources ---

    def ingest(self, party: str, order: Statement) -> Answer:
        """Have the vault read a source; the order is its steward's."""
        return self._post(f"/v1/sources/{party}/ingest", order)

    def report(self, statement: Statement) -> Answer:
        """Bring an enterprise's own figures, sealed to the vault."""
        return self._post("/v1/self-reports", statement)

    def publish_snapshot(self, order: Statement) -> Answer:
        """Have the vault compute all views as of a day, and publish them."""
        return self._post("/v1/snapshots", order)

    def erase(self, order: Statement) -> Answer:
        """Have an enterprise's data made unreadable; the vault's certificate comes back."""
        return self._post("/v1/erasures", order)

    def erasures(self) -> list[Answer]:
        """List orders of erasure and what came of them: one's own, or all for who reviews."""
        found = self._get("/v1/erasures").get("erasures")
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    def erasure(self, order: Digest) -> Answer:
        """Fetch the certificate of an order, which may have been obeyed much later."""
        return self._get(f"/v1/erasures/{order}")

    def rotate(self, order: Statement) -> Answer:
        """Have the vault change its keys; two operators sign."""
        return self._post("/v1/rotations", order)

    def profile(self, order: Statement) -> Answer:
        """Ask how features are distributed; the order is a steward's or an operator's."""
        return self._post("/v1/profiles", order)

    def quality(self) -> Answer:
        """Ask which tables are closed, and what a steward should see to."""
        return self._get("/v1/quality")

    # --- how ---

    def close(self) -> None:
        """Give the connections back."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _get(self, path: str, params: Mapping[str, str] | None = None) -> Answer:
        return _object(self._authorised("GET", path, params=params))

    def _list(self, path: str, name: str, params: Mapping[str, str] | None = None) -> list[Answer]:
        listed = self._get(path, params).get(name)
        if not isinstance(listed, list):
            raise _strange()
        return cast("list[Answer]", listed)

    def _post(
        self,
        path: str,
        statement: Statement,
        *,
        idempotency_key: str | None = None,
        **more: Json,
    ) -> Answer:
        body: Answer = {"statement": statement.to_json(), **more}
        return self._write(path, body, idempotency_key=idempotency_key)

    def _post_many(self, path: str, statements: Sequence[Statement]) -> list[Digest]:
        digests: list[Digest] = []
        for start in range(0, len(statements), MOST_STATEMENTS):
            part: list[Json] = [s.to_json() for s in statements[start : start + MOST_STATEMENTS]]
            told = self._write(path, {"statements": part}).get("digests")
            if not isinstance(told, list):
                raise _strange()
            digests += [Digest(str(item)) for item in told]
        return digests

    def _write(
        self,
        path: str,
        body: Answer,
        *,
        idempotency_key: str | None = None,
        repeatable: bool = True,
    ) -> Answer:
        if idempotency_key is None and repeatable:
            idempotency_key = digest_bytes(path.encode() + b"\0" + canonical_bytes(body))
        return _object(self._authorised("POST", path, body=body, idempotency_key=idempotency_key))

    def _authorised(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Answer | None = None,
        idempotency_key: str | None = None,
    ) -> httpx2.Response:
        def once() -> httpx2.Response:
            token = self._token()
            if method == "GET":
                return self._transport.get(path, token=token, params=params)
            key = idempotency_key
            return self._transport.post(path, body or {}, token=token, idempotency_key=key)

        try:
            return once()
        except Unauthenticated:
            if isinstance(self.key, str):
                raise
            self.login()  # the kept token has expired; the key has not
            return once()

    def _token(self) -> str:
        if isinstance(self.key, str):
            return self.key
        if self.key.token is None:
            self.login()
        return self.key.token or ""


def _object(response: httpx2.Response) -> Answer:
    try:
        value = response.json()
    except ValueError as error:
        raise _strange() from error
    if not isinstance(value, dict):
        raise _strange()
    return value


def _text(answer: Answer, name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str):
        raise _strange()
    return value


def _digest(answer: Answer) -> Digest:
    return Digest(_text(answer, "digest"))


def _strange() -> Unavailable:
    return Unavailable("ROOM_UNREACHABLE", "what answers there is not a room of this version")
