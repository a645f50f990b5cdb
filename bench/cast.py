"""Who takes turns, by name: those who send as fast as they can, and those who are looked at."""

from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Final, TypeVar

from bench import rows
from bench.contenders import TEXT, Contender, Head, Http, Pgbench, RawSqlite, head, requests_of
from bench.crowds import Idle, Stalled, bare_opener, widget_opener
from bench.delivery import Delivery
from bench.fill import fill
from bench.limits import Subject
from bench.load import CONNECTIONS, Usage
from bench.machine import processor_times
from bench.restart import Restart
from bench.roads import by_broadcast, by_notify, by_post, by_socket
from bench.servers import PROGRAMS, command_line, free_port, post, service_variables
from bench.stage import Served, Stage, count_postgres, count_sqlite
from bench.talkers import Sockets

SESSIONS: Final = 1_000
CONTENT: Final = {"content": {"type": "text", "text": TEXT}}
WIDGETS: Final = 2_000
SOCKETS_EACH: Final = 5
LISTENERS: Final = 1_000
FAN_OUT_RATE: Final = 50.0
IDLE_RATE: Final = 40.0

Party = TypeVar("Party")


def once(builders: Mapping[str, Callable[[Stage], Party]], stage: Stage) -> Callable[[str], Party]:
    """Gives each by its name, built when first asked for."""

    @cache
    def built(name: str) -> Party:
        return builders[name](stage)

    return built


def _service_on_postgres(stage: Stage) -> Contender:
    served = stage.service("chat")
    heads = [_head_of(served) for _ in range(SESSIONS)]
    count = partial(count_postgres, stage.postgres, "chat")
    prepare = partial(stage.postgres.settle, "chat")
    requests = requests_of(heads)
    return Http(served.port, served.pid, requests, count, prepare, backend=stage.postgres.pid)


def _service_on_sqlite(stage: Stage) -> Contender:
    file = stage.folder / "service" / "chat.db"
    served = stage.serve(f"sqlite:///{file}")
    heads = [_head_of(served) for _ in range(SESSIONS)]
    count = partial(count_sqlite, file)
    return Http(served.port, served.pid, requests_of(heads), count, lambda: None)


def _head_of(served: Served) -> Head:
    widget = served.widget()
    return head(f"/v1/sessions/{widget.session_id}/messages", CONTENT, widget.token)


def _by_socket(stage: Stage) -> Contender:
    served = stage.service("chat")
    return Sockets(
        served.port,
        [served.widget() for _ in range(CONNECTIONS)],
        CONTENT["content"],
        stored=partial(count_postgres, stage.postgres, "chat"),
        prepare=partial(stage.postgres.settle, "chat"),
        used=_times(stage, served.pid),
    )


def _peer(stage: Stage, name: str, *command: str | Path) -> Contender:
    """A peer with a database and sessions of its own; "PORT" in the command stands for its port."""
    url, port = stage.postgres.create(name), free_port()
    words = [str(word).replace("PORT", str(port)) for word in command]
    pid = stage.start(*words, port=port, DATABASE_URL=url)
    ids = [post(port, "/sessions", {})["id"] for _ in range(SESSIONS)]
    heads = [head(f"/sessions/{session}/messages", {"text": TEXT}) for session in ids]
    count = partial(count_postgres, stage.postgres, name)
    prepare = partial(stage.postgres.settle, name)
    return Http(port, pid, requests_of(heads), count, prepare, backend=stage.postgres.pid)


def _uvicorn(name: str, port: int | str) -> list[str | Path]:
    command = (PROGRAMS / "uvicorn", f"bench.peers.{name}:app", "--port", str(port))
    return [*command, "--log-level", "warning", "--no-access-log"]


def _sockets_on_uvicorn(name: str, port: int) -> list[str | Path]:
    """With the WebSockets that the service has."""
    chosen = ("--ws", "websockets-sansio", "--ws-per-message-deflate", "false")
    return [*_uvicorn(name, port), *chosen]


def _original(stage: Stage) -> Contender:
    command = (PROGRAMS / "hypercorn", "bench.peers.original:app", "--workers", "1")
    return _peer(stage, "original", *command, "--bind", "127.0.0.1:PORT", "--log-level", "warning")


def _pgbench(stage: Stage) -> Contender:
    url = stage.postgres.create("pgbench")
    command_line("migrate", variables=service_variables(url, stage.folder))
    return Pgbench(stage.postgres, "pgbench", fill(url), stage.cores.front, stage.folder)


def _raw_sqlite(stage: Stage) -> Contender:
    file = stage.folder / "raw" / "chat.db"
    url = f"sqlite:///{file}"
    command_line("migrate", variables=service_variables(url, stage.folder))
    return RawSqlite(file, fill(url), stage.cores.front, partial(count_sqlite, file))


def _one_process(stage: Stage) -> Subject:
    served = stage.service("live")
    road = by_socket(served.port, served.port, served.widget(), served.key)
    return Delivery(road, IDLE_RATE, 1, _times(stage, served.pid))


def _two_processes(stage: Stage) -> Subject:
    served, port = stage.service("live"), free_port()
    command = (PROGRAMS / "chat-service", "serve", "--port", str(port))
    pid = stage.start(*command, port=port, **served.variables)
    road = by_socket(served.port, port, served.widget(), served.key)
    return Delivery(road, IDLE_RATE, 1, _times(stage, served.pid, pid))


def _notify(stage: Stage) -> Subject:
    road = by_notify(stage.postgres.create("bare"))
    return Delivery(road, IDLE_RATE, 1, _times(stage))


def _fanned_out(stage: Stage) -> Subject:
    served = stage.service("live")
    road = by_post(served.port, served.widget(), served.key, LISTENERS)
    return Delivery(road, FAN_OUT_RATE, LISTENERS, _times(stage, served.pid))


def _broadcast(stage: Stage) -> Subject:
    port = free_port()
    pid = stage.start(*_sockets_on_uvicorn("broadcast", port), port=port)
    return Delivery(by_broadcast(port, LISTENERS), FAN_OUT_RATE, LISTENERS, _times(stage, pid))


def _restarted(stage: Stage) -> Subject:
    crowd = stage.crowd("crowd", WIDGETS)
    stage.postgres.log_statements("crowd")
    launch = partial(stage.launch, crowd.seeded)
    return Restart(launch, crowd.seeded.port, crowd.widgets, stage.postgres.log)


def _idle(stage: Stage) -> Subject:
    crowd = stage.crowd("crowd", WIDGETS)
    openers = [widget_opener(crowd.seeded.port, widget) for widget in crowd.widgets]
    return Idle(partial(stage.alone, crowd.seeded), openers * SOCKETS_EACH)


def _echo(stage: Stage) -> Subject:
    port = free_port()
    start = partial(stage.run, *_sockets_on_uvicorn("echo", port), port=port)
    return Idle(start, [bare_opener(port)] * WIDGETS * SOCKETS_EACH)


def _stalled(stage: Stage) -> Subject:
    crowd = stage.crowd("crowd", WIDGETS)
    start = partial(stage.alone, crowd.seeded)
    return Stalled(start, crowd.seeded.port, crowd.widgets[0], crowd.seeded.key, LISTENERS)


def _times(stage: Stage, *servers: int) -> Callable[[], Usage]:
    return partial(processor_times, servers, stage.postgres.pid)


CONTENDERS: Final[Mapping[str, Callable[[Stage], Contender]]] = {
    rows.ON_POSTGRES: _service_on_postgres,
    rows.ON_SQLITE: _service_on_sqlite,
    rows.BY_SOCKET: _by_socket,
    rows.PGBENCH: _pgbench,
    rows.FASTAPI_ORM: lambda stage: _peer(stage, "fastapi_orm", *_uvicorn("fastapi_orm", "PORT")),
    rows.FASTAPI_CTE: lambda stage: _peer(stage, "fastapi_cte", *_uvicorn("fastapi_cte", "PORT")),
    rows.ORIGINAL: _original,
    rows.RAW_SQLITE: _raw_sqlite,
}
SUBJECTS: Final[Mapping[str, Callable[[Stage], Subject]]] = {
    rows.ONE_PROCESS: _one_process,
    rows.TWO_PROCESSES: _two_processes,
    rows.NOTIFY: _notify,
    rows.FANNED_OUT: _fanned_out,
    rows.BROADCAST: _broadcast,
    rows.RESTARTED: _restarted,
    rows.IDLE: _idle,
    rows.ECHO: _echo,
    rows.STALLED: _stalled,
}
