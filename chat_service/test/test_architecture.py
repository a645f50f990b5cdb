"""House rules that the import contracts cannot express, read from the source itself."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import chat_service

ROOT = Path(chat_service.__file__).parent
SOURCES = sorted(path for path in ROOT.rglob("*.py") if "test" not in path.relative_to(ROOT).parts)
MAY_SEE_THE_WHOLE_CONFIGURATION = {"app.py", "asgi.py", "config.py", "cli"}
MOST_LINES = 300
LONGER = {"errors.py"}
"""A table of errors, each with the text of its page."""


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in SOURCES:
        yield path, ast.parse(path.read_text())


def imported(tree: ast.AST) -> set[tuple[str, str]]:
    return {
        (node.module or "", alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


@pytest.mark.asvs("13.3.2")
def test_only_app_asgi_and_cli_see_the_whole_configuration() -> None:
    whole = {("chat_service.config", "Config"), ("chat_service.config", "load_config")}
    seen = {name(path).split("/")[0] for path, tree in trees() if imported(tree) & whole}
    assert seen <= MAY_SEE_THE_WHOLE_CONFIGURATION


def test_no_function_imports_for_itself() -> None:
    inside = [
        f"{name(path)}:{node.lineno}"
        for path, tree in trees()
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert inside == []


@pytest.mark.asvs("6.5.3", "11.5.1")
def test_secrets_come_from_secrets() -> None:
    weak = {("random", ""), ("uuid", "uuid1"), ("uuid", "uuid4")}
    found = [name(path) for path, tree in trees() if imported(tree) & weak]
    plain = [
        name(path)
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Import) and any(alias.name == "random" for alias in node.names)
    ]
    assert found + plain == []


def test_every_module_says_what_it_owns() -> None:
    silent = [name(path) for path, tree in trees() if tree.body and ast.get_docstring(tree) is None]
    assert silent == []


def test_files_stay_short_enough_to_read() -> None:
    long = [
        name(path)
        for path in SOURCES
        if len(path.read_text().splitlines()) > MOST_LINES and name(path) not in LONGER
    ]
    assert long == []


def test_services_never_commit() -> None:
    commits = [
        f"{name(path)}:{node.lineno}"
        for path, tree in trees()
        if path.name in ("services.py", "queries.py")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "commit"
    ]
    assert commits == []
