"""Decoding, preprocessing, the cache of decoded pictures, and batches."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from picture_sets import csv_set, picture, write
from PIL import Image

from harness import DataError
from harness_tasks.classification import digits, pixel_cache
from harness_tasks.classification.image_sets import IMAGE_SETS
from harness_tasks.classification.images import load_pixels
from harness_tasks.classification.known_models import KNOWN_MODELS
from harness_tasks.classification.layouts import find_split
from harness_tasks.classification.mini_models import MINI_MODELS
from harness_tasks.classification.pixel_cache import PixelCache
from harness_tasks.classification.preprocessing import Preprocessing
from harness_tasks.classification.samples import DigitSamples, ImageSamples, normalise

SMALL = Preprocessing(size=24, resize=28)


def samples(root: Path, preprocessing: Preprocessing = SMALL) -> ImageSamples:
    return ImageSamples(find_split(root, "evaluation", IMAGE_SETS["cifar10"]), "evaluation", preprocessing)


def smooth(width: int, height: int) -> bytes:
    """A JPEG with content at every scale."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    channels = [128 + 100 * np.sin(x / 9 + c) * np.cos(y / (5 + c)) for c in range(3)]
    buffer = BytesIO()
    Image.fromarray(np.stack(channels, -1).astype(np.uint8)).save(buffer, "jpeg", quality=95)
    return buffer.getvalue()


# Preprocessing

@pytest.mark.parametrize("size", [(500, 375), (333, 500), (160, 170), (32, 32), (223, 400), (249, 249), (1000, 249)])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_pixels_are_those_of_timm(size: tuple[int, int], interpolation: str) -> None:
    from timm.data.transforms_factory import create_transform

    transform = create_transform((3, 224, 224), is_training=False, interpolation=interpolation, crop_pct=0.9,
                                 crop_mode="center", mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))
    encoded = smooth(*size)
    expected = transform(Image.open(BytesIO(encoded)).convert("RGB"))
    preprocessing = Preprocessing(interpolation=interpolation, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))
    pixels = load_pixels(encoded, "here", preprocessing).copy()
    assert pixels.shape == (224, 224, 3)
    assert torch.equal(normalise(pixels[None], preprocessing.mean, preprocessing.std)[0], expected)


@pytest.mark.parametrize("size", [(227, 227), (224, 224), (224, 400), (248, 300)])
def test_pictures_cut_to_size_before_are_only_cropped(size: tuple[int, int]) -> None:
    encoded = smooth(*size)
    left, top = round((size[0] - 224) / 2), round((size[1] - 224) / 2)
    expected = np.asarray(Image.open(BytesIO(encoded)))[top:top + 224, left:left + 224]
    assert np.array_equal(load_pixels(encoded, "here", Preprocessing()), expected)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "1"])
def test_every_colour_mode_becomes_rgb(mode: str) -> None:
    buffer = BytesIO()
    Image.open(BytesIO(picture(1))).convert(mode).save(buffer, "tiff")
    assert load_pixels(buffer.getvalue(), "here", SMALL).shape == (24, 24, 3)


def test_known_models_have_timms_own_preprocessing() -> None:
    import timm
    from timm.data.config import resolve_data_config

    for model in KNOWN_MODELS.values():
        config = timm.get_pretrained_cfg(model.name)
        assert config is not None
        own = resolve_data_config(pretrained_cfg=config.to_dict())
        assert (own["input_size"][1], own["interpolation"], own["mean"], own["std"], own["crop_mode"]) == (
            model.preprocessing.size, model.preprocessing.interpolation, model.preprocessing.mean,
            model.preprocessing.std, "center"), model.name
        assert int(own["input_size"][1] / own["crop_pct"]) == model.preprocessing.resize, model.name
    for name, model in KNOWN_MODELS.items():
        if "." not in name:
            default = timm.get_pretrained_cfg(name)
            assert default is not None
            assert default.tag == model.tag


# Damaged pictures

@pytest.mark.parametrize("content", [b"", b"no picture", picture(0)[:200], smooth(64, 64)[:400]])
def test_a_damaged_picture_is_named(tmp_path: Path, content: bytes) -> None:
    csv_set(tmp_path)
    write(tmp_path / "val" / "2.png", content)
    with pytest.raises(DataError, match=r"2\.png cannot be decoded") as caught:
        list(samples(tmp_path).batches(range(4), 4))
    assert "take it out" in caught.value.remedy


def test_a_picture_that_vanished_is_named(tmp_path: Path) -> None:
    pictures = samples(csv_set(tmp_path))
    (tmp_path / "val" / "1.png").unlink()
    with pytest.raises(DataError, match=r"1\.png cannot be read"):
        list(pictures.batches([1], 1))


# Batches

def test_batches_keep_order_and_are_independent_of_their_size(tmp_path: Path) -> None:
    pictures = samples(csv_set(tmp_path))
    assert pictures.ids == [f"evaluation/{number}.png" for number in range(4)]
    order = [3, 0, 2]
    one = list(pictures.batches(order, 1))
    assert [batch.inputs.shape for batch in pictures.batches(order, 2)] == [(2, 3, 24, 24), (1, 3, 24, 24)]
    assert torch.cat([batch.targets for batch in one]).tolist() == order
    whole = next(pictures.batches(order, 5))
    assert torch.equal(torch.cat([batch.inputs for batch in one]), whole.inputs)
    assert whole.inputs.dtype == torch.float32
    assert whole.inputs.is_contiguous()
    for place, number in enumerate(order):
        pixels = torch.from_numpy(load_pixels(picture(number), "", SMALL).copy()).permute(2, 0, 1).double() / 255
        for channel in range(3):
            expected = (pixels[channel] - SMALL.mean[channel]) / SMALL.std[channel]
            torch.testing.assert_close(whole.inputs[place, channel].double(), expected, atol=1e-6, rtol=0)


def count_decodes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    decoded: list[str] = []

    def counting(encoded: bytes, place: str, preprocessing: Preprocessing) -> np.ndarray:
        decoded.append(place)
        return load_pixels(encoded, place, preprocessing)

    monkeypatch.setattr("harness_tasks.classification.samples.load_pixels", counting)
    return decoded


def test_each_picture_is_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    csv_set(tmp_path)
    decoded = count_decodes(monkeypatch)
    first = next(samples(tmp_path).batches([0, 1], 2)).inputs
    assert len(decoded) == 2
    assert torch.equal(next(samples(tmp_path).batches([0, 1], 2)).inputs, first)
    assert len(decoded) == 2, "another object, as in another process, uses the same cache"
    next(samples(tmp_path).batches([0, 2], 2))
    assert len(decoded) == 3
    next(samples(tmp_path, Preprocessing(size=24, resize=26)).batches([0], 1))
    assert len(decoded) == 4, "another preprocessing"
    content = (tmp_path / "val" / "0.png").read_bytes()
    (tmp_path / "val" / "0.png").write_bytes(content)
    next(samples(tmp_path).batches([0], 1))
    assert len(decoded) == 5, "a file that was written anew"


def break_nothing(file: Path) -> None:
    """Leave the cache as it is."""


def flip_a_byte(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(content)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:1000])


def empty(file: Path) -> None:
    file.write_bytes(bytes(len(file.read_bytes())))


@pytest.mark.parametrize(("damage", "decodes"), [(break_nothing, 1), (flip_a_byte, 2), (cut, 2), (empty, 2)])
def test_a_damaged_slot_is_filled_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                        damage: Callable[[Path], None], decodes: int) -> None:
    csv_set(tmp_path)
    decoded = count_decodes(monkeypatch)
    first = next(samples(tmp_path).batches([0], 1)).inputs
    folder = pixel_cache.cache_folder("classification/pixels")
    assert folder is not None
    damage(next(folder.iterdir()))
    assert torch.equal(next(samples(tmp_path).batches([0], 1)).inputs, first)
    assert len(decoded) == decodes


def test_without_a_cache_folder_a_temporary_one_is_used_and_removed(tmp_path: Path,
                                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixel_cache, "cache_folder", lambda name: None)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    decoded = count_decodes(monkeypatch)
    pictures = samples(csv_set(tmp_path / "data"))
    for _ in range(2):
        next(pictures.batches([0], 1))
    assert len(decoded) == 1
    assert len(list((tmp_path / "tmp").iterdir())) == 1
    del pictures
    assert not list((tmp_path / "tmp").iterdir())


def test_disk_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shape = (256, 256, 3)
    monkeypatch.setenv("HARNESS_CACHE_GIB", str(2.5 * 256 * 256 * 3 / 2**30))
    cache, out = PixelCache("key", shape, tmp_path), np.empty(shape, np.uint8)
    for index in range(4):
        cache.write(index, np.full(shape, index, np.uint8))
    assert [cache.read(index, out) for index in range(4)] == [True, True, False, False]
    other = PixelCache("other", shape, tmp_path)
    other.write(0, out)
    assert not other.read(0, out), "the limit is one for the whole folder"


def test_a_full_disk_only_ends_the_caching(tmp_path: Path) -> None:
    class Full:
        def seek(self, offset: int) -> None:
            """Accept."""

        def write(self, content: bytes) -> int:
            raise OSError(28, "No space left on device")

    cache = PixelCache("key", (2, 2, 3), tmp_path)
    cache._file = Full()  # type: ignore[assignment]
    cache.write(0, np.zeros((2, 2, 3), np.uint8))


def test_sparse_file_takes_only_what_is_filled(tmp_path: Path) -> None:
    cache = PixelCache("key", (224, 224, 3), tmp_path)
    picture_ = np.full((224, 224, 3), 9, np.uint8)
    cache.write(100_000, picture_)
    out = np.empty_like(picture_)
    assert cache.read(100_000, out)
    assert (out == 9).all()
    assert not cache.read(5, out)
    file = tmp_path / "key"
    assert file.stat().st_size > 10**10
    assert file.stat().st_blocks * 512 < 10**6


def test_read_only_data_is_enough(tmp_path: Path) -> None:
    csv_set(tmp_path)
    before = sorted(path for path in tmp_path.rglob("*"))
    next(samples(tmp_path).batches([0], 1))
    assert sorted(path for path in tmp_path.rglob("*")) == before
    shutil.rmtree(tmp_path / "val")


# Digits

@pytest.mark.parametrize("classes", [10, 100])
def test_digits_are_those_of_the_generator(classes: int) -> None:
    model = next(model for model in MINI_MODELS.values() if model.classes == classes)
    drawn = DigitSamples("test", 200, model)
    assert drawn.ids[3] == f"digits-{classes}/test/3"
    assert len(drawn.ids) == 200
    batch = next(drawn.batches([150, 3], 2))
    for place, index in enumerate((150, 3)):
        pixels, labels = digits.generate("test", index, 1, classes)
        assert batch.targets[place] == labels[0]
        expected = (torch.from_numpy(pixels[0]).permute(2, 0, 1).float() / 255 - 0.5) / 0.25
        torch.testing.assert_close(batch.inputs[place], expected)
