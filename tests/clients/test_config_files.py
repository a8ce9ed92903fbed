"""A client's file is written whole or not at all, stays what it was, and what is kept of it is private."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from saasus_mcp.clients import config_files
from saasus_mcp.clients.known_clients import CLIENTS
from tests.support.client_files import sample_files
from tests.support.client_install import file_content, run_install, write_file
from tests.support.commands import run_command


@pytest.mark.skipif(os.name != "posix", reason="links and modes are not the same elsewhere")
def test_a_link_stays_a_link_and_a_mode_stays_a_mode(file: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.json"
    real.write_text("{}", encoding="utf-8")
    real.chmod(0o640)
    file.parent.mkdir()
    file.symlink_to(real)
    run_install("cursor", file)
    assert file.is_symlink()
    assert "saasus" in real.read_text(encoding="utf-8")
    assert real.stat().st_mode & 0o777 == 0o640


def test_a_file_that_changes_while_a_person_reads_is_not_overwritten(file: Path, tmp_path: Path) -> None:
    write_file(file, "{}")
    held = config_files.read_config_file(file)
    keeper = config_files.ConfigBackup(tmp_path, CLIENTS["cursor"], held.file, "saasus")
    file.write_text('{"changed": true}', encoding="utf-8")
    with pytest.raises(config_files.ConfigFileError, match="was changed by another program"):
        keeper.write(held, '{"ours": true}')
    assert file.read_text(encoding="utf-8") == '{"changed": true}'


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="only where a folder can be closed to its owner")
def test_a_folder_that_cannot_be_written_is_reported(file: Path) -> None:
    write_file(file, "{}")
    file.parent.chmod(0o500)
    ran = run_command("install", "cursor", "--file", str(file), "--sandbox", "--yes")
    file.parent.chmod(0o700)
    assert (ran.status, file_content(file)) == (1, b"{}")


@pytest.mark.skipif(os.name != "posix", reason="modes mean nothing on this system")
def test_a_backup_of_a_file_is_private(file: Path) -> None:
    write_file(file, sample_files("cursor")["other servers"])
    run_install("cursor", file)
    state = Path(os.environ["SAASUS_MCP_STATE_DIR"])
    assert any(path.is_file() for path in state.rglob("*"))
    assert [path for path in (state, *state.rglob("*")) if path.stat().st_mode & 0o077] == []


def test_taken_out_leaves_no_copy_and_what_earlier_versions_kept_goes(file: Path) -> None:
    """A client's file may hold credentials of any server in plain text."""
    write_file(file, sample_files("cursor")["other servers"])
    run_install("cursor", file)
    kept = Path(os.environ["SAASUS_MCP_STATE_DIR"]) / "clients"
    (folder,) = kept.iterdir()
    (folder / "last").write_text("hush", encoding="utf-8")
    run_install("cursor", file, "--lang", "ja")
    assert not (folder / "last").exists()
    run_install("cursor", file, "--uninstall")
    assert list(kept.iterdir()) == []


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give a file to another user")
def test_a_files_owner_stays_and_a_link_to_another_users_is_refused(file: Path, tmp_path: Path) -> None:
    write_file(file, "{}")
    os.chown(file, 1234, 5678)
    run_install("cursor", file)
    assert (file.stat().st_uid, file.stat().st_gid) == (1234, 5678)
    link, before = tmp_path / "link", file_content(file)
    link.symlink_to(file)
    ran = run_command("install", "cursor", "--file", str(link), "--sandbox", "--yes", "--uninstall")
    assert (ran.status, file_content(file)) == (1, before)
    assert "belongs to another user" in ran.err


@pytest.mark.skipif(os.name != "posix", reason="links and modes are not the same elsewhere")
def test_a_followed_link_is_reported_and_a_dangling_one_is_refused(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(file)
    ran = run_command("install", "cursor", "--file", str(link), "--sandbox", "--yes")
    assert (ran.status, "symbolic link to a file that does not exist" in ran.err, file.exists()) == (1, True, False)
    write_file(file, "{}")
    assert f"{link} is a symbolic link. The file it points to is changed" in run_install("cursor", link)


@pytest.mark.skipif(os.name != "posix", reason="modes mean nothing on this system")
def test_a_clients_file_that_everybody_can_write_to_is_refused(file: Path) -> None:
    write_file(file, "{}")
    file.chmod(0o666)
    ran = run_command("install", "cursor", "--file", str(file), "--sandbox", "--yes")
    assert (ran.status, file_content(file), "chmod 664" in ran.err) == (1, b"{}", True)
