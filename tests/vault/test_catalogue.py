"""Is the sharing list complete, and written in the words that it may use?"""

from __future__ import annotations

import tomllib

from saferoom.vault.declarations import content_folder

FIELDS = {"id", "zh", "en", "provider", "mode", "access", "level", "cycle"}


def test_it_has_the_fourteen_groups_and_thirty_seven_items() -> None:
    path = content_folder() / "policies" / "catalogue.toml"
    catalogue = tomllib.loads(path.read_text(encoding="utf-8"))
    groups = catalogue["group"]
    items = [item for group in groups for item in group["items"]]
    assert (len(groups), len(items)) == (14, 37)
    assert len({item["id"] for item in items}) == 37
    for group in groups:
        assert all(item["id"].startswith(f"{group['id']}.") for item in group["items"])
    for item in items:
        assert set(item) == FIELDS
        assert item["mode"] in {"collect", "call", "verify"}
        assert item["access"] in {"OPEN", "DETAIL", "VERIFY", "MODEL_ONLY"}
        assert item["level"] in {"L1", "L2", "L3", "L4"}
        assert all(item[name] for name in FIELDS)
