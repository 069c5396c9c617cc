"""Granian as the server of a container: workers forked from the process that has loaded the model, and kept alive."""

from __future__ import annotations

import gc
from collections.abc import Callable
from multiprocessing import set_start_method
from typing import TYPE_CHECKING, Any

from nacre.errors import SetupError
from nacre.serving.settings import GRACE, ServerSettings
from nacre.serving.stopping import stop_new_workers, wake_for_signals

if TYPE_CHECKING:
    from nacre.serving.app import ContainerApp

LOOK = 0.5
"""Seconds between two looks at the workers; the death of one is noticed at once all the same."""


def run(app: ContainerApp, settings: ServerSettings, port: int, ready: Callable[[], None]) -> None:
    """Serve until stopped; `ready` is called just before the workers start. Raises SetupError without Granian."""
    try:
        from granian import Granian
    except ModuleNotFoundError:
        raise SetupError("the package granian is not installed", fix="pip install 'nacre[fast]'") from None

    class Server(Granian):  # type: ignore[misc]
        def _serve_loop(self, spawn_target: Any, target_loader: Any) -> None:
            """Granian's own loop gives up when a worker dies twice within five seconds, and can miss one of two that
            die at the same moment."""
            while not self.interrupt_signal:
                self.main_loop_interrupt.wait(LOOK)
                self.main_loop_interrupt.clear()
                if self.reload_signal:
                    self._reload(spawn_target, target_loader)
                if not self.interrupt_signal:
                    self.interrupt_children.clear()
                    dead = [worker.idx for worker in self.wrks if not worker.is_alive()]
                    self._respawn_workers(dead, spawn_target, target_loader)

    set_start_method("fork", force=True)  # the loaded model is inherited, not loaded again
    gc.freeze()
    stop_new_workers()
    server = Server(
        "nacre",
        address=settings.host,
        port=port,
        interface="wsgi",
        workers=settings.workers,
        blocking_threads=settings.threads,
        log_level="warning",
        websockets=False,
        respawn_failed_workers=True,
        workers_kill_timeout=GRACE,
    )
    server.on_startup(ready)
    server.serve(target_loader=lambda *_: warmed(app))


def warmed(app: ContainerApp) -> ContainerApp:
    """The app, in the worker process that is about to serve it."""
    wake_for_signals()
    app.warm()
    return app
