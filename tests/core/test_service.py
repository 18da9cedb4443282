"""Whom may intake call for a source, and what does a connector say of how?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from saferoom.core.service import (
    Connection,
    Format,
    Paging,
    Resource,
    Service,
    TokenClient,
    check_called,
    read_origin,
)
from saferoom.core.source import Heading, Reached, SourceManifest, SourceTable, declared_body
from saferoom.errors import BadInput
from tests import factories as make

RESOURCE = Resource(
    path="/v1/filings",
    format=Format.JSON,
    rows="data",
    paging=Paging.CURSOR,
    parameter="cursor",
    first=None,
    next="next",
    since="since",
)
SERVICE = Service(hosts=("api.tax.example",), networks=(), calls_per_minute=60)
PEM = "-----BEGIN X-----"
CONNECTION = Connection(
    address="https://api.tax.example:8443/open",
    authority=PEM,
    certificate=PEM,
    key=PEM,
    token=TokenClient(
        address="https://api.tax.example/token",
        client_id="room",
        client_secret="secret",  # of nobody
        scope="read",
    ),
)


@pytest.mark.parametrize(
    ("address", "networks", "allowed"),
    [
        ("8.8.8.8", (), True),
        ("2606:4700::1", (), True),
        ("127.0.0.1", (), False),
        ("10.1.2.3", (), False),
        ("10.1.2.3", ("10.0.0.0/8",), True),
        ("192.168.1.1", ("10.0.0.0/8",), False),
        ("169.254.169.254", (), False),  # a cloud's own
        ("100.64.0.1", (), False),
        ("0.0.0.0", (), False),
        ("224.0.0.1", (), False),
        ("255.255.255.255", (), False),
        ("::1", (), False),
        ("::1", ("::1/128",), True),
        ("fe80::1%1", (), False),
        ("fd00::1", (), False),
        ("::ffff:127.0.0.1", (), False),
        ("::ffff:8.8.8.8", (), True),
        ("::ffff:10.1.2.3", ("10.0.0.0/8",), True),
        ("64:ff9b::7f00:1", (), False),
        ("2002:7f00:1::", (), False),
        ("no address", (), False),
    ],
)
def test_only_the_internets_and_declared_networks_addresses_are_called(
    address: str, networks: tuple[str, ...], allowed: bool
) -> None:
    assert replace(SERVICE, networks=networks).allows(address) is allowed


@pytest.mark.parametrize(
    "changes",
    [
        {"hosts": ()},
        {"hosts": ("",)},
        {"hosts": ("A.example",)},
        {"hosts": ("a.example/x",)},
        {"hosts": ("a.example",) * 11},
        {"networks": ("10.0.0.1/8",)},
        {"networks": ("0.0.0.0/0",)},
        {"networks": ("here",)},
        {"calls_per_minute": 0},
        {"calls_per_minute": 6_001},
    ],
)
def test_a_service_names_hosts_and_networks_and_a_pace(changes: dict[str, object]) -> None:
    with pytest.raises(BadInput, match="FIELD_INVALID"):
        replace(SERVICE, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"path": "filings"},
        {"path": "/a/../b"},
        {"path": "//elsewhere.example/a"},
        {"path": "/a?b"},
        {"path": "/a#b"},
        {"paging": Paging.NONE},
        {"paging": Paging.PAGE},
        {"paging": Paging.PAGE, "next": None, "first": 2},
        {"next": None},
        {"parameter": None},
        {"parameter": "a b"},
        {"parameter": "since"},
        {"rows": None},
        {"rows": "a b"},
        {"format": Format.CSV},
        {"since": ""},
    ],
)
def test_a_resource_says_what_its_style_of_paging_needs_and_no_more(
    changes: dict[str, object],
) -> None:
    with pytest.raises(BadInput, match="FIELD_INVALID"):
        replace(RESOURCE, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("address", "port", "path"),
    [
        ("https://api.tax.example", 443, ""),
        ("https://api.tax.example:8443/a/b", 8443, "/a/b"),
    ],
)
def test_an_address_is_a_name_a_port_and_a_path(address: str, port: int, path: str) -> None:
    found = read_origin(address)
    assert (found.host, found.port, found.path) == ("api.tax.example", port, path)


@pytest.mark.parametrize(
    "address",
    [
        "http://api.tax.example",
        "https://user@api.tax.example",
        "https://api.tax.example:0",
        "https://api.tax.example:99999",
        "https://api.tax.example/a/../b",
        "https://api.tax.example/a?b=c",
        "https://API.tax.example",
        "https://[::1]",
        "file:///etc/passwd",
    ],
)
def test_any_other_address_is_none(address: str) -> None:
    with pytest.raises(BadInput, match="address"):
        read_origin(address)


@pytest.mark.parametrize(
    "changes",
    [
        {"certificate": None},
        {"key": None},
        {"authority": "/etc/ca.pem"},
        {"authority": PEM * 2_000},
        {"address": "here"},
    ],
)
def test_a_connection_is_whole(changes: dict[str, object]) -> None:
    with pytest.raises(BadInput, match="FIELD_INVALID"):
        replace(CONNECTION, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes", [{"client_id": "a b"}, {"client_secret": ""}, {"scope": 'a"b'}, {"address": "x"}]
)
def test_a_client_of_tokens_is_whole(changes: dict[str, object]) -> None:
    assert CONNECTION.token is not None
    with pytest.raises(BadInput, match="FIELD_INVALID"):
        replace(CONNECTION.token, **changes)  # type: ignore[arg-type]


def test_only_hosts_that_were_voted_for_are_called() -> None:
    check_called(CONNECTION, SERVICE)
    check_called(replace(CONNECTION, token=None), SERVICE)
    assert CONNECTION.token is not None
    elsewhere = replace(CONNECTION.token, address="https://login.example/token")
    for other in (
        replace(CONNECTION, address="https://tax.example"),
        replace(CONNECTION, token=elsewhere),
    ):
        with pytest.raises(BadInput, match="SOURCE_ADDRESS"):
            check_called(other, SERVICE)


def table(**changes: object) -> SourceTable:
    fields: dict[str, object] = {
        "table": "tax_year",
        "resource": RESOURCE,
        "watermark": ("changed",),
        "headings": (Heading(column="grade", heading="grade"),),
        "ignore": ("changed",),
    }
    return SourceTable(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_source_is_files_or_a_database_or_a_service() -> None:
    assert make.source().reached is Reached.FILES
    relation = table(resource=None, relation="filings")
    assert make.source(tables=(relation,)).reached is Reached.DATABASE
    assert make.source(tables=(table(),), service=SERVICE).reached is Reached.SERVICE
    whole = table(resource=replace(RESOURCE, since=None), watermark=())
    assert make.source(tables=(whole,), service=SERVICE).reached is Reached.SERVICE


@pytest.mark.parametrize(
    "change",
    [
        lambda: table(path="a.csv"),
        lambda: table(watermark=()),
        lambda: table(resource=replace(RESOURCE, since=None)),
        lambda: make.source(service=SERVICE),
        lambda: make.source(tables=(table(),)),
        lambda: make.source(tables=(table(), table(path="a.csv", resource=None, watermark=()))),
    ],
)
def test_no_source_is_two_of_them(change: object) -> None:
    with pytest.raises(BadInput, match="FIELD_INVALID"):
        change()  # type: ignore[operator]


def document(**changes: object) -> dict[str, object]:
    one = {
        "resource": {"path": "/v1/filings", "format": "json"},
        "columns": {"grade": "their grade"},
    }
    declared: dict[str, object] = {
        "name": "tax",
        "party": "tax",
        "title_zh": "税务部门",
        "title_en": "Tax bureau",
        "encoding": "utf-8",
        "service": {"hosts": ["api.tax.example"]},
        "tables": {"tax_year": one},
    }
    return declared | changes


def test_a_connector_may_leave_out_what_is_usual() -> None:
    found = SourceManifest.from_body(declared_body(document()))  # type: ignore[arg-type]
    assert found.service == Service(hosts=("api.tax.example",), networks=(), calls_per_minute=60)
    resource = found.tables[0].resource
    assert resource is not None
    assert (resource.paging, resource.rows, found.tables[0].watermark) == (Paging.NONE, None, ())


@pytest.mark.parametrize(
    "changes",
    [
        {"tables": []},
        {"tables": {"tax_year": []}},
        {"tables": {"tax_year": {"path": "a.csv"}}},
        {"tables": {"tax_year": {"path": "a.csv", "columns": [], "more": 1}}},
        {"tables": {"tax_year": {"resource": [], "columns": {}}}},
        {"service": "https://api.tax.example"},
        {"more": 1},
    ],
)
def test_a_connector_that_says_something_else_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(BadInput, match="FIELD_INVALID"):
        SourceManifest.from_body(declared_body(document(**changes)))  # type: ignore[arg-type]
