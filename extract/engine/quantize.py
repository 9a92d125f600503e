"""Networks in 8 bits: quantised once by ONNX Runtime, corrected, kept beside the cache.

The kept form is ONNX with QuantizeLinear and DequantizeLinear around each convolution, which ONNX
Runtime computes in integers. Weights have 7 bits: with 8 the sums of two products overflow on
processors without VNNI (there MobileNet's features moved by 55 %), and the features would depend
on the processor.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from ...cache.spec import FeatureSpec
from ...errors import DecodeError, EngineError, first_line
from ...progress import note
from ...storage import user_folder
from ..decode.decode import decode_for
from ..images.addresses import Reference
from ..images.read import read_image
from .agreement import probe_images
from .engine import Images
from .golden import check_golden
from .kept import FOLDER, export, keep, kept_network, open_kept, with_proof
from .onnx_extractor import run_in_batches
from .runtimes import OnnxEngine
from .turns import taking_turns

IMAGES = 128  # whose activations are measured
CORRECTING = 32  # of them, to correct biases on
NOISE = "noise"


def quantized_network(
    spec: FeatureSpec,
    weights: Path,
    cache: Path,
    training: Mapping[bytes, Reference],
    max_pixels: int,
) -> Path:
    """Return the network in 8 bits of a dataset: one that is kept, or one made now.

    A kept network serves if all images that it was calibrated on are among these, so that
    adding images to a dataset alters no feature, and no image that evaluates had a part in it.

    Parameters
    ----------
    spec : FeatureSpec
        What it computes, in float32.
    weights : Path
        The backbone's weights file.
    cache : Path
        Beside which it is kept.
    training : mapping of bytes to Reference
        Digest to image: those that may calibrate it. Coloured noise does where there are none.
    max_pixels : int
        Larger images are passed over.

    Raises
    ------
    EngineError
        If it cannot be exported, quantised or kept; if a golden feature comes out another.
    """
    wanted = replace(spec, precision="int8")
    check_golden(spec, lambda own: open_kept(OnnxEngine, own, weights, cache))
    with taking_turns(user_folder() / "export"):  # a machine's workers start at once
        for path in sorted((cache / FOLDER).glob(f"{wanted.network.folder}.*.onnx")):
            if _fits(calibrated_on(path), training):
                return path
        exact = kept_network(spec, cache) or export(spec, weights, cache)
        return _quantize(exact, wanted, cache, training, max_pixels)


def calibrated_on(path: Path) -> list[str]:
    """Return the digests of the images that a network was calibrated on; none if it was on noise."""
    return [digest for digest in metadata_of(path)["calibration"].split() if digest != NOISE]


def exact_weights(spec: FeatureSpec, cache: Path) -> str:
    """Return the SHA-256 of the weights that a network in 8 bits was made of; "" where it is gone."""
    path = kept_network(spec, cache)
    return "" if path is None else metadata_of(path)["exact_weights"]


def _fits(calibrated: Sequence[str], training: Mapping[bytes, Reference]) -> bool:
    if not calibrated or not training:
        return not calibrated and not training
    return all(bytes.fromhex(digest) in training for digest in calibrated)


def _quantize(
    exact: Path,
    spec: FeatureSpec,
    cache: Path,
    training: Mapping[bytes, Reference],
    max_pixels: int,
) -> Path:
    import onnx

    digests, pixels = _draw(training, spec, max_pixels)
    of = f"{len(digests)} training images" if digests else "noise, for want of training images"
    note(f"quantising {spec.backbone} on {of}: once, some 10 to 60 seconds")
    about = metadata_of(exact)
    batch = int(about["batch"]) if "batch" in about else None
    batches = _batches(pixels, batch or 1)
    try:
        folded = prepared(onnx.load(str(exact)))
        # A convolution and what cuts its output off share one range.
        kinds = ["Conv", "Clip", "Relu"]
        model = in_8_bits(folded, batches, op_types_to_quantize=kinds, reduce_range=True)
        correct_biases(model, folded, batches[: CORRECTING // (batch or 1) or 1])
        (reference,) = run_in_batches(_session(model), probe_images(spec.input_size), batch)
    except Exception as error:  # the quantiser raises whatever it stumbles over
        reason = first_line(error)
        raise EngineError(f"{spec.backbone} cannot be quantised ({reason})") from error
    data = with_proof(
        model,
        spec,
        reference,
        tuple(map(int, about["widths"].split())),
        batch,
        calibration=" ".join(digests) or NOISE,
        exact_weights=spec.weights_sha256,
        quantized_by=f"onnxruntime {metadata.version('onnxruntime')}",
    )
    return keep(data, spec, cache)


def _draw(
    training: Mapping[bytes, Reference], spec: FeatureSpec, max_pixels: int
) -> tuple[list[str], list[Images]]:
    """Return the images to calibrate on, those of the smallest digests: a draw that stays."""
    drawn: dict[str, Images] = {}
    for digest in sorted(training):
        try:
            _, data = read_image(training[digest], max_pixels)
            drawn[digest.hex()] = decode_for(spec, data, digest, max_pixels)[:1]
        except DecodeError:
            continue
        if len(drawn) == IMAGES:
            break
    noise = probe_images(spec.input_size, IMAGES)
    return [*drawn], [*drawn.values()] or [image[None] for image in noise]


def _batches(pixels: Sequence[Images], size: int) -> list[Images]:
    """Return images in batches of a size, the last one filled up."""
    lows = range(0, len(pixels), size)
    parts = [np.concatenate(pixels[low : low + size]) for low in lows]
    return [np.resize(part, (size, *part.shape[1:])) for part in parts]


def in_8_bits(model: Any, batches: Iterable[Any], **choices: Any) -> Any:
    """Return a model (``onnx.ModelProto``) whose convolutions compute in integers.

    Parameters
    ----------
    model : onnx.ModelProto
        With one input, see :func:`prepared`.
    batches : iterable of ndarray
        Inputs to measure the ranges of activations on.
    **choices
        Of ``onnxruntime.quantization.quantize_static``.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.calibrate import CalibrationDataReader

    class Reader(CalibrationDataReader):
        left: Iterator[Any] = iter(batches)
        name = model.graph.input[0].name

        def get_next(self) -> dict[str, Any] | None:
            batch = next(self.left, None)
            return None if batch is None else {self.name: batch}

    with tempfile.TemporaryDirectory() as folder, _quiet():
        exact, rounded = str(Path(folder, "exact.onnx")), str(Path(folder, "int8.onnx"))
        onnx.save(model, exact)
        quantize_static(
            exact,
            rounded,
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            **choices,
        )
        return onnx.load(rounded)


def correct_biases(model: Any, exact: Any, batches: Sequence[Images]) -> None:
    """Take from each bias what rounding the weights adds to a convolution's mean output.

    Nagel et al. 2019, arXiv:1906.04721, section 4.2, with means of the inputs measured on images.
    MobileNet's features moved by 28 % of their length without, by 8 % with it.

    Parameters
    ----------
    model : onnx.ModelProto
        From :func:`in_8_bits`; its biases are altered.
    exact : onnx.ModelProto
        What it was made of.
    batches : sequence of ndarray
        Images to measure on.
    """
    from onnx import numpy_helper

    means = _input_means(exact, batches)
    kernels = {t.name: numpy_helper.to_array(t) for t in exact.graph.initializer}
    names = {node.name: node.input[1] for node in exact.graph.node if node.op_type == "Conv"}
    held = {tensor.name: tensor for tensor in model.graph.initializer}
    made = {node.output[0]: node for node in model.graph.node}
    for node in model.graph.node:
        if node.op_type != "Conv" or len(node.input) < 3:
            continue
        (rounded, scale), (bias, unit) = (
            (held[name] for name in made[source].input[:2]) for source in node.input[1:3]
        )
        kernel = kernels[names[node.name]]
        scales = numpy_helper.to_array(scale).reshape(-1, *[1] * (kernel.ndim - 1))
        error = numpy_helper.to_array(rounded).astype(np.float64) * scales - kernel
        groups = next((a.i for a in node.attribute if a.name == "group"), 1)
        mean = means[node.name].reshape(groups, 1, -1)  # (groups, 1, in / groups)
        places = tuple(range(2, kernel.ndim))
        by_group = error.sum(axis=places).reshape(groups, -1, kernel.shape[1])
        added = (by_group * mean).sum(axis=2).reshape(-1) / numpy_helper.to_array(unit)
        corrected = numpy_helper.to_array(bias) - np.round(added).astype(np.int32)
        bias.CopyFrom(numpy_helper.from_array(corrected.astype(np.int32), bias.name))


def _input_means(exact: Any, batches: Sequence[Images]) -> dict[str, Any]:
    """Return the mean of each input channel of each convolution, by the node's name."""
    import onnx

    inputs = {node.name: node.input[0] for node in exact.graph.node if node.op_type == "Conv"}
    whole = onnx.ModelProto()
    whole.CopyFrom(exact)
    del whole.graph.output[:]
    whole.graph.output.extend(
        onnx.ValueInfoProto(name=name) for name in dict.fromkeys(inputs.values())
    )
    run = _session(whole)
    sums: dict[str, Any] = {}
    for batch in batches:
        for output, value in zip(whole.graph.output, run(batch), strict=True):
            mean = value.mean(axis=(0, *range(2, value.ndim)), dtype=np.float64)
            sums[output.name] = sums.get(output.name, 0) + mean
    return {node: sums[name] / len(batches) for node, name in inputs.items()}


def prepared(model: Any) -> Any:
    """Return the model with batch norm folded into the convolutions, by ONNX Runtime itself."""
    import onnx
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder, _quiet():
        before, after = str(Path(folder, "before.onnx")), str(Path(folder, "after.onnx"))
        onnx.save(model, before)
        quant_pre_process(before, after, skip_symbolic_shape=True)
        return onnx.load(after)


def metadata_of(path: Path) -> dict[str, str]:
    """Return what a kept network says of itself."""
    import onnx

    return {entry.key: entry.value for entry in onnx.load(str(path)).metadata_props}


def _session(model: Any) -> Callable[[Images], list[Any]]:
    """Return what runs a model (``onnx.ModelProto``) on images."""
    import onnxruntime

    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return lambda images: list(session.run(None, {session.get_inputs()[0].name: images}))


class _quiet:  # noqa: N801 - a context manager, read like a function
    """Keep advice to whoever calls the quantiser off the terminal."""

    def __enter__(self) -> None:
        self._before = logging.root.manager.disable
        logging.disable(logging.WARNING)

    def __exit__(self, *_: object) -> None:
        logging.disable(self._before)
