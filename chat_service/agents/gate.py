"""What letting somebody in goes by, and what its limits of tries count: whom, how often, how long.

Whom a limit counts is kept as a keyed hash: a table of addresses would be their hashes soon.
"""

from dataclasses import dataclass, replace
from typing import Final

from chat_service.agents.passwords import Passwords
from chat_service.config import Auth
from chat_service.limits.addresses import network_of
from chat_service.schema import AgentId
from chat_service.tokens import Keys

PURPOSE: Final = "tries"
LETTERS_AT_MOST: Final = 3
LETTERS_SECONDS: Final = 900


@dataclass(frozen=True, slots=True)
class Subject:
    """What a limit counts: at most `tries` in `seconds`."""

    name: str
    tries: int
    seconds: int
    everywhere: bool = False
    """Whether all workspaces count together: an address is one, however many it tries."""

    @property
    def policy(self) -> str:
        """How the limit is told, without whom it counts."""
        return self.name.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Gate:
    """Passwords, keys and settings of the installation, and the limits made of them."""

    passwords: Passwords
    keys: Keys
    config: Auth

    def sign_in_limits(self, *, address: str, email: str) -> tuple[Subject, Subject]:
        """The two limits of a try, by account and by address."""
        config, name = self.config, f"account:{self._hidden(email.lower())}"
        account = Subject(name, config.tries_per_account, config.tries_per_account_seconds)
        return account, self.address_limit(address)

    def address_limit(self, address: str) -> Subject:
        """The limit of tries from an address, for those that name no account."""
        config, name = self.config, f"address:{self._hidden(network_of(address))}"
        tries, seconds = config.tries_per_address, config.tries_per_address_seconds
        return Subject(name, tries, seconds, everywhere=True)

    def recovery_limits(self, *, address: str, email: str) -> tuple[Subject, ...]:
        """The limits of asking for a recovery: as many as of signing in, counted apart from them.

        Whoever has used up his tries at a password is the one who needs a new one.
        """
        return tuple(
            replace(each, name=f"recovery-{each.name}")
            for each in self.sign_in_limits(address=address, email=email)
        )

    def letter_limit(self, email: str) -> Subject:
        """The limit of letters to somebody who may not have asked for them; told to nobody."""
        return Subject(f"letter:{self._hidden(email.lower())}", LETTERS_AT_MOST, LETTERS_SECONDS)

    def proof_limit(self, agent_id: AgentId) -> Subject:
        """The limit of passwords that an agent shows who is signed in, apart from those at the door.

        Else whoever knows his e-mail could keep him from changing his password.
        """
        config, name = self.config, f"proof:{agent_id.hex}"
        return Subject(name, config.tries_per_account, config.tries_per_account_seconds)

    def link_limit(self, address: str) -> Subject:
        """The limit of showing links, by address."""
        by_address = self.address_limit(address)
        return replace(by_address, name=f"link-{by_address.name}")

    def _hidden(self, value: str) -> str:
        return self.keys.pseudonym(PURPOSE, value)


def code_limit(config: Auth, agent_id: AgentId) -> Subject:
    """The limit of codes of a second factor, by account."""
    return Subject(f"code:{agent_id.hex}", config.tries_per_code, config.tries_per_code_seconds)
