import os
import threading
import time

import pytest
import torch

from explorer.models.devices import choose_device, choose_precision, choose_threads, peak_memory, threads


def test_auto_takes_what_there_is(monkeypatch):
    there = {"cuda": True, "mps": True}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there["cuda"])
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: there["mps"])
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert str(choose_device()) == str(choose_device("cuda")) == "cuda:0"
    there["cuda"] = False
    assert choose_device().type == "mps"
    there["mps"] = False
    assert choose_device().type == "cpu"
    assert choose_device("cpu").type == "cpu"


@pytest.mark.parametrize("name", ["", "gpu", "CPU", "cuda:x", "a b"])
def test_an_unknown_device_names_the_known(name):
    with pytest.raises(ValueError, match="choose auto, cpu, cuda or mps"):
        choose_device(name)


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps", "meta", "xla"])
def test_a_device_that_is_not_here(monkeypatch, name):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match="this machine has no"):
        choose_device(name)


def test_a_gpu_beyond_the_last_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("cuda:1").index == 1
    with pytest.raises(ValueError, match="no cuda:2: it has 2"):
        choose_device("cuda:2")


def test_precision(monkeypatch):
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    assert choose_precision("float32", cuda, convolves=True) == "float32"
    assert choose_precision("bfloat16", cpu, convolves=False) == "bfloat16"
    assert choose_precision("auto", cuda, convolves=False) == "float32"
    for there in (True, False):
        expected = "bfloat16" if there else "float32"
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda there=there: there)
        assert choose_precision("auto", cuda, convolves=True) == expected
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda there=there: {"avx512_bf16": there})
        assert choose_precision("auto", cpu, convolves=True) == expected


def test_threads(monkeypatch):
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert choose_threads(400_000, convolves=False) == 1
    assert choose_threads(400_000, convolves=True) == choose_threads(4_000_000, convolves=False) == min(cores, 16)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert choose_threads(400_000, convolves=True) == 1
    before = torch.get_num_threads()
    with threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_who_wants_another_number_of_threads_waits_and_says_so(caplog):
    before, seen = torch.get_num_threads(), []

    def compute(count):
        with threads(count):
            seen.append(torch.get_num_threads())

    with threads(2):
        for count in (2, 3):
            other = threading.Thread(target=compute, args=(count,))
            other.start()
            if count == 2:
                other.join()
        while not caplog.messages:
            time.sleep(0.01)
        assert seen == [2]
    other.join()
    assert seen == [2, 3]
    assert caplog.messages == ["waiting for another computation in this process: it takes 2 threads, and this one 3"]
    assert torch.get_num_threads() == before


def test_the_peak_of_memory_is_of_this_process():
    before = peak_memory(torch.device("cpu"))
    block = torch.ones(64 << 20)  # 256 MB
    assert block.sum() > 0
    after = peak_memory(torch.device("cpu"))
    assert before is not None
    assert after is not None
    assert after >= before
    assert 100e6 < after < 64e9
