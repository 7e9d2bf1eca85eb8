"""The Reconstruct page under Streamlit's test runner: every source, every wrong file, figures against the package."""

from __future__ import annotations

import csv
import io
import re
import struct
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from streamlit.testing.v1 import AppTest

import explorer
from explorer.evaluation.ranking import COLUMNS
from explorer.evaluation.scores import judge
from explorer.files.tables import table_text
from explorer.images import pictures
from explorer.images.habits import habits
from explorer.images.preparation import Steps, prepare
from explorer.images.suggestion import suggest
from explorer.ui import assets, cache
from explorer.ui.reconstruct import uploads
from explorer.ui.reconstruct.analysis import Subject, _analyse
from tests.app.screens import APP, PAGES, TIMEOUT, go_back, press, sound, texts
from tests.app.tiny_runs import AUTOENCODER, CONV, PLANE

pytestmark = pytest.mark.usefixtures("own_runs")


def page(model: str = PLANE, **query: str) -> AppTest:
    """The page after its first run under an address."""
    at = AppTest.from_file(APP, default_timeout=TIMEOUT).switch_page(str(PAGES / "reconstruct.py"))
    for name, value in {"model": model, **query}.items():
        at.query_params[name] = value
    return sound(at.run())


def saved(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    data = io.BytesIO()
    picture.save(data, kind, **options)
    return data.getvalue()


def digit(size: int = 28) -> Image.Image:
    """A white one on black, as MNIST's are."""
    pixels = np.zeros((size, size), np.uint8)
    pixels[size // 7 : -size // 7, size // 2 - size // 14 : size // 2 + size // 14] = 255
    return Image.fromarray(pixels)


def upload(at: AppTest, *files: tuple[str, bytes]) -> AppTest:
    at.file_uploader[0].set_value([(name, data, "application/octet-stream") for name, data in files])
    sound(at.run())
    while (job := at.session_state["reconstruct_uploads"].job) is not None:  # a busy machine takes longer
        job.join()
        sound(at.run())
    return at


def codes_shown(at: AppTest) -> list[np.ndarray]:
    found = re.findall(r'data-code="([^"]*)"', texts(at.html))
    return [np.array([float(v) for v in code.split(",")]) for code in found]


def nats_shown(at: AppTest, name: str) -> list[float]:
    found = re.findall(rf"<span>{name}</span></summary><p>[^<]*</p></details><b>([^<]*) nats</b>", texts(at.html))
    return [float(value.replace("−", "-").replace(",", "")) for value in found]


# --- sources --------------------------------------------------------------------------------------------------------


def test_it_opens_empty_and_says_what_to_do():
    at = page()
    assert at.segmented_control(key="reconstruct_source").value == "draw"
    assert "Draw a digit" in texts(at.markdown)
    assert not codes_shown(at)
    assert dict(at.query_params) == {"model": PLANE}
    at.segmented_control(key="reconstruct_source").set_value("upload").run()
    assert "Drop pictures" in texts(sound(at).markdown)
    assert not at.get("camera_input")  # nobody is asked for a permission unasked
    at.toggle(key="use_camera").set_value(True).run()
    assert len(sound(at).get("camera_input")) == 1


def test_a_drawing_is_judged_as_the_package_judges_it():
    at = page()
    at.session_state["reconstruct_drawing"] = saved(digit(280))
    sound(at.run())
    model = explorer.load(PLANE)
    image = prepare(digit(280), Steps(), 28, 1).image
    found = judge(model, image[None])
    np.testing.assert_allclose(codes_shown(at)[0], found.code[0], rtol=1e-4)
    assert nats_shown(at, "ELBO")[0] == pytest.approx(float(found.elbo[0]), abs=0.06)
    assert nats_shown(at, "KL")[0] == pytest.approx(float(found.kl[0]), abs=0.06)
    assert found.sentence() in texts(at.markdown)
    name, share = found.class_votes[0][0]
    assert f"{name} ({round(15 * share)})" in texts(at.html)


def test_test_images_their_numbers_and_another_one():
    at = page(source="test")
    assert "mnist-5k" in texts(at.markdown)
    at = page(source="test", data="mnist-5k", index="42")
    assert at.number_input(key="test_index").value == 42
    at.number_input(key="test_index").set_value(7).run()
    assert sound(at).query_params["index"] == "7"
    data = explorer.dataset("mnist-5k", split="train")
    expected = judge(explorer.load(PLANE), data.images[7][None])
    np.testing.assert_allclose(codes_shown(at)[0], expected.code[0], rtol=1e-3, atol=1e-4)
    press(at, "test_another")
    assert at.query_params["index"] == str(at.number_input(key="test_index").value)


def test_a_test_image_has_the_score_that_explore_shows_and_does_not_vote_for_itself():
    """Neither among the stored codes nor among those that are encoded now."""
    for query, row in ({"index": "7"}, 7), ({"index": "4007", "data": "mnist-5k"}, 4007):
        at = page(source="test", tool="rank", **query)
        (looked,) = at.session_state["reconstruct_analyses"].values()
        shown = looked.data.latents
        assert looked.data.row_of(row) == row
        assert float(looked.judgement.elbo[0]) == float(shown.reconstruction[row] - shown.kl[row])
        assert len(looked.judgement.neighbours[0]) == 15
        assert 7 not in looked.judgement.neighbours


def test_several_uploads_are_chosen_removed_cleared_and_undone():
    at = page(source="upload")
    upload(at, ("one.png", saved(digit())), ("two.png", saved(digit(56))), ("broken.png", b"\x89PNG\r\n"))
    # The store of assets outlives the session, and anybody could ask it: nothing of what was uploaded is in it.
    assert not [key for key in assets._store._recipes if key.startswith(("thumbs", "ranked", "upload"))]
    assert len(at.warning) == 1
    assert "broken" in texts(at.warning)
    assert "one" in texts(at.markdown)
    sound(at.run())
    press(at, "upload_dismiss")
    assert not at.warning
    press(at, "upload_remove")
    assert "two" in texts(at.markdown)
    press(at, "upload_undo")
    assert "upload_clear" in {button.key for button in at.button}
    press(at, "upload_clear")
    assert not codes_shown(at)
    assert "Cleared 2 pictures" in texts(at.caption)
    press(at, "upload_undo")
    assert codes_shown(at)
    at.switch_page(str(PAGES / "explore.py")).run()
    at.switch_page(str(PAGES / "reconstruct.py")).run()
    assert codes_shown(sound(at))  # they live in the session


def test_tiles_of_uploads_are_made_once(monkeypatch):
    made = []
    mosaic = pictures.mosaic
    monkeypatch.setattr(pictures, "mosaic", lambda *parts, **options: made.append(1) or mosaic(*parts, **options))
    at = upload(page(source="upload", tool="rank"), ("one.png", saved(digit())), ("two.png", saved(digit(56))))
    assert len(made) == 1
    sound(at.run())
    assert len(made) == 1
    press(at, "upload_remove")
    upload(at, ("three.png", saved(digit(84))))
    assert len(made) == 2


def test_pictures_have_the_size_of_their_files_and_room_for_some(monkeypatch):
    large = np.random.default_rng(0).integers(0, 255, (1200, 900, 3), dtype=np.uint8)
    files = [(f"photo{i}.png", saved(Image.fromarray(large + i))) for i in range(2)]
    monkeypatch.setattr(uploads, "MOST_BYTES", 3 << 20)  # which holds one of them, shrunk
    at = upload(page(source="upload"), *files)
    assert "photo0.png** · 900 × 1,200 px" in texts(at.markdown).replace("\\", "")
    assert "was shrunk to 768 × 1,024" in texts(at.caption)
    (said,) = [warning.value for warning in at.warning]
    assert "photo1" in said
    assert "3 MB" in said


# --- wrong and odd files --------------------------------------------------------------------------------------------


def huge_png() -> bytes:
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0)
    return b"".join(
        (b"\x89PNG\r\n\x1a\n", struct.pack(">I", 13), b"IHDR", header, struct.pack(">I", zlib.crc32(b"IHDR" + header)))
    )


def photo() -> Image.Image:
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 255, (60, 80, 3), dtype=np.uint8))


def zip_bomb() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.png", bytes(20_000_000))
    return data.getvalue()


def test_each_wrong_kind_of_file_gets_one_sentence_and_the_others_go_on():
    wrong = {
        "truncated.png": saved(photo())[:200],
        "half.jpg": saved(photo(), "JPEG")[: len(saved(photo(), "JPEG")) // 2],
        "huge.png": huge_png(),
        "drawing.svg.png": b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="9" height="9"/></svg>',
        "program.png": b"\x7fELF\x02\x01\x01" + bytes(200),
        "bomb.png": zip_bomb(),
        "empty.png": b"",
    }
    at = upload(page(source="upload"), *wrong.items(), ("good.png", saved(digit())))
    (said,) = [warning.value for warning in at.warning]
    more = texts(at.markdown)
    for name in wrong:
        plain = re.sub(r"([.])", r".?\1", re.escape(name).replace(r"\.", "."))
        assert len(re.findall(rf"{plain} could not be read", said + more)) == 1, name
    assert len(codes_shown(at)) == 1
    assert "good" in more


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        (
            "deep.tif",
            saved(Image.fromarray(np.arange(0, 65_000, 65, dtype=np.uint16)[:784].reshape(28, 28)), "TIFF"),
            "8 bits",
        ),
        ("print.jpg", saved(photo().convert("CMYK"), "JPEG"), "CMYK"),
        ("palette.png", saved(photo().convert("P"), transparency=0), "laid on black"),
        ("film.gif", saved(digit(), "GIF", save_all=True, append_images=[digit().rotate(90)]), "only the first"),
        (
            "turned.jpg",
            saved(photo(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"),
            "upright",
        ),
    ],
)
def test_odd_files_are_read_and_it_is_said_what_was_done(name, data, said):
    at = upload(page(source="upload"), (name, data))
    assert not at.warning
    assert len(codes_shown(at)) == 1
    assert said in texts(at.caption)


# --- steps, comparison, corruption ----------------------------------------------------------------------------------


def test_ink_on_paper_is_inverted_and_every_step_can_be_changed():
    paper = Image.fromarray(255 - np.asarray(digit(90)))
    at = upload(page(source="upload"), ("ink.png", saved(paper)))
    assert "Inverted" in texts(at.caption)
    assert at.toggle(key="steps_invert").value
    before = codes_shown(at)[0]
    at.toggle(key="steps_invert").set_value(False).run()
    assert "Inverted" not in texts(sound(at).caption)
    assert not np.allclose(codes_shown(at)[0], before, atol=1e-2)
    at.selectbox(key="steps_turn").set_value(1).run()
    at.selectbox(key="steps_crop").set_value("square").run()
    at.selectbox(key="steps_pad").set_value("square").run()
    at.selectbox(key="steps_background").set_value("rim").run()
    at.toggle(key="steps_clean").set_value(False).run()
    at.toggle(key="steps_thicken").set_value(False).run()
    image = prepare(paper, Steps(crop="square", background="rim", turn=1), 28, 1).image
    expected = explorer.load(PLANE).encode(image[None]).mean[0]
    np.testing.assert_allclose(codes_shown(sound(at))[0], expected, rtol=1e-3, atol=1e-4)
    press(at, "steps_suggested")
    np.testing.assert_allclose(codes_shown(at)[0], before, rtol=1e-6)


def test_models_side_by_side_each_with_its_own_figures():
    at = page(compare=f"{AUTOENCODER},{CONV},runs/none", source="upload")
    assert "runs/none" in texts(at.warning).replace("\\", "")
    upload(at, ("one.png", saved(digit())))
    assert at.query_params["compare"] == f"{AUTOENCODER},{CONV}"
    shown = codes_shown(at)
    assert len(nats_shown(at, "ELBO")) == 2  # an autoencoder has none
    for code, ident in zip(shown, (PLANE, AUTOENCODER, CONV), strict=True):
        model = explorer.load(ident)
        stored = model.latents.mean
        steps, _ = suggest(digit(), *habits(model.decode(stored[:: len(stored) // 64])))
        expected = model.encode(prepare(digit(), steps, 28, 1).image[None]).mean[0]
        np.testing.assert_allclose(code, expected, rtol=1e-3, atol=1e-3)
    at.segmented_control(key="reconstruct_map_of").set_value(CONV).run()
    at.multiselect(key="compare_with").set_value([]).run()
    assert "compare" not in sound(at).query_params
    assert len(codes_shown(at)) == 1


def corruption_of(at: AppTest) -> dict[str, float]:
    return {name: at.session_state[f"spoil_{name}"] for name in ("noise", "blur", "patch", "turn")}


def test_back_to_an_address_that_leaves_them_out_resets_sliders_and_compared_models():
    before = {"model": PLANE, "source": "test", "data": "mnist-5k", "index": "12"}
    at = go_back(page(**before, noise="0.25", turn="-30", compare=CONV), **before)
    assert corruption_of(at) == {"noise": 0.0, "blur": 0.0, "patch": 0.0, "turn": 0.0}
    assert at.multiselect(key="compare_with").value == []
    assert dict(sound(at.run()).query_params) == before  # or the way back would lead forward again


def test_the_address_round_trip_and_what_is_wrong_with_one():
    query = {"source": "test", "data": "mnist-5k", "index": "12", "noise": "0.25", "turn": "-30", "spoil_seed": "3"}
    at = page(**query)
    assert dict(at.query_params) == {"model": PLANE, **query}
    assert corruption_of(at) == {"noise": 0.25, "blur": 0.0, "patch": 0.0, "turn": -30.0}
    assert nats_shown(at, "ELBO, corrupted")[0] < nats_shown(at, "ELBO, clean")[0]
    assert "what it removes" in texts(at.html)
    at = page(source="test", data="mnist-5k", index="12")
    assert "what it removes" not in texts(at.html)  # nothing is
    assert "Move a slider" in texts(at.markdown)
    at = page(source="radio", noise="loud", patch="2", blur="nan", spoil_seed="x", tool="saw", compare="x" * 99)
    said = texts(at.warning)
    for wrong in ("radio", "loud", "patch", "blur", "seed", "saw", "xxx"):
        assert wrong in said, wrong
    assert dict(at.query_params) == {"model": PLANE}


def test_the_code_goes_on_to_arithmetic_and_to_explore():
    at = upload(page(source="upload"), ("one.png", saved(digit())))
    code = codes_shown(at)[0]
    press(at, "to_explore")
    np.testing.assert_allclose([float(v) for v in at.query_params["z"].split(",")], code, rtol=1e-4)
    at.switch_page(str(PAGES / "reconstruct.py")).run()
    at.switch_page(str(PAGES / "arithmetic.py")).run()
    at.text_input(key="expression_text").set_value("2*mean(1)").run()
    at.segmented_control(key="arithmetic_tool").set_value("walk").run()
    at.switch_page(str(PAGES / "reconstruct.py")).run()
    press(at, "to_arithmetic")
    assert at.text_input(key="expression_text").value == at.query_params["e"] == "upload"
    np.testing.assert_allclose(codes_shown(sound(at))[-1], code, rtol=1e-3, atol=1e-4)


def test_the_first_test_image_is_shown_on_explore_though_nobody_picked_it():
    at = page(source="test")
    press(at, "to_explore")
    assert at.query_params["index"] == "0"


def test_a_model_of_one_class_names_none():
    """Its neighbours are healthy whatever the picture is: a parasitized cell, too."""
    cell = Image.new("RGB", (64, 64))
    ImageDraw.Draw(cell).ellipse((8, 8, 56, 56), fill=(200, 150, 160))
    at = upload(page("cells-healthy-conv", source="upload"), ("cell.png", saved(cell)))
    assert "trained on healthy cells only" in texts(at.caption)
    assert "Not a medical device" in texts(at.caption)
    assert "nearest test images" not in texts(at.html)
    press(at, "to_cells")
    assert at.segmented_control(key="cells_part").value == "upload"
    at.switch_page(str(PAGES / "reconstruct.py")).run()
    assert "Not a medical device" in texts(sound(at).caption)


# --- ranking --------------------------------------------------------------------------------------------------------


def zipped(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def finished(at: AppTest) -> AppTest:
    job = at.session_state["reconstruct_rank_job"]
    job.join(TIMEOUT)
    return sound(at.run())


def test_a_zip_is_ranked_and_a_broken_one_gets_a_sentence(tmp_path):
    at = page(tool="rank")
    assert at.button(key="rank_start").disabled
    noise = saved(Image.fromarray(np.random.default_rng(0).integers(0, 255, (28, 28), dtype=np.uint8)))
    files = {"a/one.png": saved(digit()), "a/noise.png": noise, "broken.png": b"\x89PNG", "readme.txt": b"hello"}
    at.file_uploader(key="rank_upload").upload("cells.zip", zipped(files), "application/zip").run()
    press(at, "rank_start")
    finished(at)
    ranking = at.session_state["reconstruct_rank_job"].result.ranking
    rows = list(csv.DictReader(io.StringIO(table_text(COLUMNS, ranking.rows()))))
    assert [row["file"] for row in rows] == ["a/noise.png", "a/one.png"]
    model = explorer.load(PLANE)
    elbo = float(judge(model, torch.from_numpy(np.asarray(digit())[None, None].copy())).elbo[0])
    assert float(rows[1]["elbo"]) == pytest.approx(elbo, abs=0.01)
    assert "2 pictures" in texts(at.markdown)
    assert "readme" in texts(at.caption)
    assert "broken" in texts(at.warning)
    at.file_uploader(key="rank_upload").set_value(("bad.zip", b"PK nothing", "application/zip")).run()
    press(at, "rank_start")
    finished(at)
    (said,) = [error.value for error in at.error]
    assert "bad" in said
    assert "/tmp" not in said


def test_another_frame_of_a_stack_is_reconstructed():
    dark = Image.new("L", (28, 28))
    stack = saved(dark, "TIFF", save_all=True, append_images=[digit()])
    at = upload(page(source="upload"), ("one.png", saved(digit())), ("stack.tif", stack))
    one, item = at.session_state["reconstruct_uploads"].items
    assert (one.data, item.data) == (b"", stack)
    at.session_state["reconstruct_uploads"] = replace(at.session_state["reconstruct_uploads"], chosen=item.ident)
    sound(at.run())
    assert "It has 2 frames; only the first is used." in texts(at.caption)
    sound(at.selectbox(key=f"upload_{item.ident}_frames").select("max").run())
    assert "It has 2 frames; their maximum is used." in texts(at.caption)
    item = at.session_state["reconstruct_uploads"].items[1]
    np.testing.assert_array_equal(np.asarray(item.picture), np.asarray(digit()))
    assert at.selectbox(key=f"upload_{item.ident}_frames").value == "max"


def test_what_to_rank_of_stacks_is_asked_once_there_are_some():
    at = page(tool="rank")
    stacks = (Path(__file__).parents[1] / "cases" / "stacks_of_12_frames.zip").read_bytes()
    at.file_uploader(key="rank_upload").upload("stacks.zip", stacks, "application/zip").run()
    press(at, "rank_start")
    finished(at)
    assert "6 of 6 files have several frames, 72 in all; only the first of each is used." in texts(at.caption)
    at.selectbox(key="rank_frames").select("max").run()
    press(at, "rank_start")
    finished(at)
    assert "the maximum of each is used" in texts(at.caption)
    assert at.selectbox(key="rank_frames").value == "max"


def test_a_test_image_is_known_to_any_model_of_its_data_however_it_is_prepared():
    """As another model's subject, too, beside which it is compared: none of its nearest images is itself."""
    info = next(info for info in cache.all_checkpoints() if info.id == PLANE)
    data = cache.encoded_dataset(PLANE, info.content, cache.STORED, "plane")
    picture = pictures.single(data.original(5))
    index = int(data.latents.index[5])
    subject = Subject("5", "test image 5", "5", picture, own="another model", source="mnist-5k", test_index=index)
    for steps in (None, Steps(turn=2)):
        found = _analyse(subject, data, steps)
        assert found.row == 5
        assert 5 not in found.judgement.neighbours
        assert "999 other test images" in found.judgement.sentence()


def test_pictures_in_a_zip_are_taken_where_pictures_are():
    archive = zipped({"a/one.png": saved(digit()), "two.png": saved(digit(40)), "cut.png": saved(digit())[:40]})
    at = upload(page(source="upload"), ("pictures.zip", archive))
    assert [item.name for item in at.session_state["reconstruct_uploads"].items] == ["a/one.png", "two.png"]
    assert "cut.png could not be read" in texts(at.warning).replace("\\", "")
