"""Write a folder of photographs as shards, as other tools do."""

import io
import json
import struct
import tarfile

import pytest

from headstart.extract.images.shards.tfrecord import _example, masked_crc


def tar_of(path, members):
    """Write a tar file of (name, bytes) pairs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def webdataset_of(path, samples):
    """Write (bytes, label) pairs as ``key.jpg`` and ``key.cls``."""
    members = []
    for number, (data, label) in enumerate(samples):
        members += [(f"{number:05}.jpg", data), (f"{number:05}.cls", str(label).encode())]
    return tar_of(path, members)


def parquet_of(path, samples, rows=16, **options):
    """Write (bytes, label) pairs as Hugging Face's datasets do, so many rows a group."""
    pytest.importorskip("pyarrow", reason="Parquet: headstart[parquet] is not installed")
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = sorted({label for _, label in samples})
    told = {"label": {"names": names, "_type": "ClassLabel"}, "image": {"_type": "Image"}}
    image = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    schema = pa.schema(
        {"image": image, "label": pa.int64()},
        metadata={"huggingface": json.dumps({"info": {"features": told}})},
    )
    table = pa.table(
        {
            "image": [{"bytes": data, "path": f"{n}.jpg"} for n, (data, _) in enumerate(samples)],
            "label": [names.index(label) for _, label in samples],
        },
        schema,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=rows, use_dictionary=False, **options)
    return path


def example_of(**features):
    """Return a serialised Example."""
    example = _example()()
    for name, value in features.items():
        feature = example.features.feature[name.replace("__", "/")]
        kind = feature.int64_list if isinstance(value, int) else feature.bytes_list
        kind.value.append(value)
    return example.SerializeToString()


def tfrecord_of(path, records):
    """Write records with their checksums."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        for data in records:
            length = struct.pack("<Q", len(data))
            file.write(length + struct.pack("<I", masked_crc(length)))
            file.write(data + struct.pack("<I", masked_crc(data)))
    return path


def examples_of(path, samples):
    """Write (bytes, label) pairs as ImageNet's TFRecords are."""
    return tfrecord_of(
        path,
        [
            example_of(image__encoded=data, image__class__text=label.encode(), height=1)
            for data, label in samples
        ],
    )


WRITERS = {".tar": webdataset_of, ".parquet": parquet_of, ".tfrecord": examples_of}
