"""The demo workspace's credentials: where they are kept, and the three lines that tell of them."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

FILE: Final = Path("var/demo.txt")


@dataclass(frozen=True)
class Demo:
    """What a first user needs, each a line `name: value` in the file."""

    email: str
    password: str
    api_key: str
    inbox_key: str
    customer_id: str

    def text(self) -> str:
        """The file's text."""
        return "".join(f"{name}: {value}\n" for name, value in asdict(self).items())

    @classmethod
    def read(cls, path: Path) -> "Demo | None":
        """The credentials of a file, or None where there is none."""
        if not path.is_file():
            return None
        pairs = (line.split(": ", 1) for line in path.read_text().splitlines())
        return cls(**dict(pairs))

    def lines(self, url: str) -> list[str]:
        """Where to look, where the credentials are, a first request that works when pasted."""
        body = (
            f'{{"client_session_id":"first","customer_id":"{self.customer_id}",'
            '"initial_message":{"client_message_id":"hello",'
            '"content":{"type":"text","text":"Hello"}}}'
        )
        return [
            f"Look at   {url}/ and {url}/docs",
            f"Sign in   with what stands in {FILE} (e-mail, password, API key)",
            f"Try       curl -s {url}/v1/sessions -H 'Authorization: Bearer {self.api_key}' "
            f"-H 'Content-Type: application/json' -d '{body}'",
        ]
