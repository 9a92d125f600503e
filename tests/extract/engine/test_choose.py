"""Engine, batch size and workers follow from the machine and what was asked."""

from dataclasses import replace

import pytest

from headstart.errors import OptionError
from headstart.extract.engine import choose as choose_module
from headstart.extract.engine.choose import Machine, Plan, choose, this_machine

MB = 1 << 20
LAPTOP = Machine(cores=8, free_memory=8 << 30, gpu=False, bfloat16=False, onnxruntime=True)
SERVER = replace(LAPTOP, bfloat16=True)
GPU = replace(LAPTOP, gpu=True)
BARE = replace(LAPTOP, onnxruntime=False)
BOTH = replace(SERVER, openvino=True)


@pytest.mark.parametrize(
    ("machine", "options", "engine", "device"),
    [
        (LAPTOP, {}, "onnxruntime", "cpu"),
        (LAPTOP, {"engine": "tensorflow"}, "tensorflow", "cpu"),
        (BARE, {}, "tensorflow", "cpu"),
        (GPU, {}, "tensorflow", "gpu"),
        (GPU, {"precision": "float16"}, "tensorflow", "gpu"),
        (GPU, {"engine": "onnxruntime"}, "onnxruntime", "cpu"),
        (GPU, {"precision": "int8"}, "onnxruntime", "cpu"),
        (BOTH, {"precision": "bfloat16"}, "openvino", "cpu"),
        (BOTH, {"precision": "int8"}, "onnxruntime", "cpu"),
        (SERVER, {"precision": "bfloat16"}, "tensorflow", "cpu"),
    ],
)
def test_device_and_precision_pick_the_engine(machine, options, engine, device):
    plan = choose(machine, 10 * MB, **options)
    assert (plan.engine, plan.device) == (engine, device)


def test_engines_that_compute_the_same_are_rivals_unless_one_is_named():
    assert choose(BOTH, 6 * MB) == replace(choose(LAPTOP, 6 * MB), rivals=("openvino",))
    assert choose(BOTH, 6 * MB, engine="openvino").rivals == ()
    for precision in ("bfloat16", "int8"):
        assert choose(BOTH, 6 * MB, precision=precision).rivals == ()
    assert choose(replace(BOTH, gpu=True), 6 * MB).rivals == ()


def test_every_core_works_on_whole_images_of_its_own():
    plan = choose(LAPTOP, 6 * MB)
    assert plan == Plan("onnxruntime", "cpu", "float32", batch_size=4, workers=8)


@pytest.mark.parametrize(
    ("free", "batch_size", "workers"),
    [(8 << 30, 4, 8), (800 * MB, 2, 8), (400 * MB, 1, 8), (100 * MB, 1, 2), (0, 1, 1)],
)
def test_when_memory_is_short_batches_shrink_before_workers(free, batch_size, workers):
    plan = choose(replace(LAPTOP, free_memory=free), 24 * MB)
    assert (plan.batch_size, plan.workers) == (batch_size, workers)


def test_a_gpu_gets_the_batch_that_its_memory_holds():
    assert choose(GPU, 24 * MB).batch_size == 128
    assert choose(replace(GPU, free_memory=960 * MB), 24 * MB).batch_size == 20


def test_what_the_user_says_is_taken():
    plan = choose(LAPTOP, 6 * MB, batch_size=7, workers=3)
    assert (plan.batch_size, plan.workers) == (7, 3)


@pytest.mark.parametrize(
    ("machine", "options", "message"),
    [
        (LAPTOP, {"engine": "torch"}, "unknown engine 'torch'; valid: auto, tensorflow"),
        (LAPTOP, {"precision": "int4"}, "unknown precision 'int4'"),
        (LAPTOP, {"engine": "openvino"}, "openvino is not installed: pip install openvino"),
        (BARE, {"precision": "int8"}, "int8 needs ONNX Runtime: pip install onnxruntime tf2onnx"),
        (LAPTOP, {"precision": "int8", "engine": "tensorflow"}, "is for onnxruntime: leave"),
        (BARE, {"engine": "onnxruntime"}, "not installed: pip install onnxruntime tf2onnx"),
        (LAPTOP, {"precision": "bfloat16"}, "needs a processor with AVX512_BF16 or AMX"),
        (SERVER, {"precision": "float16"}, "is for GPUs, none is here"),
        (
            SERVER,
            {"precision": "bfloat16", "engine": "onnxruntime"},
            "computes in float32 and int8 alone; --precision bfloat16 is for tensorflow and openvino",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(machine, options, message):
    with pytest.raises(OptionError, match=message):
        choose(machine, 10 * MB, **options)


def test_a_containers_limit_counts_as_memory(tmp_path):
    assert choose_module._cgroup_memory(tmp_path) == []
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("100\n")
    assert choose_module._cgroup_memory(tmp_path) == []
    (tmp_path / "memory.max").write_text("1000\n")
    assert choose_module._cgroup_memory(tmp_path) == [900]


def test_this_machine_has_cores_and_memory():
    machine = this_machine()
    assert machine.cores >= 1
    assert machine.free_memory > MB
    assert machine.onnxruntime
    assert not this_machine(gpus=False).gpu
