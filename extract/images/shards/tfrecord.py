"""TFRecord files of ``tf.train.Example``, read without TensorFlow.

A record is its length (8 bytes, little-endian), the length's checksum, the data and the data's
checksum (https://www.tensorflow.org/tutorials/load_data/tfrecord); checksums are CRC-32C, masked.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator
from typing import Any

import google_crc32c

from ....errors import DataError
from ..remote import File
from .members import Member
from .sample import Sample

IMAGES = ("image/encoded", "image", "image_raw")
LABELS = ("image/class/text", "image/class/label", "label")
_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")


def recognise(head: bytes) -> bool:
    """Tell a TFRecord by its first record's length and the checksum that follows."""
    if len(head) < _HEADER.size:
        return False
    _, checksum = _HEADER.unpack_from(head)
    return bool(checksum == masked_crc(head[:8]))


def masked_crc(data: bytes) -> int:
    """Return the checksum of a TFRecord: CRC-32C, turned and shifted.

    Examples
    --------
    >>> hex(masked_crc(b"123456789"))
    '0xc78ab0e5'
    """
    crc: int = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def read(shard: File, file: Any, warnings: list[str]) -> list[Sample]:
    """Return the samples of a TFRecord; every checksum is compared on the way.

    Raises
    ------
    DataError
        If an Example has no image, or a label of an unexpected kind.
    """
    samples = []
    example = _example()
    for number, (offset, data) in enumerate(_records(shard, file, warnings)):
        where = f"{shard}: record {number}"
        features = example.FromString(data).features.feature
        image = _image(features, where)
        # Protocol buffers store bytes as they are: the image lies in the record.
        samples.append(
            Sample(
                Member(shard, offset + data.index(image), len(image)),
                _label(features, where),
                f"record {number}",
            )
        )
    return samples


def _records(shard: File, file: Any, warnings: list[str]) -> Iterator[tuple[int, bytes]]:
    """Yield each whole record's offset and data, as far as the file goes."""
    offset = 0
    while header := file.read(_HEADER.size):
        if len(header) < _HEADER.size or masked_crc(header[:8]) != _HEADER.unpack(header)[1]:
            warnings.append(
                f"{shard} is damaged or cut short at byte {offset:,}: what follows is left out"
            )
            return
        length, _ = _HEADER.unpack(header)
        data, footer = file.read(length), file.read(_FOOTER.size)
        if len(data) < length or len(footer) < _FOOTER.size:
            warnings.append(f"{shard} is cut short: its last record is left out")
            return
        if masked_crc(data) == _FOOTER.unpack(footer)[0]:
            yield offset + _HEADER.size, data
        else:
            warnings.append(f"{shard}: the record at byte {offset:,} fails its checksum: left out")
        offset += _HEADER.size + length + _FOOTER.size


def _image(features: Any, where: str) -> bytes:
    for name in IMAGES:
        if name in features and len(values := features[name].bytes_list.value) == 1 and values[0]:
            return bytes(values[0])
    raise DataError(
        f"{where}: expected the bytes of one image under {' or '.join(IMAGES)}, got the features "
        f"{', '.join(sorted(features)) or 'none'}"
    )


def _label(features: Any, where: str) -> str | int | None:
    for name in LABELS:
        if name not in features:
            continue
        feature = features[name]
        values = [*feature.bytes_list.value, *feature.int64_list.value]
        if len(values) != 1:
            raise DataError(f"{where}: expected one name or number under {name}")
        value = values[0]
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else int(value)
    return None


# https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/example/feature.proto, as
# far as images and labels go; packages differ, so that TensorFlow's own can be loaded beside it.
_PROTO = """
name: "headstart/example.proto" package: "headstart" syntax: "proto3"
message_type {
  name: "BytesList" field { name: "value" number: 1 type: TYPE_BYTES label: LABEL_REPEATED }
}
message_type {
  name: "Int64List" field { name: "value" number: 1 type: TYPE_INT64 label: LABEL_REPEATED }
}
message_type {
  name: "Feature"
  field { name: "bytes_list" number: 1 type: TYPE_MESSAGE type_name: ".headstart.BytesList" }
  field { name: "int64_list" number: 3 type: TYPE_MESSAGE type_name: ".headstart.Int64List" }
}
message_type {
  name: "Features"
  field {
    name: "feature" number: 1 label: LABEL_REPEATED
    type: TYPE_MESSAGE type_name: ".headstart.Features.FeatureEntry"
  }
  nested_type {
    name: "FeatureEntry" options { map_entry: true }
    field { name: "key" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
    field {
      name: "value" number: 2 label: LABEL_OPTIONAL
      type: TYPE_MESSAGE type_name: ".headstart.Feature"
    }
  }
}
message_type {
  name: "Example"
  field { name: "features" number: 1 type: TYPE_MESSAGE type_name: ".headstart.Features" }
}
"""


@functools.cache
def _example() -> Any:
    """Return the message ``tensorflow.Example``, built here: TensorFlow takes seconds to import."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

    pool = descriptor_pool.DescriptorPool()
    pool.Add(text_format.Parse(_PROTO, descriptor_pb2.FileDescriptorProto()))
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("headstart.Example"))
