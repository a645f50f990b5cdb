"""Write THIRD_PARTY.md from poetry.lock, or with `--check` compare it; refuse licences we cannot carry.

The list holds what every installation carries: the lock decides which packages stand in it, their
installed metadata tells licence and home page, and a NOTICE.txt tells of files we carry ourselves.
The licences of development tools are checked too.
"""

import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
LIST: Final = ROOT / "THIRD_PARTY.md"

ALLOWED: Final = {
    "MIT": "keep the notice",
    "MIT-0": "no condition",
    "BSD-2-Clause": "keep the notice",
    "BSD-3-Clause": "keep the notice",
    "BSD": "one of the two above; older metadata does not tell which",
    "ISC": "keep the notice",
    "PSF-2.0": "keep the notice",
    "Apache-2.0": "our own licence",
    "CNRI-Python": "keep the notice",
    "Unlicense": "public domain",
    "MPL-2.0": "binds only its own files, which we carry unchanged",
}
"""Licences by SPDX name, and why each is no burden to somebody who runs or embeds the service."""

CLASSIFIERS: Final = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}
"""How packages without an SPDX expression name their licence."""

FILES: Final = {"kosoku": "MIT AND Apache-2.0"}
"""Packages that tell their licence in a file alone, as it was read there."""

HOME_PAGES: Final = ("homepage", "home", "repository", "source", "source code", "github")
"""Labels of a project's addresses, the best first."""

HEAD: Final = """\
# Third-party software

What chat-service installs beside itself, made from `poetry.lock` by `make lock`. Each package
carries the text of its licence in its `*.dist-info` folder.

| Package | Version | Licence | Home page |
| --- | --- | --- | --- |
"""


Metadata = Mapping[str, Any]
"""A package's core metadata in its JSON form (PEP 566): keys in small letters, with underscores."""


def main(arguments: list[str]) -> None:
    """Check every locked package, then write or compare the list; exits with one line a fault."""
    locked = tomllib.loads((ROOT / "poetry.lock").read_text())["package"]
    packages = dict(installed(locked))
    refused = [line for name, package in packages.items() for line in refusals(name, package)]
    if refused:
        sys.exit("\n".join(refused))
    carried = [one for one in locked if "main" in one["groups"] and one["name"] in packages]
    text = HEAD + "".join(row(one, packages[one["name"]]) for one in carried) + bundled()
    if arguments != ["--check"]:
        LIST.write_text(text)
    elif LIST.read_text() != text:
        sys.exit(f"{LIST.name} is not what poetry.lock says; `make lock` renews it")


def installed(locked: Iterable[Mapping[str, Any]]) -> Iterable[tuple[str, Metadata]]:
    """Each locked package with its metadata, but for those that other platforms need."""
    for package in locked:
        try:
            yield package["name"], metadata(package["name"]).json
        except PackageNotFoundError:
            if "markers" not in package:
                sys.exit(f"{package['name']} is locked but not installed")


def refusals(name: str, package: Metadata) -> Iterable[str]:
    """One line if a package's licence is not allowed."""
    licence = licence_of(package)
    if not is_allowed(licence):
        yield f"{name}: its licence is not on the list of tools/third_party.py: {licence or 'none'}"


def licence_of(package: Metadata) -> str:
    """The licence as an SPDX expression, else in the package's own words; empty where untold."""
    expression: str = package.get("license_expression", FILES.get(package.get("name", ""), ""))
    text: str = package.get("license", "").strip()
    if expression or is_allowed(text):
        return expression or text
    prefix = "License :: OSI Approved :: "
    told = [name for name in package.get("classifier", []) if name.startswith(prefix)]
    names = [name.removeprefix(prefix) for name in told]
    return " AND ".join(CLASSIFIERS.get(name, name) for name in names) or text.partition("\n")[0]


def is_allowed(expression: str) -> bool:
    """Whether an SPDX expression can be met by allowed licences alone; AND binds before OR.

    Whatever is no such expression is not allowed, `WITH` included: nothing here needs it.
    """
    inner = re.compile(r"\(([^()]*)\)")
    while group := inner.search(expression):
        verdict = "MIT" if is_allowed(group[1]) else "refused"
        expression = expression[: group.start()] + verdict + expression[group.end() :]
    choices = expression.split(" OR ")
    return any(all(part.strip() in ALLOWED for part in one.split(" AND ")) for one in choices)


def row(locked: Mapping[str, Any], package: Metadata) -> str:
    """One line of the list."""
    cells = [locked["name"], locked["version"], licence_of(package), home_page(package)]
    return f"| {' | '.join(cells)} |\n"


def bundled() -> str:
    """The notices that stand beside files of others in our own folders."""
    text = ""
    for notice in sorted((ROOT / "chat_service" / "static").rglob("NOTICE.txt")):
        folder = notice.parent.relative_to(ROOT).as_posix()
        text += f"\n## In `{folder}/`\n\n```text\n{notice.read_text()}```\n"
    return text


def home_page(package: Metadata) -> str:
    """Where a project lives, empty where its metadata does not tell."""
    pairs = (line.partition(", ") for line in package.get("project_url", []))
    addresses = {label.lower(): address for label, _, address in pairs}
    addresses.setdefault("homepage", package.get("home_page", ""))
    return next((addresses[label] for label in HOME_PAGES if addresses.get(label)), "")


if __name__ == "__main__":
    main(sys.argv[1:])
