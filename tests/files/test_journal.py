"""What a commit has left in a folder, and what it cannot be."""

import os
import subprocess
import sys

import pytest

RECOVER = "import sys; from pathlib import Path; from explorer.files import journal; journal.recover(Path(sys.argv[1]))"


@pytest.mark.slow
@pytest.mark.parametrize("left", ["something foreign", "a folder that cannot be removed"])
def test_a_commit_without_a_plan_is_left_and_nobody_waits_for_it(tmp_path, left):
    """In a process of its own, which may hang."""
    (tmp_path / "folder" / ".commit").mkdir(parents=True)
    if left == "something foreign":
        (tmp_path / "folder" / ".commit" / "file").touch()
    else:
        (tmp_path / "folder" / ".commit" / "inner").mkdir()
        (tmp_path / "folder").chmod(0o500)
    subprocess.run([sys.executable, "-c", RECOVER, tmp_path / "folder"], check=True, timeout=240, env=dict(os.environ))
    assert (tmp_path / "folder" / ".commit").is_dir()
    (tmp_path / "folder").chmod(0o700)
