"""`make docs`: the table of roles and permissions in docs/permissions.md, from what the apps declare."""

import os
import sys
from pathlib import Path

import django

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "permissions.md"
START, END = "<!-- written by `make docs` -->\n", "<!-- until here -->\n"


def main() -> int:
    """Write the tables into the page."""
    PAGE.write_text(page())
    sys.stdout.write(f"Wrote {PAGE.relative_to(ROOT)}.\n")
    return 0


def page() -> str:
    """The page as it should be now."""
    head, _, rest = PAGE.read_text().partition(START)
    tail = rest.partition(END)[2]
    return f"{head}{START}{_tables()}{END}{tail}"


def _tables() -> str:
    from accounts.role_groups import ROLES, permissions_of, scopes  # models, once Django is set up

    by_role = {role: permissions_of(role) for role in ROLES}
    titles = _titles()
    lines = [f"| permission | {' | '.join(ROLES)} |", f"|---|{'---|' * len(ROLES)}"]
    for name in sorted(by_role[ROLES[-1]], key=lambda name: (_first(name, by_role), name)):
        marks = " | ".join("yes" if name in by_role[role] else "" for role in ROLES)
        lines.append(f"| {titles[name]} (`{name}`) | {marks} |")
    lines += ["", "| scope of an API key | permissions |", "|---|---|"]
    lines += [
        f"| `{scope}` | {', '.join(f'`{name}`' for name in sorted(behind))} |"
        for scope, behind in sorted(scopes().items())
    ]
    return "\n".join(lines) + "\n"


def _first(name: str, by_role: dict[str, set[str]]) -> int:
    """The least role that has the permission."""
    return next(number for number, names in enumerate(by_role.values()) if name in names)


def _titles() -> dict[str, str]:
    from django.apps import apps
    from django.contrib.auth.management import _get_all_permissions  # type: ignore[attr-defined]  # no public one

    return {
        f"{model._meta.app_label}.{codename}": str(title)
        for model in apps.get_models()
        for codename, title in _get_all_permissions(model._meta)
    }


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
    django.setup()
    sys.exit(main())
