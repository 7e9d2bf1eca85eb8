"""A small part of the campaign of faults, and that it counts what hangs and goes on where it stopped."""

from dataclasses import replace

import pytest

from benchmarks import faults
from benchmarks.faults import campaign
from benchmarks.faults.trial import Trial, read_trials

pytestmark = pytest.mark.slow


def test_a_small_part_of_the_campaign(tmp_path, capsys):
    few = {"pictures": 8, "archives": 2, "disk": 1}
    for part, count in few.items():
        assert faults.main([part, "--count", str(count), "--out", str(tmp_path)]) == 0, capsys.readouterr().out
    trials = read_trials(tmp_path)
    assert {part: sum(trial.part == part for trial in trials) for part in few} == few
    faults.main(["disk", "--count", "1", "--out", str(tmp_path)])  # is there already
    assert read_trials(tmp_path) == trials
    faults.main(["pictures", "--only", "7", "--out", str(tmp_path / "again")])
    assert read_trials(tmp_path / "again")[0].said == trials[7].said


def test_what_hangs_is_counted(tmp_path, monkeypatch):
    monkeypatch.setitem(campaign.PARTS, "archives", replace(campaign.PARTS["archives"], seconds=0.001))
    assert faults.main(["archives", "--count", "1", "--out", str(tmp_path)]) == 1
    (trial,) = read_trials(tmp_path)
    assert trial.said.startswith("hangs")


def test_the_table():
    trials = [Trial("kills", 0, 0, True, "", 1.5, 20.0), Trial("kills", 0, 1, False, "", 2.5, 10.0)]
    assert campaign.table(trials).splitlines()[2].endswith("| 2 | 1 | 1 | 20 MB | 2.5 s |")
