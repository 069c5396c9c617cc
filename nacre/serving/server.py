"""`nacre serve KIND`: one container, its model loaded once before the workers are forked.

gunicorn is the default server, Granian the fast one; both get the same WSGI app.
"""

from __future__ import annotations

import gc
import os
import socket
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from nacre.errors import NacreError, SetupError
from nacre.handlers import KINDS, handler_class
from nacre.handlers.container import NAME
from nacre.handlers.container import SETTINGS as CONTAINER_SETTINGS
from nacre.serving.settings import SERVER, SETTINGS, ServerSettings, model_dir
from nacre.serving.stopping import stop_while_loading

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nacre.serving.app import ContainerApp

SERVERS = ("gunicorn", "granian")


def main(argv: list[str]) -> int:
    """The verb `serve`."""
    argv, program = split(argv)
    options = parser(argv).parse_args(argv)
    try:
        serve(
            options.kind,
            options.model or str(model_dir(os.environ)),
            port=options.port,
            host=options.host,
            workers=options.workers,
            threads=options.threads,
            server=options.server,
            program=program,
        )
    except NacreError as error:
        raise error.at(container=os.environ.get(NAME.name) or options.kind) from error.__cause__
    return 0


def split(argv: list[str]) -> tuple[list[str], list[str]]:
    """Our own arguments, and the program after `--`."""
    at = argv.index("--") if "--" in argv else len(argv)
    return argv[:at], argv[at + 1 :]


def parser(argv: list[str]) -> ArgumentParser:
    kind = next((word for word in argv if word in KINDS), None)
    found = ArgumentParser(
        prog="nacre serve",
        description="Serve one container over HTTP: /ping, /invocations, /execution-parameters.",
        epilog=settings_text(kind),
        formatter_class=RawDescriptionHelpFormatter,
    )
    found.add_argument("kind", choices=list(KINDS), help="what the container does")
    found.add_argument("--model", metavar="PATH", help="folder, zip, tar.gz or s3:// (default: the container's own)")
    found.add_argument("--port", type=int, metavar="N", help="port; 0 takes a free one")
    found.add_argument("--host", help="address to listen on (default: loopback)")
    found.add_argument("--workers", type=int, metavar="N", help="worker processes")
    found.add_argument("--threads", type=int, metavar="N", help="threads a worker")
    found.add_argument("--server", choices=SERVERS, help="what answers HTTP (default: gunicorn)")
    found.usage = f"{found.format_usage().removeprefix('usage: ').rstrip()} [-- PROGRAM ARGUMENT ...]"
    return found


def settings_text(kind: str | None) -> str:
    """The environment variables that count, for the help text; a kind's own go before the common ones."""
    own = handler_class(kind).settings if kind else ()
    settings = {setting.name: setting for setting in (*SETTINGS, *CONTAINER_SETTINGS, *own)}
    lines = [
        f"  {name}{f' (default {setting.default})' if setting.default else ''}\n      {setting.help}"
        for name, setting in settings.items()
    ]
    more = "" if kind else "\n\n`nacre serve KIND --help` adds the settings of the kind."
    return "environment variables:\n" + "\n".join(lines) + more


def serve(
    kind: str,
    model: str | os.PathLike[str],
    *,
    port: int | None = None,
    host: str | None = None,
    workers: int | None = None,
    threads: int | None = None,
    server: str | None = None,
    env: Mapping[str, str] | None = None,
    program: Sequence[str] = (),
) -> None:
    """Serve until stopped. `model`: folder, zip, tar.gz, `file://` or `s3://`; port 0 takes a free one;
    `program`: what the command container runs.

    Raises NacreError when the model cannot be loaded or the port is taken, before anything listens.
    """
    from shutil import rmtree

    stop_while_loading()
    listens = handler_class(kind).listens
    if program and not listens:
        got = " ".join(program)
        raise SetupError("only the command container runs a program", got=got, fix="nacre serve command -- PROGRAM")
    if not listens:
        # Before numpy loads: its threads would fight the workers for CPUs
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    env = os.environ if env is None else env
    server = server or env.get(SERVER.name) or SERVERS[0]
    if server not in SERVERS:
        raise SetupError("no such server", expected=" or ".join(SERVERS), got=server, fix=f"See {SERVER.name}")
    settings = ServerSettings.read(env, host, port, workers, threads)
    scratch = Path(mkdtemp(prefix="nacre-"))
    owner = os.getpid()
    try:
        if listens:
            serve_program(list(program), model, settings, env, scratch / "model")
        else:
            RUNNERS[server](load_app(kind, model, env, scratch / "model"), settings)
    finally:
        if os.getpid() == owner:  # forked workers pass here too
            rmtree(scratch, ignore_errors=True)


def serve_program(
    program: list[str], model: str | os.PathLike[str], settings: ServerSettings, env: Mapping[str, str], into: Path
) -> None:
    """A program that listens by itself; the container's own model folder may be absent."""
    from nacre.serving.supervisor import serve_command
    from nacre.store import fetch_artefact

    absent = Path(model) == model_dir(env) and not Path(model).exists()
    serve_command(program, settings, env, None if absent else fetch_artefact(os.fspath(model), into).resolve())


def load_app(kind: str, model: str | os.PathLike[str], env: Mapping[str, str], into: Path) -> ContainerApp:
    """The WSGI app of a container, its artefact unpacked into `into` if it is packed. Raises NacreError."""
    from nacre.handlers.container import Container
    from nacre.serving.app import ContainerApp
    from nacre.store import fetch_artefact

    container = Container.load(kind, fetch_artefact(os.fspath(model), into), env)
    return ContainerApp(container)


def app_from_env(kind: str) -> ContainerApp:
    """For `gunicorn -c serving/gunicorn.conf.py serving.KIND:app`: the model is where the environment says.

    A model that cannot be loaded ends the program with one line and exit code 1.
    """
    folder = model_dir(os.environ)
    try:
        return load_app(kind, folder, os.environ, folder)
    except NacreError as error:
        print(f"nacre serve {kind}: {error}", file=sys.stderr)
        raise SystemExit(1) from None


def bound_socket(settings: ServerSettings) -> socket.socket:
    """The address, taken but not yet listening. Raises SetupError when it cannot be had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((settings.host, settings.port))
    except OSError as error:
        found.close()
        where = f"{settings.host}:{settings.port}"
        raise SetupError(
            "cannot listen", expected="a free address", got=f"{where}: {error.strerror}", fix="Choose another --port"
        ) from None
    return found


def announce(app: ContainerApp, settings: ServerSettings, port: int) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    print(
        f"nacre {app.container.name}: listening on http://{host}:{port} ({settings.workers} workers)", file=sys.stderr
    )


def run_gunicorn(app: ContainerApp, settings: ServerSettings) -> None:
    from gunicorn.app.base import BaseApplication

    listener = bound_socket(settings)
    port = listener.getsockname()[1]
    values = settings.gunicorn() | {
        "bind": f"fd://{listener.detach()}",
        "when_ready": lambda _arbiter: announce(app, settings, port),
    }

    class Server(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            for name, value in values.items():
                if name in self.cfg.settings:  # an older gunicorn has fewer
                    self.cfg.set(name, value)

        def load(self) -> Any:
            gc.freeze()  # what is loaded stays: shared by the workers, never walked by the collector
            return app

    Server().run()


def run_granian(app: ContainerApp, settings: ServerSettings) -> None:
    from nacre.serving.granian import run

    with bound_socket(settings) as probe:
        port = probe.getsockname()[1]
    run(app, settings, port, lambda: announce(app, settings, port))


RUNNERS = {"gunicorn": run_gunicorn, "granian": run_granian}
