"""Is an enterprise's own word passed on, logged and told, and by whom may it be brought?"""

from __future__ import annotations

import pytest

from saferoom.adapters.database import tables as t
from saferoom.app import notices, self_reports
from saferoom.crypto.signing import Statement
from saferoom.errors import SaferoomError
from tests import factories as f
from tests.app.world import OPERATOR, World, enterprise


def paper(world: World, by: str = f.ENTERPRISE, **changes: object) -> Statement:
    fields = {"asked_at": world.now_text, "nonce": world.nonce, **changes}
    return f.sign(f.self_report(**fields), by)


def test_it_is_logged_and_its_enterprise_told(world: World) -> None:
    told = self_reports.report(world.room, OPERATOR, paper(world))
    assert told["rows"] == 2
    assert world.count(t.entry, kind="self_reported") == 1
    kinds = [one["kind"] for one in notices.list_notices(world.room, enterprise(f.ENTERPRISE))]
    assert "self_reported" in kinds


@pytest.mark.parametrize("by", ["sun", "tax.steward"])
def test_nobody_else_signs_it(world: World, by: str) -> None:
    with pytest.raises(SaferoomError):
        self_reports.report(world.room, OPERATOR, paper(world, by=by))
    assert world.count(t.entry, kind="self_reported") == 0
