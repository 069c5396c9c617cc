"""Scripts that import SageMaker's own packages find stand-ins for them, unless these are installed."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from nacre.handlers.container import Container
from tests.scripts import model, nacre, serving
from tests.test_train_script import source

SAMPLE = """
    import json
    from io import StringIO

    import pandas as pd
    from sagemaker_containers.beta.framework import content_types, encoders, env, errors, modules, transformer, worker

    def model_fn(model_dir):
        return 10

    def input_fn(input_data, content_type):
        if content_type == content_types.CSV:
            return pd.read_csv(StringIO(input_data), header=None).to_numpy()
        raise errors.UnsupportedFormatError(content_type)

    def predict_fn(input_data, model):
        return input_data * model

    def output_fn(prediction, accept):
        if accept == "application/json":
            rows = [{"features": row} for row in prediction.tolist()]
            return worker.Response(json.dumps({"instances": rows}), mimetype=accept)
        if accept == "text/csv":
            return worker.Response(encoders.encode(prediction, accept), mimetype=accept)
        raise errors.UnsupportedFormatError(accept)
"""
"""How SageMaker's samples for scikit-learn in a pipeline are written."""


def test_a_script_like_the_samples(tmp_path: Path) -> None:
    with serving("scikit-learn", model(tmp_path, SAMPLE)) as call:
        answers = {accept: call(b"1,2\n3,4", accept=accept) for accept in ("application/json", "text/csv", "text/html")}
        assert call(b"1", "application/x-npy")[0] == 415
    assert answers["application/json"][:2] == (200, "application/json")
    assert json.loads(answers["application/json"][2]) == {"instances": [{"features": [10, 20]}, {"features": [30, 40]}]}
    assert answers["text/csv"] == (200, "text/csv; charset=utf-8", b"10,20\n30,40\n")
    assert answers["text/html"][0] == 406


TOOLKIT = """
    from sagemaker_inference import content_types, decoder, encoder, errors

    def model_fn(model_dir):
        return 1

    def transform_fn(model, data, content_type, accept):
        rows = decoder.decode(data, content_type)
        if rows.ndim != 1:
            raise errors.BaseInferenceToolkitError(422, "one row", "one row")
        return encoder.encode(rows + model, accept), accept
"""


def test_the_inference_toolkit(tmp_path: Path) -> None:
    container = Container.load("script", model(tmp_path, TOOLKIT), {})
    assert container.invoke(b"1,2", "text/csv", "application/json").body == b"[2.0, 3.0]"
    with pytest.raises(Exception, match="BaseInferenceToolkitError: one row") as caught:
        container.invoke(b"1,2\n3,4", "text/csv", None)
    assert caught.value.status == 422  # type: ignore[attr-defined]


def test_in_training(tmp_path: Path) -> None:
    text = """
        import json
        import sagemaker_containers
        from sagemaker_containers.beta.framework import encoders
        from sagemaker_training import environment
        env = environment.Environment()
        assert sagemaker_containers.training_env().hosts == env.hosts
        with open(env.model_dir + "/told", "w") as file:
            json.dump([env.hyperparameters, sorted(env.channel_input_dirs), encoders.encode([1, 2], "text/csv")], file)
    """
    folder = source(tmp_path / "src", text)
    (tmp_path / "rows.csv").write_text("1\n")
    options = ("--train", str(tmp_path / "rows.csv"), "--hyperparameter", "depth=3", "--output", str(tmp_path / "out"))
    ran = nacre("train", "script", "--script", str(folder / "train.py"), *options)
    assert ran.returncode == 0, ran.stderr

    with tarfile.open(tmp_path / "out" / "model.tar.gz") as archive:
        told = archive.extractfile("told")
        assert told is not None
        assert json.loads(told.read()) == [{"depth": 3}, ["train"], "1\n2\n"]


def test_what_a_stand_in_lacks_says_so(tmp_path: Path) -> None:
    script = """
        from sagemaker_containers.beta.framework import modules

        def model_fn(model_dir):
            modules.download_and_install("x")
    """
    with pytest.raises(
        Exception, match="stand-in for .*modules has no download_and_install: install the package itself"
    ):
        Container.load("script", model(tmp_path, script), {})


def test_xgboost_s_encoder(tmp_path: Path) -> None:
    pytest.importorskip("xgboost")
    script = """
        from sagemaker_xgboost_container import encoder

        def model_fn(model_dir):
            return 1

        def transform_fn(model, data, content_type, accept):
            return str(encoder.decode(data, content_type).num_col())
    """
    model(tmp_path, script)
    env = {"SAGEMAKER_PROGRAM": "inference.py"}
    container = Container.load("xgboost", tmp_path, env)
    assert container.invoke(b"1,2,3", "text/csv", None).body == b"3"
    assert container.invoke(b"0:1 4:2", "text/libsvm", None).body == b"5"
