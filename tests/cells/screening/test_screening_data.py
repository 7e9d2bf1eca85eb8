"""Screening real cells of patients whom nothing was fitted on."""

import csv
import io
import re
import zipfile

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

import explorer
from explorer.cells.screening import screen_files
from explorer.datasets.malaria import split_of

pytestmark = pytest.mark.data
PATIENT = re.compile(r"/(C[0-9]+)P[^/]+$")


def test_infected_cells_of_new_patients_are_told_apart(data_root):
    with zipfile.ZipFile(data_root / "malaria" / "cell_images_64.zip") as archive:
        names = [name for name in archive.namelist() if (m := PATIENT.search(name)) and split_of(m[1]) == "test"]
        chosen = np.random.default_rng(0).choice(sorted(names), 600, replace=False)
        pictures = [archive.read(name) for name in chosen]
    labels, found = np.array(["Parasitized" in name for name in chosen]), explorer.screen(pictures, device="cpu")
    assert 200 < labels.sum() < 400
    assert roc_auc_score(labels, found.p_infected) > 0.975
    assert roc_auc_score(labels, found.residual_score) > 0.96
    assert np.square(found.p_infected.numpy() - labels).mean() < 0.08  # 0.25 is what ignorance has
    assert found.unlike.float().mean() < 0.02


def test_a_zip_of_original_sizes_is_what_screen_says_of_its_pictures(data_root, tmp_path):
    with zipfile.ZipFile(data_root / "malaria" / "cell_images_sample.zip") as sample:
        names = sample.namelist()
        chosen = [name for name in names if name.endswith(".png")][::25] + [n for n in names if n.endswith("Thumbs.db")]
        some = {name: sample.read(name) for name in chosen}
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        for name, data in some.items():
            archive.writestr(name, data)
    found = screen_files(tmp_path / "some.zip", device="cpu")
    assert found.files == sorted(name for name in chosen if name.endswith(".png"))
    assert not found.unreadable
    found.write_csv(tmp_path / "scores.csv")
    with open(tmp_path / "scores.csv", newline="") as stream:
        table = {row["file"]: row for row in csv.DictReader(stream)}
    pictures = [Image.open(io.BytesIO(some[name])) for name in found.files]
    assert len({picture.size for picture in pictures}) > 10
    expected = explorer.screen(pictures, device="cpu")
    for column in ("p_infected", "log_ratio"):
        figures = [float(table[name][column]) for name in found.files]
        np.testing.assert_allclose(figures, getattr(expected, column), atol=1e-4)
    infected = np.array(["Parasitized" in name for name in found.files])
    figures = np.array([float(table[name]["log_ratio"]) for name in found.files])
    assert roc_auc_score(infected, figures) > 0.9
