from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.app.world import World, ready_world


@pytest.fixture
def world(database: sa.Engine, tmp_path: Path) -> World:
    return ready_world(database, tmp_path)
