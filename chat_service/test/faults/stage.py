"""A service on a database, with people who write and read: what fault tests play on."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from chat_service.test.faults.acks import Acks
from chat_service.test.faults.notes import Notes
from chat_service.test.faults.readers import Readers
from chat_service.test.faults.stores import Store
from chat_service.test.faults.tenants import Tenant, build_tenant, client_of
from chat_service.test.faults.victim import Victim
from chat_service.test.faults.writers import Writers


@dataclass(frozen=True)
class Stage:
    """A running server, its database, and one workspace."""

    store: Store
    victim: Victim
    tenant: Tenant
    notes: Notes
    writers: Writers
    readers: Readers

    async def violations(self) -> list[str]:
        """Everything that is wrong so far; nobody may be writing."""
        return await self.notes.violations(self.store.url)


@asynccontextmanager
async def staged(
    store: Store,
    folder: Path,
    random: Random,
    *,
    planted: bool = False,
    faulty: str = "",
    agents: int = 2,
    chats: int = 2,
    settings: Mapping[str, str] | None = None,
) -> AsyncIterator[Stage]:
    """Start a server, with a workspace in it; it is killed at the end."""
    victim = Victim(store.url, folder, settings)
    acks = Acks(folder / f"acks-{victim.port}")
    notes = Notes(acks)
    try:
        await victim.start(planted=planted, faulty=faulty)
        async with client_of(victim.address) as client:
            tenant = await build_tenant(store.url, folder, client, agents=agents, chats=chats)
            people = (tenant, notes, random)
            yield Stage(store, victim, tenant, notes, Writers(*people), Readers(*people))
    finally:
        victim.kill()
        acks.close()
