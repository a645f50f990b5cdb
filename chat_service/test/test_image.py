"""What the image is built from: without a Docker engine, as far as its files say."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["poetry"]
PACKAGES = [package["include"] for package in PROJECT["packages"]]


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_is_sent_to_the_engine_and_copied_before_the_build(package: str) -> None:
    sent = (ROOT / ".dockerignore").read_text().splitlines()
    build, _, _ = (ROOT / "Dockerfile").read_text().partition("--no-deps .")
    assert f"!{package}" in sent
    assert f"COPY {package} {package}" in build.splitlines()


def test_there_are_packages() -> None:
    assert {"chat_service", "chat_service_client", "migrations"} <= set(PACKAGES)
