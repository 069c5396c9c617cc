"""Training scripts: what they find, what becomes of what they leave, and how their failures are told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tarfile
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nacre.train.environment import Folders, Training
from tests.scripts import OURS, nacre, serving, wheel

TELLING = """
    import json, os, sys
    import helper

    json.dump({"argv": sys.argv, "cwd": os.getcwd(), "env": dict(os.environ)}, open(os.environ["SM_MODEL_DIR"] + "/told", "w"))
"""
HYPERPARAMETERS = {
    "alpha": "0.5", "n": "3", "name": '"text"', "plain": "text", "list": "[1, 2]", "map": '{"a": 1, "b": 2}', "null": "null",
    "sagemaker_program": '"train.py"', "sagemaker_region": '"eu-west-1"', "sagemaker_job_name": '"job-7"',
    "sagemaker_mpi_enabled": "true", "_tuning_objective_metric": "auc",
}  # fmt: skip


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """/opt/ml of a container that is about to train."""
    base = tmp_path / "ml"
    (base / "input" / "config").mkdir(parents=True)
    for channel in ("train", "eval-data"):
        (base / "input" / "data" / channel).mkdir(parents=True)
    return base


def source(folder: Path, text: str = TELLING, name: str = "train.py", **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in {
        name: text,
        "helper.py": "",
        **{key.replace("_", "."): each for key, each in files.items()},
    }.items():
        (folder / file).write_text(textwrap.dedent(content))
    return folder


def container(base: Path, hyperparameters: dict[str, str], kind: str = "script", **env: str) -> Any:
    (base / "input" / "config" / "hyperparameters.json").write_text(json.dumps(hyperparameters))
    return nacre("train", kind, env={"SAGEMAKER_BASE_DIR": str(base), **env})


@pytest.mark.parametrize("packed", [False, True])
def test_what_a_script_finds(base: Path, tmp_path: Path, packed: bool) -> None:
    folder = source(tmp_path / "code of mine")
    if packed:
        with tarfile.open(tmp_path / "sourcedir.tar.gz", "w:gz") as archive:
            for path in folder.iterdir():
                archive.add(path, path.name)
        folder = tmp_path / "sourcedir.tar.gz"
    (base / "input" / "config" / "resourceconfig.json").write_text(
        '{"current_host": "algo-2", "hosts": ["algo-1", "algo-2"]}'
    )
    ran = container(base, HYPERPARAMETERS | {"sagemaker_submit_directory": json.dumps(str(folder))})
    assert ran.returncode == 0, ran.stderr
    told = json.loads((base / "model" / "told").read_text())
    arguments = [
        "--alpha", "0.5", "--list", "[1, 2]", "--map", "a=1,b=2", "-n", "3", "--name", "text", "--null", "", "--plain", "text",
    ]  # fmt: skip
    assert told["argv"] == ["train.py", *arguments]
    assert told["cwd"] == str(base / "code")
    env = told["env"]
    assert {name: env[name] for name in env if name.startswith("SM_H") and not name.startswith("SM_HPS")} == {
        "SM_HOSTS": '["algo-1","algo-2"]', "SM_HP_ALPHA": "0.5", "SM_HP_LIST": "[1,2]", "SM_HP_MAP": '{"a":1,"b":2}',
        "SM_HP_N": "3", "SM_HP_NAME": "text", "SM_HP_NULL": "", "SM_HP_PLAIN": "text",
    }  # fmt: skip
    assert json.loads(env["SM_HPS"]) == {
        "alpha": 0.5, "list": [1, 2], "map": {"a": 1, "b": 2}, "n": 3, "name": "text", "null": None, "plain": "text",
    }  # fmt: skip
    assert json.loads(env["SM_USER_ARGS"]) == arguments
    expected = {
        "SM_MODEL_DIR": str(base / "model"), "SM_OUTPUT_DATA_DIR": str(base / "output" / "data"),
        "SM_INPUT_DIR": str(base / "input"), "SM_INPUT_CONFIG_DIR": str(base / "input" / "config"),
        "SM_OUTPUT_DIR": str(base / "output"), "SM_CHANNELS": '["eval-data","train"]',
        "SM_CHANNEL_TRAIN": str(base / "input" / "data" / "train"),
        "SM_CHANNEL_EVAL-DATA": str(base / "input" / "data" / "eval-data"),
        "SM_NUM_CPUS": str(os.cpu_count()), "SM_NUM_GPUS": "0", "SM_CURRENT_HOST": "algo-2", "CURRENT_HOST": "algo-2",
        "SM_USER_ENTRY_POINT": "train.py", "SM_MODULE_NAME": "train", "SM_MODULE_DIR": str(folder),
        "SM_FRAMEWORK_PARAMS": '{"sagemaker_mpi_enabled":true}', "SM_IS_HETERO": "false", "SM_NUM_NEURONS": "0",
        "SM_DISTRIBUTION_INSTANCE_GROUPS": '["homogeneousCluster"]', "SM_INSTANCE_GROUPS": "[]",
        "SM_RESOURCE_CONFIG": '{"current_host":"algo-2","hosts":["algo-1","algo-2"]}', "SM_LOG_LEVEL": "20",
        "SM_NETWORK_INTERFACE_NAME": "eth0", "SAGEMAKER_REGION": "eu-west-1", "SAGEMAKER_JOB_NAME": "job-7",
    }  # fmt: skip
    assert {name: env.get(name) for name in expected} == expected
    assert json.loads(env["SM_TRAINING_ENV"])["is_master"] is False
    assert (base / "output" / "success").is_file()
    assert not (base / "output" / "failure").exists()


def test_channels_come_from_the_platform(base: Path) -> None:
    config = {"other": {"TrainingInputMode": "File"}}
    (base / "input" / "config" / "inputdataconfig.json").write_text(json.dumps(config))
    job = Training.read(Folders(base))
    assert job.channels == {"other": base / "input" / "data" / "other"}
    assert json.loads(job.variables("a.py", {})["SM_INPUT_DATA_CONFIG"]) == config


FAILURES = {
    "raises": ("import helper\n\ndef main():\n    helper.f()\n\nmain()\n", 1, "got exit code 1, KeyError: 'x', at file helper.py, line 2, in f"),
    "exit code": ("import sys\nprint('too bad', file=sys.stderr)\nsys.exit(7)\n", 7, "got exit code 7, too bad, at file train.py"),
    "syntax": ("def f(:\n", 1, "got exit code 1, SyntaxError: invalid syntax, at file train.py, line 1"),
    "killed": ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", 137, "got exit code 137, at file train.py"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILURES)
def test_a_script_that_fails(base: Path, tmp_path: Path, name: str) -> None:
    text, code, said = FAILURES[name]
    folder = source(tmp_path / "src", text, helper_py="def f():\n    return {}['x']\n")
    ran = container(base, {"sagemaker_program": "train.py", "sagemaker_submit_directory": str(folder)})
    line = f"the training script failed: expected exit code 0, {said}"
    assert (ran.returncode, ran.stderr.splitlines()[-1]) == (code, f"nacre: {line}")
    assert (base / "output" / "failure").read_text() == line
    assert not (base / "output" / "success").exists()
    if name == "raises":
        assert "Traceback (most recent call last):" in ran.stderr


@pytest.mark.parametrize(
    "given, said",
    [
        ({}, "no training script: expected sagemaker_program, got none"),
        ({"sagemaker_program": "train.py"}, "no such training script: expected train.py, got an empty folder"),
        ({"sagemaker_program": "a.py", "sagemaker_submit_directory": "/not/there"}, "no such model"),
    ],
)
def test_no_script(base: Path, given: dict[str, str], said: str) -> None:
    ran = container(base, given)
    assert ran.returncode == 1
    assert said in ran.stderr
    assert said in (base / "output" / "failure").read_text()


def test_commands_and_packages(base: Path, tmp_path: Path) -> None:
    shell = source(tmp_path / "shell", '#!/bin/sh\necho "$2" > $SM_MODEL_DIR/told\n', "run.sh")
    ran = container(base, {"x": '"a b; c"', "sagemaker_program": "run.sh", "sagemaker_submit_directory": str(shell)})
    assert (ran.returncode, (base / "model" / "told").read_text()) == (0, "a b; c\n"), ran.stderr


def test_requirements(base: Path, tmp_path: Path) -> None:
    text = "import os, nacre_test_trainer as t\nopen(os.environ['SM_MODEL_DIR'] + '/told', 'w').write(t.VALUE)\n"
    folder = source(tmp_path / "src", text, requirements_txt="--no-index\n--find-links wheels\nnacre_test_trainer\n")
    wheel(folder / "wheels", "nacre_test_trainer", "VALUE = 'installed'\n")
    given = {"sagemaker_program": "train.py", "sagemaker_submit_directory": str(folder)}
    assert container(base, given).returncode == 0
    assert (base / "model" / "told").read_text() == "installed"
    (folder / "requirements.txt").write_text("--no-index\nnacre-none-such\n")
    ran = container(base, given)
    assert ran.returncode == 1
    assert "requirements cannot be installed" in (base / "output" / "failure").read_text()


def test_a_script_is_told_to_stop(base: Path, tmp_path: Path) -> None:
    text = """
        import os, signal, sys, time
        def stop(*_):
            open(os.environ["SM_MODEL_DIR"] + "/saved", "w").close()
            sys.exit(0)
        signal.signal(signal.SIGTERM, stop)
        print("training", flush=True)
        time.sleep(60)
    """
    folder = source(tmp_path / "src", text)
    given = {"sagemaker_program": "train.py", "sagemaker_submit_directory": str(folder)}
    (base / "input" / "config" / "hyperparameters.json").write_text(json.dumps(given))
    env = OURS | {"SAGEMAKER_BASE_DIR": str(base)}
    command = [sys.executable, "-m", "nacre", "train", "script"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while "training" not in process.stdout.readline().split():
            assert process.poll() is None
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    assert time.monotonic() - started < 30
    assert (base / "model" / "saved").exists()


SKLEARN = """
    import argparse
    import os

    import joblib
    import numpy as np
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler


    def model_fn(model_dir):
        return joblib.load(os.path.join(model_dir, "model.joblib"))


    if __name__ == "__main__":
        parser = argparse.ArgumentParser()
        parser.add_argument("--alpha", type=float, default=1.0)
        parser.add_argument("--model-dir", default=os.environ["SM_MODEL_DIR"])
        parser.add_argument("--train", default=os.environ["SM_CHANNEL_TRAIN"])
        parser.add_argument("--output-data-dir", default=os.environ["SM_OUTPUT_DATA_DIR"])
        args = parser.parse_args()
        files = [os.path.join(args.train, name) for name in sorted(os.listdir(args.train))]
        rows = np.concatenate([np.loadtxt(file, delimiter=",") for file in files])
        model = make_pipeline(StandardScaler(), Ridge(alpha=args.alpha)).fit(rows[:, 1:], rows[:, 0])
        joblib.dump(model, os.path.join(args.model_dir, "model.joblib"))
        with open(os.path.join(args.output_data_dir, "score"), "w") as file:
            file.write(repr(model.score(rows[:, 1:], rows[:, 0])))
"""


def test_train_and_serve_with_scikit_learn(tmp_path: Path) -> None:
    """The same script trains and serves, as it does on SageMaker; scikit-learn in this process is the oracle."""
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    folder = source(tmp_path / "src", SKLEARN)
    rows = np.random.default_rng(0).normal(size=(60, 4)).round(4)
    np.savetxt(tmp_path / "train.csv", rows, delimiter=",")
    ran = nacre(
        "train", "scikit-learn", "--script", str(folder / "train.py"), "--train", str(tmp_path / "train.csv"),
        "--hyperparameter", "alpha=2.5", "--output", str(tmp_path / "out"),
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == f"nacre train: train.py --alpha 2.5\nnacre train: {tmp_path}/out/model.tar.gz\n"
    with tarfile.open(tmp_path / "out" / "model.tar.gz") as archive:
        assert archive.getnames() == ["model.joblib"]
    with tarfile.open(tmp_path / "out" / "output.tar.gz") as archive:
        assert archive.getnames() == ["score"]
    model = make_pipeline(StandardScaler(), Ridge(alpha=2.5)).fit(rows[:, 1:], rows[:, 0])
    expected = model.predict(rows[:3, 1:].astype(np.float32))
    env = {"SAGEMAKER_PROGRAM": "train.py", "SAGEMAKER_SUBMIT_DIRECTORY": str(folder)}
    body = "".join(",".join(map(repr, row)) + "\n" for row in rows[:3, 1:].tolist()).encode()
    with serving("scikit-learn", tmp_path / "out" / "model.tar.gz", env) as call:
        assert json.loads(call(body)[2]) == expected.tolist()
        assert call(body, accept="text/csv")[2] == "".join(f"{value}\n" for value in expected).encode()


def test_wrong_use(tmp_path: Path) -> None:
    folder = source(tmp_path / "src", "pass\n")
    assert nacre("train", "script", "--script", str(folder / "train.py")).returncode == 2
    both = ("--script", str(folder / "train.py"), "--output", str(tmp_path / "out"))
    assert nacre("train", "script", *both, "--channel", "x").returncode == 2
    for more, said in ((("--train", "/not/there"), "no such data"), ((), "the script left no model")):
        ran = nacre("train", "script", *both, *more)
        assert (ran.returncode, said in ran.stderr) == (1, True)


XGB = """
    import argparse, os
    import numpy as np
    import xgboost

    def model_fn(model_dir):
        booster = xgboost.Booster()
        booster.load_model(os.path.join(model_dir, "model.ubj"))
        return booster

    if __name__ == "__main__":
        parser = argparse.ArgumentParser()
        parser.add_argument("--num_round", type=int)
        args = parser.parse_args()
        rows = np.loadtxt(os.path.join(os.environ["SM_CHANNEL_TRAIN"], "train.csv"), delimiter=",")
        booster = xgboost.train({"nthread": 1}, xgboost.DMatrix(rows[:, 1:], rows[:, 0]), args.num_round)
        booster.save_model(os.path.join(os.environ["SM_MODEL_DIR"], "model.ubj"))
"""


def test_xgboost_in_script_mode(base: Path, tmp_path: Path) -> None:
    """In a container, where `sagemaker_program` says so; the model is served by the same script, or without one."""
    xgboost = pytest.importorskip("xgboost")
    folder = source(tmp_path / "src", XGB)
    rows = np.random.default_rng(0).normal(size=(60, 4)).round(4)
    np.savetxt(base / "input" / "data" / "train" / "train.csv", rows, delimiter=",")
    given = {"num_round": "4", "sagemaker_program": "train.py", "sagemaker_submit_directory": str(folder)}
    ran = container(base, given, "xgboost", OMP_WAIT_POLICY="PASSIVE")
    assert ran.returncode == 0, ran.stderr
    booster = xgboost.train({"nthread": 1}, xgboost.DMatrix(rows[:, 1:], rows[:, 0]), 4)
    expected = booster.predict(xgboost.DMatrix(rows[:3, 1:]))
    csv = "".join(",".join(map(repr, row)) + "\n" for row in rows[:3, 1:].tolist()).encode()
    svm = "".join(" ".join(f"{at}:{value!r}" for at, value in enumerate(row)) + "\n" for row in rows[:3, 1:].tolist())
    env = {"SAGEMAKER_PROGRAM": "train.py", "SAGEMAKER_SUBMIT_DIRECTORY": str(folder), "OMP_WAIT_POLICY": "PASSIVE"}
    with serving("xgboost", base / "model", env) as call:
        lines = "".join(str(value) + "\n" for value in expected).encode()  # float32, as csv.writer has it
        assert call(csv, "text/csv; charset=utf-8", "text/csv") == (200, "text/csv", lines)
        assert call(svm.strip().encode(), None, "text/csv")[2] == lines
        assert json.loads(call(csv)[2]) == expected.tolist()
        status, _, body = call(b"1,2,3,4", accept="text/csv")
        assert (status, json.loads(body)["error"]["expected"]) == (400, "at most 3 features")
        assert call(b"1", "text/html")[0] == 415
    with serving("xgboost", base / "model", {"OMP_WAIT_POLICY": "PASSIVE"}) as call:  # code/ of a model is not run
        assert call(csv, accept="text/csv")[0] == 200


def test_groups_of_instances(base: Path) -> None:
    """Values are those of SageMaker's training toolkit 5.1.4 for these files."""
    groups = [
        {"instance_group_name": "g1", "instance_type": "ml.p4", "hosts": ["algo-1"]},
        {"instance_group_name": "g2", "instance_type": "ml.c5.xlarge", "hosts": ["algo-2"]},
    ]
    resources = {
        "current_host": "algo-2", "hosts": ["algo-1", "algo-2"], "current_group_name": "g2", "instance_groups": groups,
        "current_instance_type": "ml.c5.xlarge", "network_interface_name": "ethwe",
    }  # fmt: skip
    (base / "input" / "config" / "resourceconfig.json").write_text(json.dumps(resources))
    (base / "input" / "config" / "hyperparameters.json").write_text('{"sagemaker_mpi_enabled": "true"}')
    told = Training.read(Folders(base)).variables("train.py", {})
    expected = {
        "SM_CURRENT_INSTANCE_GROUP": "g2", "SM_CURRENT_INSTANCE_GROUP_HOSTS": '["algo-2"]',
        "SM_INSTANCE_GROUPS": '["g1","g2"]', "SM_IS_HETERO": "true", "SM_DISTRIBUTION_INSTANCE_GROUPS": '["g2"]',
        "SM_CURRENT_INSTANCE_TYPE": "ml.c5.xlarge", "SM_NETWORK_INTERFACE_NAME": "ethwe",
    }  # fmt: skip
    assert {name: told[name] for name in expected} == expected
    env = json.loads(told["SM_TRAINING_ENV"])
    assert (env["distribution_hosts"], env["master_hostname"], env["is_master"]) == (["algo-2"], "algo-2", True)
