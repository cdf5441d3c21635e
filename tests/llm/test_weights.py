"""Models found or not, before anything heavy is imported."""

import hashlib
import importlib.util
import json
import re

import pytest

from jaxteach.llm.backends.heads import common_length
from jaxteach.llm.backends.local import LocalBackend, LocalSettings
from jaxteach.llm.backends.weights import find_weights, is_on_hub
from jaxteach.utils.errors import UserError
from jaxteach.utils.surroundings import how_to_install


def folder(path, **files):
    path.mkdir()
    for name, data in {"config.json": b"{}", **files}.items():
        (path / name).write_bytes(data)
    return path


def test_a_folder_with_one_file_of_weights(tmp_path):
    found = find_weights(str(folder(tmp_path / "my-model", **{"model.safetensors": b"abc"})), None, False)
    assert (found.name, found.gguf_file) == ("my-model", None)
    assert found.sha256() == hashlib.sha256(b"abc").hexdigest()


def test_the_hash_of_several_files_knows_their_names_and_contents(tmp_path):
    hashes = {
        find_weights(str(folder(tmp_path / str(i), **files)), None, False).sha256()
        for i, files in enumerate(
            (
                {"a.safetensors": b"x", "b.safetensors": b"y"},
                {"a.safetensors": b"y", "b.safetensors": b"x"},
                {"a.safetensors": b"x", "c.safetensors": b"y"},
            )
        )
    }
    assert len(hashes) == 3


def test_a_gguf_file(tmp_path):
    path = tmp_path / "m.gguf"
    path.write_bytes(b"GGUF1234")
    found = find_weights(str(path), None, True)
    assert (found.name, found.folder, found.gguf_file) == ("m.gguf", tmp_path, "m.gguf")
    assert found.sha256() == hashlib.sha256(b"GGUF1234").hexdigest()


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("m.gguf", b"PK..", "not a GGUF file"),
        ("m.gguf", b"", "not a GGUF file"),
        ("none.gguf", None, "cannot read the model"),
        ("m.bin", b"x", "no model at"),
        ("nowhere", None, "no model at"),
    ],
)
def test_what_is_no_model(tmp_path, name, data, says):
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=says):
        find_weights(str(tmp_path / name), None, True)


def test_folders_that_are_no_models(tmp_path):
    with pytest.raises(UserError, match="no weights"):
        find_weights(str(folder(tmp_path / "a")), None, True)
    (tmp_path / "b").mkdir()
    with pytest.raises(UserError, match=r"there is no config\.json"):
        find_weights(str(tmp_path / "b"), None, True)


def test_common_beginnings():
    assert [common_length([1, 2, 3], other) for other in ([1, 2, 4], [1, 2], [], [1, 2, 3, 4])] == [
        2,
        2,
        0,
        3,
    ]


def test_without_the_extra_the_pip_line_is_told(monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "torch" else find_spec("json")
    )
    with pytest.raises(UserError, match=rf"needs torch: {re.escape(how_to_install('llm'))}"):
        LocalBackend("anything", LocalSettings(offline=False))


def test_weights_are_counted_from_the_headers(tmp_path):
    header = json.dumps(
        {
            "__metadata__": {"format": "pt"},
            "a": {"dtype": "F32", "shape": [3, 5], "data_offsets": [0, 60]},
            "b": {"dtype": "F32", "shape": [], "data_offsets": [60, 64]},
        }
    ).encode()
    data = len(header).to_bytes(8, "little") + header  # the weights themselves are not read
    files = {"1.safetensors": data, "2.safetensors": data}
    assert find_weights(str(folder(tmp_path / "m", **files)), None, True).count() == 16 + 16
    # Some formats have no header that tells, and are not opened.
    files["3.bin"] = b"x" * 20
    assert find_weights(str(folder(tmp_path / "n", **files)), None, True).count() is None
    damaged = find_weights(str(folder(tmp_path / "d", **{"m.safetensors": b"\xff" * 20})), None, True)
    with pytest.raises(UserError, match="the model d cannot be read"):
        damaged.count()


def test_names_on_the_hub(tmp_path):
    assert is_on_hub("org/model")
    for name in ("model", "a/b/c", "./m", "/m", "~/m", str(tmp_path), "org/model.gguf"):
        assert not is_on_hub(name), name
