"""What a server of a container reads from its environment, and the same as gunicorn's settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nacre.errors import SetupError
from nacre.handlers.base import Setting, processors
from nacre.handlers.container import positive
from nacre.serving.stopping import stop_new_workers

if TYPE_CHECKING:
    from collections.abc import Mapping

PORT = Setting("SAGEMAKER_BIND_TO_PORT", "8080", "port to listen on; 0 takes a free one")
WORKERS = Setting("SAGEMAKER_MODEL_SERVER_WORKERS", None, "worker processes; default: one a CPU")
TIMEOUT = Setting(
    "SAGEMAKER_MODEL_SERVER_TIMEOUT",
    "60",
    "seconds a request may take to arrive, and after which a worker that hangs is replaced",
)
MODEL_DIR = Setting("SM_MODEL_DIR", None, "folder of the model; default: model/ in SAGEMAKER_BASE_DIR")
BASE_DIR = Setting("SAGEMAKER_BASE_DIR", "/opt/ml", "base of the container's folders")
HOST = Setting("NACRE_HOST", "127.0.0.1", "address to listen on; --host goes before it")
SERVER = Setting("NACRE_SERVER", "gunicorn", "gunicorn, or granian (the faster one); --server goes before it")
THREADS = Setting(
    "NACRE_THREADS",
    "4",
    "threads a worker: a long request must not hold up /ping; with 1, small requests cost less under granian",
)
SETTINGS = (PORT, WORKERS, THREADS, TIMEOUT, MODEL_DIR, BASE_DIR, HOST, SERVER)

GRACE = 25
"""Seconds a worker that was told to stop may take for the requests it has; SageMaker kills 30 s after SIGTERM."""
KEEPALIVE = 75
"""Seconds an idle connection stays: longer than any client of ours waits between two requests."""


def model_dir(env: Mapping[str, str]) -> Path:
    """`/opt/ml/model`, or where the environment puts it."""
    base = env.get(BASE_DIR.name) or BASE_DIR.default or ""
    return Path(env.get(MODEL_DIR.name) or Path(base, "model"))


class ServerSettings(NamedTuple):
    """Where and how wide a container listens."""

    host: str
    port: int
    workers: int
    threads: int = int(THREADS.default or 1)
    timeout: int = 60

    @classmethod
    def read(
        cls,
        env: Mapping[str, str],
        host: str | None = None,
        port: int | None = None,
        workers: int | None = None,
        threads: int | None = None,
    ) -> ServerSettings:
        """What was given goes before the environment, that before the defaults. Raises SetupError."""
        return cls(
            host=host or env.get(HOST.name) or HOST.default or "",
            port=port_number(env.get(PORT.name) or PORT.default or "") if port is None else port_number(str(port)),
            workers=workers or positive(WORKERS.name, env.get(WORKERS.name) or str(processors())),
            threads=threads or positive(THREADS.name, env.get(THREADS.name) or THREADS.default or ""),
            timeout=positive(TIMEOUT.name, env.get(TIMEOUT.name) or TIMEOUT.default or ""),
        )

    def gunicorn(self) -> dict[str, Any]:
        """gunicorn's settings: the app is loaded once, before the workers are forked."""
        return {
            "bind": f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}",
            "workers": self.workers,
            "worker_class": worker_class(),
            "threads": self.threads,
            "timeout": self.timeout,
            "graceful_timeout": GRACE,
            "keepalive": KEEPALIVE,
            "preload_app": True,
            "loglevel": "warning",
            "control_socket_disable": True,  # nothing listens that nobody asked for
            "on_starting": lambda _arbiter: stop_new_workers(),
            "post_worker_init": warm,
        }


def worker_class() -> str:
    """Ours, which gives no thread to a client that is slow to send; older gunicorns have not what it stands on."""
    from gunicorn.http.unreader import Unreader
    from gunicorn.workers import gthread

    known = hasattr(gthread, "_DEFER") and hasattr(Unreader, "take_buffered")
    return "nacre.serving.worker.Worker" if known else "gthread"


def warm(worker: Any) -> None:
    """gunicorn's hook in a worker that has loaded the app; a copy of our settings may put something in front of it."""
    getattr(worker.wsgi, "warm", lambda: None)()


def port_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 65536):
        raise SetupError("not a port", expected="a number from 0 to 65535", got=text, fix=f"See {PORT.name} and --port")
    return int(text)
