"""What workers count in a folder of their parent: told by each of them, and outliving them."""

import os
import subprocess
import sys
from pathlib import Path
from stat import S_IMODE

from chat_service.server.figures import PREFIX, forget, shared_folder, variables_of
from chat_service.test.figures import Figures, figures_of, series

READ = "print(metrics.exposition().decode(), end='')"


def worker(place: int, folder: Path, code: str) -> Figures:
    """Run code in a process that has this place among the workers; all figures as it sees them."""
    script = f"from chat_service import metrics; {code}; {READ}"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env=os.environ | variables_of(place, str(folder)),
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    return figures_of(done.stdout)


def test_the_figures_of_all_workers_are_told_by_each(tmp_path: Path) -> None:
    worker(0, tmp_path, "metrics.NEW_MESSAGES.inc(3); metrics.CONNECTIONS_ALLOWED.set(10)")
    seen = worker(1, tmp_path, "metrics.NEW_MESSAGES.inc(4); metrics.CONNECTIONS_ALLOWED.set(10)")
    assert seen[series("chat_messages_acknowledged_total", kind="new")] == 7
    assert seen["chat_database_connections_allowed"] == 20
    assert {series("chat_process_start_time_seconds", pid=place) for place in (0, 1)} <= set(seen)


def test_who_is_next_in_a_place_counts_on_in_the_same_files(tmp_path: Path) -> None:
    count = "metrics.NEW_MESSAGES.inc(); metrics.BATCH_DRAFTS.observe(2)"
    worker(0, tmp_path, count)
    files = sorted(tmp_path.iterdir())
    for _ in range(3):
        forget(0, str(tmp_path))
        seen = worker(0, tmp_path, count)
    assert sorted(tmp_path.iterdir()) == files
    assert seen[series("chat_messages_acknowledged_total", kind="new")] == 4
    assert (seen["chat_batch_drafts_count"], seen["chat_batch_drafts_sum"]) == (4, 8)


def test_what_was_true_of_a_worker_ends_with_it(tmp_path: Path) -> None:
    lost = "metrics.DRAFTS_WAITING.set(5); metrics.DATABASE.labels('sqlite', 'fast').set(1)"
    worker(0, tmp_path, lost)
    profile = series("chat_database_info", backend="sqlite", profile="fast")
    seen = worker(1, tmp_path, "pass")
    assert (seen["chat_lane_drafts_waiting"], seen[profile]) == (5, 1)
    forget(0, str(tmp_path))
    seen = worker(1, tmp_path, "pass")
    assert seen["chat_lane_drafts_waiting"] == 0
    assert profile not in seen
    assert series("chat_process_start_time_seconds", pid=0) not in seen


def test_a_shared_folder_is_private_and_ends_with_its_block() -> None:
    with shared_folder() as folder:
        assert S_IMODE(Path(folder).stat().st_mode) == 0o700
        worker(0, Path(folder), "pass")
    assert not Path(folder).exists()


def test_a_folder_whose_parent_was_killed_is_removed_by_the_next(tmp_path: Path) -> None:
    def others() -> set[str]:
        return {path.name for path in tmp_path.iterdir()}

    old = [tmp_path / f"{PREFIX}deserted", tmp_path / "of-another-program"]
    young = tmp_path / f"{PREFIX}about-to-be-locked"
    for folder in (*old, young):
        folder.mkdir()
        (folder / "counter_0.db").touch()
    with shared_folder(tmp_path) as living:
        for folder in (*old, Path(living)):
            os.utime(folder, (0, 0))
        with shared_folder(tmp_path) as mine:
            kept = {young.name, old[1].name, Path(living).name, Path(mine).name}
            assert others() == kept
    assert others() == {young.name, old[1].name}
