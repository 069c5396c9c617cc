"""Pipeline files: the shape and the rules of CreateModel's Containers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nacre.errors import SetupError
from nacre.handlers import KINDS, kind_of_image
from nacre.pipeline import Pipeline, overrides
from nacre.share import folder

ABALONE = folder("conf") / "pipelines" / "abalone.yaml"


def definition(**changes):
    """A good definition of two containers, its second changed."""
    second = {"Image": "nacre/xgboost", "ModelDataUrl": "b.tar.gz", **changes}
    first = {"Image": "nacre/sparkml", "ModelDataUrl": "a.tar.gz"}
    return {"ModelName": "m", "Containers": [first, {k: v for k, v in second.items() if v is not ...}]}


def read(given):
    return Pipeline.from_definition(given, Path("/base"))


def test_the_abalone_pipeline():
    pipeline = Pipeline.read(ABALONE)
    assert [(item.name, item.kind) for item in pipeline.containers] == [("features", "sparkml"), ("rings", "xgboost")]
    schema = json.loads(pipeline.containers[0].environment["SAGEMAKER_SPARKML_SCHEMA"])
    assert [field["name"] for field in schema["input"]] == [
        "sex", "length", "diameter", "height", "whole_weight", "shucked_weight", "viscera_weight", "shell_weight"
    ]  # fmt: skip
    assert [field["type"] for field in schema["input"]] == ["string"] + ["double"] * 7
    assert schema["output"] == {"name": "features", "type": "double", "struct": "vector"}


def test_relative_artefacts_count_from_the_file(tmp_path):
    (tmp_path / "deep").mkdir()
    copy = tmp_path / "deep" / "p.yaml"
    copy.write_text(ABALONE.read_text())
    assert Pipeline.read(copy).containers[0].model_data_url == str(tmp_path / "deep/artefacts/features/model.tar.gz")


@pytest.mark.parametrize(
    "url, expected", [("x/y", "/base/x/y"), ("/x", "/x"), ("s3://b/k", "s3://b/k"), ("file:///x", "file:///x")]
)
def test_artefact_urls(url, expected):
    assert read(definition(ModelDataUrl=url)).containers[1].artefact() == expected


def test_other_artefacts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pipeline = read(definition())
    changed = pipeline.with_artefacts(overrides(["container-2=mine.zip"]))
    assert [item.artefact() for item in changed.containers] == ["/base/a.tar.gz", str(tmp_path / "mine.zip")]
    assert pipeline.containers[1].artefact() == "/base/b.tar.gz"
    with pytest.raises(SetupError) as caught:
        pipeline.with_artefacts({"container-22": "x"})
    assert caught.value.fix == "Did you mean container-2?"


@pytest.mark.parametrize("text", ["", "=x", "x=", "x"])
def test_an_override_needs_both_sides(text):
    with pytest.raises(SetupError):
        overrides([text])


def test_a_container_without_a_model_says_what_to_do():
    with pytest.raises(SetupError, match=r"container-2.*container-2=PATH"):
        read(definition(ModelDataUrl=...)).containers[1].artefact()


@pytest.mark.parametrize(
    "image, kind",
    [
        ("nacre/sparkml", "sparkml"),
        ("nacre-sparkml:latest", "sparkml"),
        ("sparkml", "sparkml"),
        ("localhost:5000/nacre/xgboost@sha256:00ff", "xgboost"),
        ("683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-sparkml-serving:3.3", "sparkml"),
        ("683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1", "xgboost"),
        ("811284229777.dkr.ecr.us-east-1.amazonaws.com/xgboost:latest", "xgboost"),
    ],
)
def test_images(image, kind):
    assert kind_of_image(image) == kind


def test_an_unknown_image_names_ours():
    with pytest.raises(SetupError) as caught:
        read(definition(Image="nacre/xgbost"))
    assert caught.value.fix == "Did you mean xgboost?"
    assert all(f"nacre/{kind}" in caught.value.expected for kind in KINDS)
    assert caught.value.where == {"container": "container-2"}


def test_names_are_all_given_or_none():
    assert [item.name for item in read(definition()).containers] == ["container-1", "container-2"]
    with pytest.raises(SetupError) as caught:
        read(definition(ContainerHostname="rings"))
    assert caught.value.where == {"container": "container-1"}


def test_names_differ():
    given = definition(ContainerHostname="same")
    given["Containers"][0]["ContainerHostname"] = "same"
    with pytest.raises(SetupError, match="twice"):
        read(given)


@pytest.mark.parametrize("name", ["-a", "a_b", "a" * 64, "a b", "", 1, "a\n"])
def test_host_names(name):
    given = definition(ContainerHostname=name)
    given["Containers"][0]["ContainerHostname"] = "fine"
    with pytest.raises(SetupError):
        read(given)


@pytest.mark.parametrize("count, good", [(0, False), (1, True), (2, True), (15, True), (16, False)])
def test_number_of_containers(count, good):
    given = {"ModelName": "m", "Containers": [{"Image": "nacre/sparkml"}] * count}
    if good:
        assert len(read(given).containers) == count
        return
    with pytest.raises(SetupError) as caught:
        read(given)
    assert caught.value.got == count


@pytest.mark.parametrize("name", [None, "", "a_b", "-a", "a-", "a" * 64, 3])
def test_model_names(name):
    with pytest.raises(SetupError, match="ModelName"):
        read({"ModelName": name, "Containers": [{"Image": "nacre/sparkml"}]})


@pytest.mark.parametrize(
    "change, meant",
    [({"Enviroment": {}}, "Did you mean Environment?"), ({"ModelDataURL": "x"}, "Did you mean ModelDataUrl?"),
     ({"zzz": 1}, None)],
)  # fmt: skip
def test_unknown_keys(change, meant):
    with pytest.raises(SetupError) as caught:
        read(definition(**change))
    assert caught.value.fix == meant
    assert caught.value.got == next(iter(change))
    with pytest.raises(SetupError, match="Containers"):
        read({**definition(), "Container": []})


@pytest.mark.parametrize(
    "environment, field",
    [
        ({"A": 1}, "A"), ({"A": True}, "A"), ({"A": None}, "A"), ({"A": {"input": []}}, "A"),
        ({"A": "x" * 1025}, "A"), ({"A": "é" * 513}, "A"), ({"A": "\0"}, "A"), ({"A-B": "x"}, None), ({"1": "x"}, None),
        ({"A\n": "x"}, None), (["A"], None), ({f"A{at}": "" for at in range(101)}, None),
    ],
)  # fmt: skip
def test_environments(environment, field):
    with pytest.raises(SetupError) as caught:
        read(definition(Environment=environment))
    assert caught.value.where["container"] == "container-2"
    assert caught.value.where.get("field") == field


def test_the_longest_value_and_the_most_variables_are_fine():
    given = {f"A{at}": "" for at in range(99)} | {"B": "é" * 512}
    assert read(definition(Environment=given)).containers[1].environment == given


def test_32_kb_for_all_containers_together():
    part = {f"A{at:02}": "x" * 1021 for at in range(16)}  # 16 KB
    given = definition(Environment=part)
    given["Containers"][0]["Environment"] = dict(part)
    assert read(given)
    given["Containers"][0]["Environment"]["B"] = ""
    with pytest.raises(SetupError) as caught:
        read(given)
    assert caught.value.got == "32769 bytes"


def test_variables_of_a_job_go_to_every_container():
    pipeline = read(definition(Environment={"A": "1"})).with_environment({"SAGEMAKER_BATCH": "true"})
    assert [dict(item.environment) for item in pipeline.containers] == [
        {"SAGEMAKER_BATCH": "true"},
        {"A": "1", "SAGEMAKER_BATCH": "true"},
    ]


def test_a_container_does_not_inherit_the_platforms_variables():
    base = {"PATH": "/bin", "SAGEMAKER_BATCH": "true", "SM_MODEL_DIR": "/x", "NACRE_COMPAT": "aws"}
    seen = read(definition(Environment={"A": "1"})).containers[1].env(base)
    assert seen == {"PATH": "/bin", "NACRE_COMPAT": "aws", "A": "1", "NACRE_CONTAINER_NAME": "container-2"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "a: b: c",
        "- 1",
        "ModelName: m\nModelName: n\nContainers: []",
        "x: !!python/object:os.system {}",
        "\x00",
    ],
)
def test_files_that_are_no_pipeline(text, tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(text)
    with pytest.raises(SetupError) as caught:
        Pipeline.read(path)
    assert caught.value.where["file"] == str(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(SetupError, match="No such file"):
        Pipeline.read(tmp_path / "no.yaml")
