"""MLeap's JVM runtime 0.20.0 as an oracle: what it makes of a bundle we wrote, and the bundle written again by it.

>>> oracle.transform(zip_path, {"sex": ("string", ["M", None])}, ["sex_index"])
{'sex_index': [0.0, 3.0]}
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.oracle import fetch, frames

if TYPE_CHECKING:
    from collections.abc import Iterator

    from py4j.java_gateway import JavaGateway

RUNTIME = "ml.combust.mleap.runtime"
BINARY = "ml.combust.mleap.binary"
JSON = "ml.combust.mleap.json"
FORMATS = {"json": "Json", "protobuf": "Protobuf"}


class OracleError(Exception):
    """What the JVM said, the innermost cause first."""


class Mleap:
    """One JVM with MLeap's runtime; `start` it once a session, `stop` it at the end."""

    def __init__(self, gateway: JavaGateway):
        self.gateway = gateway
        self.context = self._new(f"{RUNTIME}.javadsl.ContextBuilder").createMleapContext()

    @classmethod
    def start(cls) -> Mleap:
        """Raises FetchError when the jars or Java are missing."""
        from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway

        from nacre.doctor import find_java

        jars, java = fetch.jars(), find_java()
        if not jars or java is None:
            raise fetch.FetchError(f"no MLeap runtime in {fetch.folder()}: `make jars`" if java else "no Java")
        port = launch_gateway(
            classpath=os.pathsep.join(map(str, jars)),
            java_path=java.path,
            javaopts=["-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"],
            die_on_exit=True,
        )
        return cls(JavaGateway(gateway_parameters=GatewayParameters(port=port)))

    def stop(self) -> None:
        self.gateway.shutdown()

    def transform(
        self, bundle: Path, columns: dict[str, frames.Column], outputs: list[str] | None = None
    ) -> dict[str, list[Any]]:
        """Score `columns` (name -> (MLeap type, values)) and return columns by name, all or those named.

        Vectors come as lists of floats, or as `frames.Sparse` where MLeap made a sparse one; null is None.
        """
        root = self._root(bundle)
        maps = any(kind.startswith("map<") for kind, _ in columns.values())
        content, form = (frames.as_json(columns), JSON) if maps else (frames.write(columns), BINARY)
        frame = self._try(self._new(f"{form}.DefaultFrameReader").fromBytes(content, self._utf8()))
        scored = self._try(root.transform(frame))
        if maps:  # no frame with maps can be written
            names = self.gateway.jvm.java.util.ArrayList()
            for name in (name for name, (kind, _) in columns.items() if kind.startswith("map<")):
                names.add(name)
            scored = self._new(f"{RUNTIME}.javadsl.LeapFrameSupport").drop(scored, names)
        found = frames.read(bytes(self._try(self._new(f"{BINARY}.DefaultFrameWriter", scored).toBytes(self._utf8()))))
        return found if outputs is None else {name: found[name] for name in outputs}

    def load(self, bundle: Path) -> None:
        """Load a bundle and do nothing with it. Raises OracleError where the runtime cannot."""
        self._root(bundle)

    def resave(self, bundle: Path, out: Path, form: str) -> None:
        """Load `bundle` and write it to `out` (.zip) as MLeap writes it, `form` being json or protobuf."""
        root = self._root(bundle)
        none = self._object("scala.None$")
        kind = self._object(f"ml.combust.bundle.serializer.SerializationFormat${FORMATS[form]}$")
        file = self._object("ml.combust.bundle.BundleFile$").apply(self._file(out))
        try:
            self._try(self._new("ml.combust.bundle.BundleWriter", root, none, kind, none).save(file, self.context))
        finally:
            file.close()

    def _root(self, bundle: Path) -> Any:
        if not bundle.is_file() or bundle.suffix != ".zip":  # the runtime would create an empty one, and then fail
            raise OracleError(f"{bundle} is no .zip file")
        return self._call(
            lambda: self._new(f"{RUNTIME}.javadsl.BundleBuilder").load(self._file(bundle), self.context).root()
        )

    def _file(self, path: Path) -> Any:
        return self._new("java.io.File", str(path.resolve()))

    def _utf8(self) -> Any:
        return self.gateway.jvm.java.nio.charset.StandardCharsets.UTF_8

    def _new(self, name: str, *arguments: Any) -> Any:
        return self._class(name)(*arguments)

    def _class(self, name: str) -> Any:
        found: Any = self.gateway.jvm
        for part in name.split("."):
            found = getattr(found, part)
        return found

    def _object(self, name: str) -> Any:
        """A Scala object: the only instance of the class whose name ends in $."""
        loaded = self.gateway.jvm.java.lang.Class.forName(name)
        return loaded.getField("MODULE$").get(None)

    def _try(self, attempt: Any) -> Any:
        """The value of a scala.util.Try."""
        return self._call(attempt.get)

    def _call(self, function: Any) -> Any:
        from py4j.protocol import Py4JJavaError

        try:
            return function()
        except Py4JJavaError as error:
            cause = error.java_exception
            while cause.getCause() is not None:
                cause = cause.getCause()
            raise OracleError(str(cause.toString())) from None


@pytest.fixture(scope="session")
def oracle() -> Iterator[Mleap]:
    """MLeap's JVM runtime; tests that ask for it carry the marker `oracle`."""
    try:
        runtime = Mleap.start()
    except fetch.FetchError as error:
        pytest.skip(str(error))
    yield runtime
    runtime.stop()
