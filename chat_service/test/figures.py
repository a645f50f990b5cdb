"""The figures of a service as tests read them: one number a series."""

from typing import Any

import httpx2

from chat_service.test.conftest import METRICS_TOKEN

Figures = dict[str, float]
BEARER = {"Authorization": f"Bearer {METRICS_TOKEN}"}


def figures_of(text: str) -> Figures:
    """The number of each series, by its name and labels as they stand there."""
    samples = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {series: float(number) for series, _, number in samples}


def series(name: str, **labels: Any) -> str:
    """A series as it stands in the text."""
    named = ",".join(f'{label}="{labels[label]}"' for label in sorted(labels))
    return f"{name}{{{named}}}"


async def read(client: httpx2.AsyncClient) -> Figures:
    """All figures, asked for as Prometheus does."""
    response = await client.get("/metrics", headers=BEARER)
    assert response.status_code == 200, response.text
    return figures_of(response.text)


def grown(before: Figures, after: Figures) -> Figures:
    """By how much each series is larger; those that are as before are left out."""
    growth = {one: number - before.get(one, 0) for one, number in after.items()}
    return {one: number for one, number in growth.items() if number}
