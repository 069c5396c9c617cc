"""Artefacts to folders: every shape a model comes in, and every way an archive can be wrong or hostile."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import zipfile

import pytest

from nacre.bundle.files import Limits
from nacre.errors import ModelError, NacreError, SetupError
from nacre.store import artefact, fetch_artefact
from nacre.store.places import bucket_and_key, local_path

FILES = {"bundle.json": b"{}", "root/model.json": b"1" * 5000, "root/a b.node/x": b""}


def tar_of(path, members, mode="w:gz"):
    """A tar of (name, content) or ready TarInfos."""
    with tarfile.open(path, mode) as archive:
        for name, content in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def zip_of(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(params=["tar.gz", "tar", "zip", "folder", "file://"])
def packed(request, tmp_path):
    """The same files in each shape, as a URL."""
    items = list(FILES.items())
    if request.param == "zip":
        return str(zip_of(tmp_path / "model.zip", items))
    if request.param == "folder":
        for name, content in items:
            target = tmp_path / "folder" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        return str(tmp_path / "folder")
    if request.param == "tar":
        return str(tar_of(tmp_path / "model.tar", items, "w"))
    made = tar_of(tmp_path / "model 1.tar.gz", [("./" + name, content) for name, content in items])
    return made.as_uri() if request.param == "file://" else str(made)


def test_every_shape_gives_the_same_files(packed, tmp_path):
    assert contents(fetch_artefact(packed, tmp_path / "into")) == FILES


def test_an_earlier_unpacking_is_replaced(tmp_path):
    into = tmp_path / "into"
    fetch_artefact(str(tar_of(tmp_path / "a.tar.gz", [("old", b"1"), ("both", b"2")])), into)
    fetch_artefact(str(tar_of(tmp_path / "b.tar.gz", [("both", b"3")])), into)
    assert contents(into) == {"both": b"3"}
    (tmp_path / "broken.tar.gz").write_bytes(b"no")
    with pytest.raises(ModelError, match="broken archive"):
        fetch_artefact(str(tmp_path / "broken.tar.gz"), into)
    assert contents(into) == {"both": b"3"}


def test_a_folder_of_other_things_is_not_touched(tmp_path):
    into = tmp_path / "into"
    into.mkdir()
    (into / "mine").write_bytes(b"1")
    made = str(tar_of(tmp_path / "a.tar.gz", [("old", b"1")]))
    with pytest.raises(ModelError, match="holds other things: expected a new or empty folder"):
        fetch_artefact(made, into)
    assert contents(into) == {"mine": b"1"}
    (into / "mine").unlink()
    assert contents(fetch_artefact(made, into)) == {"old": b"1"}


def test_a_folder_is_used_where_it_is(tmp_path):
    assert fetch_artefact(str(tmp_path), tmp_path / "into") == tmp_path
    assert not (tmp_path / "into").exists()


def test_a_single_model_file_becomes_the_folder(tmp_path):
    source = tmp_path / "xgboost-model"
    source.write_bytes(b"{L\0\0\0")
    assert contents(fetch_artefact(str(source), tmp_path / "into")) == {"xgboost-model": b"{L\0\0\0"}


def test_the_name_does_not_say_what_it_is(tmp_path):
    made = zip_of(tmp_path / "model.tar.gz", list(FILES.items()))
    assert contents(fetch_artefact(str(made), tmp_path / "into")) == FILES


def link(kind, target):
    info = tarfile.TarInfo("link")
    info.type, info.linkname = kind, target
    return info


HOSTILE_TARS = {
    "climbs out": [("../evil", b"1")],
    "climbs out later": [("a/../../evil", b"1")],
    "absolute": [("/tmp/evil", b"1")],
    "backslash": [("a\\..\\evil", b"1")],
    "symlink": [(link(tarfile.SYMTYPE, "/etc/passwd"), b"")],
    "hard link": [("a", b"1"), (link(tarfile.LNKTYPE, "a"), b"")],
    "through a link": [(link(tarfile.SYMTYPE, ".."), b""), ("link/evil", b"1")],
    "fifo": [(link(tarfile.FIFOTYPE, ""), b"")],
    "device": [(link(tarfile.CHRTYPE, ""), b"")],
    "twice": [("a", b"1"), ("./a", b"2")],
    "file as folder": [("a", b"1"), ("a/b", b"2")],
    "no files": [],
}


@pytest.mark.parametrize("members", HOSTILE_TARS.values(), ids=HOSTILE_TARS)
def test_a_hostile_tar_is_refused_and_leaves_nothing(members, tmp_path):
    made = tar_of(tmp_path / "model.tar.gz", members)
    (tmp_path / "work").mkdir()
    with pytest.raises(ModelError) as caught:
        fetch_artefact(str(made), tmp_path / "work" / "model")
    assert caught.value.where["file"]
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["model.tar.gz", "work"]


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "a\\..\\evil"])
def test_a_hostile_name_in_a_zip(name, tmp_path):
    made = zip_of(tmp_path / "model.zip", [("good", b"1")])
    info = zipfile.ZipInfo(name)
    info.filename = name
    with zipfile.ZipFile(made, "a") as archive:
        archive.writestr(info, b"1")
    with pytest.raises(ModelError, match="unsafe name"):
        fetch_artefact(str(made), tmp_path / "into")
    assert [path.name for path in tmp_path.iterdir()] == ["model.zip"]


def test_a_link_in_a_zip(tmp_path):
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    made = zip_of(tmp_path / "model.zip", [(info, b"/etc/passwd")])
    with pytest.raises(ModelError, match="link"):
        fetch_artefact(str(made), tmp_path / "into")


@pytest.mark.parametrize("limits", [Limits(entries=2), Limits(total_bytes=4999), Limits(depth=1)], ids=str)
@pytest.mark.parametrize("shape", [tar_of, zip_of])
def test_limits_hold(limits, shape, tmp_path, monkeypatch):
    monkeypatch.setattr(artefact, "LIMITS", limits)
    made = shape(tmp_path / "model", list(FILES.items()))
    with pytest.raises(ModelError, match="too"):
        fetch_artefact(str(made), tmp_path / "into")
    assert not (tmp_path / "into").exists()


def test_a_zip_that_lies_about_a_size(tmp_path):
    made = zip_of(tmp_path / "model.zip", [("a", b"x" * 1000)])
    content = made.read_bytes()
    made.write_bytes(content.replace((1000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    with pytest.raises(ModelError):
        fetch_artefact(str(made), tmp_path / "into")
    assert not (tmp_path / "into").exists()


@pytest.mark.parametrize("shape", [tar_of, zip_of])
@pytest.mark.parametrize("kept", [3, 30, 200, -400, -30, -9])
def test_a_truncated_archive_is_refused_at_any_length(shape, kept, tmp_path):
    name = "model.zip" if shape is zip_of else "model.tar.gz"
    made = shape(tmp_path / name, [(f"file{at}", os.urandom(300)) for at in range(5)])
    made.write_bytes(made.read_bytes()[:kept])
    with pytest.raises(ModelError):
        fetch_artefact(str(made), tmp_path / "into")
    assert not (tmp_path / "into").exists()


def test_a_flipped_bit_is_found(tmp_path):
    made = tar_of(tmp_path / "model.tar.gz", [("a", os.urandom(4000))])
    content = bytearray(made.read_bytes())
    content[2000] ^= 4
    made.write_bytes(content)
    with pytest.raises(ModelError):
        fetch_artefact(str(made), tmp_path / "into")


def test_a_bomb_behind_the_end_of_the_tar(tmp_path, monkeypatch):
    monkeypatch.setattr(artefact, "LIMITS", Limits(total_bytes=1 << 20))
    made = tar_of(tmp_path / "model.tar", [("a", b"1")], "w")
    (tmp_path / "model.tar.gz").write_bytes(gzip.compress(made.read_bytes() + bytes(3 << 20)))
    with pytest.raises(ModelError, match="too large"):
        fetch_artefact(str(tmp_path / "model.tar.gz"), tmp_path / "into")


@pytest.mark.parametrize(
    "url, error",
    [
        ("missing.zip", ModelError),
        ("https://example.com/model.tar.gz", SetupError),
        ("file://elsewhere/model.tar.gz", SetupError),
        ("s3://bucket", SetupError),
        ("s3:///key", SetupError),
    ],
)
def test_what_cannot_be_read_says_so(url, error, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with pytest.raises(error):
        fetch_artefact(url, tmp_path / "into")
    assert not (tmp_path / "into").exists()


def test_s3_that_nobody_answers_names_the_object(tmp_path, monkeypatch):
    pytest.importorskip("boto3")
    for name, value in {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(NacreError) as caught:
        fetch_artefact("s3://models/abalone/model.tar.gz", tmp_path / "work" / "into")
    assert caught.value.where["file"] == "s3://models/abalone/model.tar.gz"
    assert list((tmp_path / "work").iterdir()) == []


def test_places():
    assert local_path("file:///a%20b/c").as_posix() == "/a b/c"
    assert bucket_and_key("s3://b/k/l") == ("b", "k/l")


@pytest.fixture
def bucket(monkeypatch):
    """An empty bucket on an S3 server of this process."""
    server_module = pytest.importorskip("moto.server")
    boto3 = pytest.importorskip("boto3")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "s",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="models")
    yield client
    client.close()
    server.stop()


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # botocore's pools end with the process
def test_s3(bucket, tmp_path):
    bucket.upload_file(str(tar_of(tmp_path / "m", list(FILES.items()))), "models", "a b/model.tar.gz")
    for name, content in FILES.items():
        bucket.put_object(Bucket="models", Key=f"folder/{name}", Body=content)
    assert contents(fetch_artefact("s3://models/a b/model.tar.gz", tmp_path / "archive")) == FILES
    assert contents(fetch_artefact("s3://models/folder/", tmp_path / "prefix")) == FILES
    for url, part in {"s3://models/none.zip": "404", "s3://models/none/": "nothing there", "s3://no/x": "404"}.items():
        with pytest.raises(NacreError, match=part) as caught:
            fetch_artefact(url, tmp_path / "into")
        assert caught.value.where["file"] == url
        assert not (tmp_path / "into").exists()
