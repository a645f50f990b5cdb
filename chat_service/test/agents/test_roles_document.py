"""The guide's table of roles says what the roles are."""

from pathlib import Path

import pytest

from chat_service.schema import ROLE_PERMISSIONS, Permission

GUIDE = (Path(__file__).parents[3] / "docs" / "api.md").read_text()


@pytest.mark.asvs("8.1.1")
def test_the_table_of_roles_in_the_guide_is_the_one_that_holds() -> None:
    lines = [line for line in GUIDE.splitlines() if line.startswith("| ") and ":" in line]
    header = next(line for line in GUIDE.splitlines() if "`owner`" in line and line[:3] == "| |")
    roles = [cell.strip(" `") for cell in header.split("|")[2:-1]]
    told: dict[str, set[str]] = {role: set() for role in roles}
    named = set()
    for line in lines:
        permission, *cells = (cell.strip(" `") for cell in line.split("|")[1:-1])
        if permission in set(Permission):
            named.add(permission)
            for role, cell in zip(roles, cells, strict=True):
                told[role] |= {permission} if cell == "x" else set()
    assert named == set(Permission)
    assert told == {str(role): set(each) for role, each in ROLE_PERMISSIONS.items()}
