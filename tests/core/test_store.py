"""Where may a source's files lie?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from saferoom.core.source import Reached
from saferoom.core.store import Option, Protocol, Store, check_stored
from saferoom.errors import BadInput
from tests import factories as make
from tests.core.test_service import table

STORE = Store(address="s3://bucket/tax", options=(Option(name="key", value="k"),))


def test_a_store_is_read_by_the_protocol_that_was_voted_for() -> None:
    check_stored(STORE, Protocol.S3)
    for other in (Protocol.FILE, None):
        with pytest.raises(BadInput, match="SOURCE_ADDRESS"):
            check_stored(STORE, other)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "bucket",
        "http://a.example/x",
        "s3://a/../b",
        "s3://a?b",
        "s3://a/*",
        "file:///a b",
        "S3://a",
    ],
)
def test_any_other_address_is_none(address: str) -> None:
    with pytest.raises(BadInput, match="address"):
        replace(STORE, address=address)


@pytest.mark.parametrize(("name", "value"), [("Key", "x"), ("", "x"), ("key", "x" * 10_001)])
def test_an_option_is_a_word(name: str, value: str) -> None:
    with pytest.raises(BadInput, match="options"):
        Option(name=name, value=value)


def test_an_option_stands_once() -> None:
    with pytest.raises(BadInput, match="options"):
        replace(STORE, options=STORE.options * 2)


def test_a_source_of_files_may_lie_elsewhere_and_no_other() -> None:
    assert make.source(store=Protocol.S3).reached is Reached.STORE
    relation = table(resource=None, relation="filings")
    with pytest.raises(BadInput, match="store"):
        make.source(tables=(relation,), store=Protocol.S3)
