"""The one writer of files writes what it is given, where it is told, and says in one sentence why it cannot."""

import errno
import os
import stat
import threading

import pytest

from truestep.core.errors import TruestepError
from truestep.store.atomic import StoreError, make_folder, write_bytes, write_text


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 5000, bytearray(b"ab"), memoryview(b"cd")])
def test_what_is_written_is_what_is_read(tmp_path, data):
    write_bytes(tmp_path / "file", data)
    assert (tmp_path / "file").read_bytes() == bytes(data)
    assert os.listdir(tmp_path) == ["file"]


def test_text_is_utf8_and_keeps_its_line_ends(tmp_path):
    write_text(tmp_path / "file", "é\n\r\n∂")
    assert (tmp_path / "file").read_bytes() == "é\n\r\n∂".encode()


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "file"
    write_bytes(path, b"a long first text")
    write_bytes(str(path), b"short")
    assert path.read_bytes() == b"short"


def test_a_write_that_takes_a_part_is_continued(tmp_path, monkeypatch):
    whole = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: whole(handle, data[:3]))
    write_bytes(tmp_path / "file", b"0123456789")
    assert (tmp_path / "file").read_bytes() == b"0123456789"


def test_a_link_is_followed_and_stays_a_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere" / "file")
    write_bytes(tmp_path / "link", b"x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "elsewhere" / "file").read_bytes() == b"x"


def test_permissions_are_those_that_the_umask_gives(tmp_path):
    before = os.umask(0o027)
    try:
        write_bytes(tmp_path / "file", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


def test_a_name_as_long_as_the_system_allows_can_be_written(tmp_path):
    write_bytes(tmp_path / ("n" * 255), b"x")
    assert (tmp_path / ("n" * 255)).read_bytes() == b"x"


def test_the_bytes_are_on_the_disk_before_the_name_and_the_name_before_the_return(tmp_path, monkeypatch):
    order = []
    for name in ("open", "write", "fsync", "replace", "close"):
        real = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *args, _name=name, _real=real, **kw: order.append(_name) or _real(*args, **kw)
        )
    write_bytes(tmp_path / "file", b"x")
    assert order == ["open", "write", "fsync", "close", "replace", "open", "fsync", "close"]


@pytest.mark.parametrize(
    "place, reason, number",
    [
        ("missing/file", "cannot be written: no such file or directory; make its folder first", errno.ENOENT),
        ("folder", "cannot be written: is a directory; a folder stands where the file should go", errno.EISDIR),
        ("taken/file", "cannot be written: not a directory; a file stands where a folder is needed", errno.ENOTDIR),
        ("n" * 256, "cannot be written: file name too long; choose a shorter name", errno.ENAMETOOLONG),
    ],
)
def test_what_cannot_be_written_is_one_sentence(tmp_path, place, reason, number):
    (tmp_path / "folder").mkdir()
    (tmp_path / "taken").write_bytes(b"")
    with pytest.raises(StoreError) as caught:
        write_bytes(tmp_path / place, b"x")
    assert str(caught.value).startswith(f"{tmp_path / place} {reason}")
    assert "\n" not in str(caught.value)
    assert caught.value.errno == number
    assert isinstance(caught.value, TruestepError)
    assert isinstance(caught.value, OSError)
    assert sorted(os.listdir(tmp_path)) == ["folder", "taken"]


def test_a_folder_is_made_with_its_parents_and_once(tmp_path):
    assert make_folder(tmp_path / "a" / "b" / "c") is True
    assert (tmp_path / "a" / "b" / "c").is_dir()
    assert make_folder(tmp_path / "a" / "b" / "c") is False


def test_a_folder_asked_for_by_many_at_once_is_made_by_one(tmp_path):
    made, ready = [], threading.Barrier(8)

    def ask():
        ready.wait()
        made.append(make_folder(tmp_path / "a" / "b"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False] * 7 + [True]


def test_a_file_in_the_way_of_a_folder_is_one_sentence(tmp_path):
    (tmp_path / "taken").write_bytes(b"")
    with pytest.raises(
        StoreError, match=r"taken cannot be made: file exists; a file stands where the folder should go"
    ):
        make_folder(tmp_path / "taken")
    with pytest.raises(StoreError, match=r"taken cannot be made: file exists"):
        make_folder(tmp_path / "taken" / "below")
