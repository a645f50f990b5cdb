"""Make .venv hold what poetry.lock says: `environment.py [GROUP ...]`, or renew the lock: `--lock`.

Runs on the machine's own Python with nothing installed; does nothing where nothing has changed.
Poetry only reads the lock and uv installs from it, because Poetry's own installer needs more from
a package index than many mirrors serve; pip installs where uv cannot.
"""

import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

VERSION = sys.version_info[:2]
if os.name == "nt":
    sys.exit("chat-service runs on Linux and macOS; on Windows use Docker or WSL.")
if not (3, 11) <= VERSION <= (3, 13):
    found = "Python %d.%d was found, Python 3.11 to 3.13 is needed" % VERSION
    sys.exit(found + "; name one that you have: make PYTHON=python3.12 ...")
if importlib.util.find_spec("ensurepip") is None:
    sys.exit("Python cannot make environments: install the package python%d.%d-venv." % VERSION)

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
TOOLS = ROOT / ".tools"
PINS = ROOT / "tools" / "requirements.txt"
EXPORT = TOOLS / "locked.txt"


def main(arguments: list[str]) -> None:
    """Bring both environments up to date, or lock."""
    os.chdir(ROOT)
    prepare_tools()
    if arguments == ["--lock"]:
        say("locking")
        run(TOOLS / "bin/poetry", "lock", POETRY_PYPI_MIRROR_URL=index_url())
    else:
        prepare_venv(set(arguments))


def prepare_tools() -> None:
    """Poetry and uv, in an environment of their own."""
    stamp, key = TOOLS / "installed", digest(PINS)
    if is_usable(TOOLS) and read(stamp) == key:
        return
    say("Poetry and uv into .tools")
    run(sys.executable, "-m", "venv", "--clear", TOOLS)
    run(TOOLS / "bin/python", "-m", "pip", "install", "--quiet", "--constraint", PINS, "uv")
    install(TOOLS, "--requirement", PINS)
    stamp.write_text(key)


def prepare_venv(groups: set[str]) -> None:
    """The locked packages of the service and of `groups`, beside those of groups installed before."""
    stamp, key = VENV / "installed", digest(Path("pyproject.toml"), Path("poetry.lock"))
    old_key, *installed = read(stamp).split() or [""]
    if is_usable(VENV) and old_key == key and groups <= set(installed):
        return
    if not is_usable(VENV):
        run(sys.executable, "-m", "venv", "--clear", "--without-pip", VENV)
        installed = []
    names = sorted(groups.union(installed))
    say("packages of poetry.lock into .venv (%s)" % ", ".join(["service", *names]))
    run(TOOLS / "bin/poetry", "check", "--lock")
    chosen = ["--with", ",".join(names)] if names else []
    run(TOOLS / "bin/poetry", "export", "--all-extras", "--output", EXPORT, *chosen)
    install(VENV, "--require-hashes", "--requirement", EXPORT)
    say("chat-service itself into .venv")
    install(VENV, "--no-deps", "--editable", ".")
    stamp.write_text(" ".join([key, *names]))


def install(folder: Path, *arguments: str | Path) -> None:
    """Install with uv, else with pip."""
    chosen = ["--quiet", "--python", str(folder / "bin/python")]
    variables = {**os.environ, "UV_DEFAULT_INDEX": index_url()}
    uv = subprocess.run([TOOLS / "bin/uv", "pip", "install", *chosen, *arguments], env=variables)
    if uv.returncode:
        say("uv cannot install here; pip does it")
        run(TOOLS / "bin/python", "-m", "pip", *chosen, "install", *arguments)


def index_url() -> str:
    """The package index that pip was told to use, or pip's own."""
    asked = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
    python = TOOLS / "bin/python"
    return (
        os.environ.get("PIP_INDEX_URL")
        or output_of(python, "-m", "pip", "config", "get", "global.index-url")
        or output_of(python, "-c", asked)
    )


def is_usable(folder: Path) -> bool:
    """Whether an environment exists and is of this Python."""
    library = folder / "lib" / ("python%d.%d" % VERSION)
    return library.is_dir() and (folder / "bin/python").exists()


def digest(*files: Path) -> str:
    """One word that changes with any of the files."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def read(file: Path) -> str:
    """A file's text, empty where there is none."""
    return file.read_text() if file.exists() else ""


def output_of(*command: str | Path) -> str:
    """What a command prints; empty where it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return "" if done.returncode else done.stdout.strip()


def run(*command: str | Path, **variables: str) -> None:
    """Run a command in silence; where it fails show what it printed and end."""
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **variables},
    )
    if done.returncode:
        sys.exit(done.stdout + "environment: failed: " + " ".join(map(str, command)))


def say(text: str) -> None:
    """One line of progress."""
    print("environment: " + text, flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
