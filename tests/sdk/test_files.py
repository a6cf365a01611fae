from pathlib import Path

import pytest

from mobisdk.files import folder_atomically, write_atomically


def test_write_atomically_replaces_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


def test_write_atomically_when_it_fails_then_old_content_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_atomically(path, b"one")
    with pytest.raises(TypeError):
        write_atomically(path, "not bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("interruption", [ValueError, KeyboardInterrupt, SystemExit])
def test_folder_atomically_when_interrupted_then_nothing_is_there(
    tmp_path: Path, interruption: type[BaseException]
) -> None:
    def fill_halfway() -> None:
        with folder_atomically(tmp_path / "b") as partial:
            (partial / "half").write_text("x")
            raise interruption

    with pytest.raises(interruption):
        fill_halfway()
    assert list(tmp_path.iterdir()) == []


def test_folder_atomically_when_target_is_not_empty_then_keeps_it(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine").write_text("x")
    with pytest.raises(OSError, match="not empty"), folder_atomically(tmp_path / "b") as partial:
        (partial / "theirs").write_text("y")
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["mine"]
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
