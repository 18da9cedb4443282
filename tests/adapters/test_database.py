from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import open_database, reading, writing
from saferoom.adapters.database.migrating import differences, migrate
from saferoom.adapters.database.writing import insert_missing, insert_new, insert_or_update
from saferoom.errors import Conflict, Unavailable


def test_migrations_lead_exactly_to_the_tables(database: sa.Engine) -> None:
    assert differences(database) == []


def test_migrating_twice_changes_nothing(database: sa.Engine) -> None:
    migrate(database)
    assert differences(database) == []


def test_database_of_a_newer_program_is_refused(database: sa.Engine) -> None:
    with writing(database) as c:
        c.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Conflict) as caught:
        migrate(database)
    assert caught.value.code == "HOME_NEWER"


def test_a_failed_transaction_leaves_nothing(database: sa.Engine) -> None:
    row = {"name": "views", "digest": "a" * 64}

    def twice() -> None:
        with writing(database) as c:
            c.execute(sa.insert(t.standing).values(row))
            c.execute(sa.insert(t.standing).values(row))

    with pytest.raises(IntegrityError):
        twice()
    with reading(database) as c:
        assert c.execute(sa.select(t.standing)).all() == []


def test_a_row_is_new_once(database: sa.Engine) -> None:
    row = {"name": "views", "digest": "a" * 64}
    with writing(database) as c:
        assert [insert_new(c, t.standing, row) for _ in range(3)] == [True, False, False]
    with writing(database) as c:
        assert not insert_new(c, t.standing, row)


def test_an_update_keeps_the_columns_that_it_is_told_to(database: sa.Engine) -> None:
    row = {"code": "x" * 18, "epoch": 0, "ceiling_mbit": 1, "spent_mbit": 0}
    with writing(database) as c:
        insert_missing(c, t.enterprise, [])
        insert_missing(c, t.enterprise, [row, {**row, "code": "y" * 18}])
        insert_missing(c, t.enterprise, [{**row, "epoch": 9}])
        changed = {**row, "ceiling_mbit": 5, "spent_mbit": 5}
        insert_or_update(c, t.enterprise, [changed], keep=["spent_mbit"])
    with reading(database) as c:
        rows = c.execute(sa.select(t.enterprise).order_by(t.enterprise.c.code)).all()
    assert [tuple(one) for one in rows] == [
        ("x" * 18, 0, None, 5, 0),
        ("y" * 18, 0, None, 1, 0),
    ]


@pytest.mark.parametrize(
    "url",
    ["sqlite:////nowhere/room.db", "postgresql+psycopg://nobody@127.0.0.1:1/none"],
)
def test_absent_database_has_its_own_code(url: str) -> None:
    engine = open_database(url)
    with pytest.raises(Unavailable) as caught, reading(engine):
        pass
    assert caught.value.code == "DATABASE_UNAVAILABLE"
