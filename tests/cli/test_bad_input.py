"""A user's mistake is one short message that names the thing and the remedy, with exit code 2."""

from __future__ import annotations

import pytest

RUN = ("run", "--methods", "minmax", "--task", "toy", "--calibration", "8", "--bits", "8/8")


def _changed(**options: str) -> list[str]:
    given = dict(zip(RUN[1::2], RUN[2::2], strict=True)) | {f"--{name}": value for name, value in options.items()}
    return ["run", *(part for pair in given.items() for part in pair)]


@pytest.mark.parametrize(("arguments", "named", "remedy"), [
    (_changed(methods="minmaxx"), "unknown method 'minmaxx'", "Did you mean 'minmax'?"),
    (_changed(task="imagenett"), "unknown task 'imagenett'", "Did you mean 'imagenet'?"),
    (_changed(model="toyy"), "unknown model of task toy: 'toyy'", "Did you mean 'toy'?"),
    (_changed(bits="4x4"), "bits '4x4' are not of the form", "Example: --bits 4/4"),
    (_changed(set="minmax.sgtem_bits=4"), "unknown option of method minmax: 'sgtem_bits'", "Did you mean 'stem_bits'?"),
    (_changed(set="minmax.stem_bits=lots"), "option 'stem_bits'", "bits of the input"),
    (_changed(set="minmax"), "'minmax' is not of the form KEY=VALUE", "Example: --set"),
    (_changed(set="igqvit.g=3"), "'igqvit' is not among the methods of this study", "Methods: minmax"),
    (_changed(set="minmax.search=minmx"), "unknown search 'minmx'", "Did you mean 'minmax'?"),
    (_changed(scale="huge"), "option 'scale'", "mini or full"),
    (_changed(seeds="one"), "option 'seeds", "seeds"),
    (_changed(device="warp"), "device 'warp' cannot be used", "--device cpu"),
    (["run", "--task", "toy"], "no methods given", "harness list methods"),
    (["run", "missing.toml"], "cannot read study file missing.toml", "TOML"),
    (["show", "ptqvitt"], "unknown method, task or component 'ptqvitt'", "Did you mean 'ptqvit'?"),
    (["explain", "0123456789ab"], "0123456789ab", ""),
    (["table", "--task", "toyy"], "unknown task 'toyy'", "Did you mean 'toy'?"),
])
def test_message_and_exit_code(harness, arguments, named, remedy):
    done = harness(*arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert named in done.stderr
    assert remedy in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 4


def test_impossible_bits_are_said_and_the_others_run(harness, records):
    done = harness(*_changed(bits="16/16,8/8"))
    assert done.returncode == 2
    assert "minmax quantizes weights to 2 to 8 bits, not 16" in done.stdout
    assert "minmax 8/8 s0" in records()


def test_too_many_calibration_samples(harness, records):
    done = harness(*_changed(calibration="1000"))
    assert done.returncode == 2
    assert "1000 calibration samples asked for, but toy has 64" in records()["minmax 8/8 s0"]["failure"]["reason"]


def test_unwritable_results_folder(harness, tmp_path):
    (tmp_path / "results").write_text("a file where the folder should be")
    done = harness(*RUN)
    assert done.returncode == 2
    assert "results" in done.stderr
    assert "Traceback" not in done.stderr


def test_debug_shows_the_traceback(harness):
    done = harness(*_changed(methods="minmaxx"), "--debug")
    assert "Traceback" in done.stderr


def test_a_study_file_that_is_not_toml(harness, tmp_path):
    (tmp_path / "study.toml").write_text("methods = [")
    done = harness("run", "study.toml")
    assert done.returncode == 2
    assert "study.toml is not TOML" in done.stderr
