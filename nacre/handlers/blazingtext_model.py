"""A fastText model in a container's folder: found, audited, loaded, asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nacre.errors import ModelError, SetupError
from nacre.handlers.blazingtext_audit import Audited, audit

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("model.bin", "vectors.bin")
"""What BlazingText calls its files; else the only one with one of these endings."""
SUFFIXES = (".bin", ".ftz")


def model_file(folder: Path) -> Path:
    """Raises ModelError if there is none, or more than one."""
    for name in NAMES:
        if (folder / name).is_file():
            return folder / name
    found = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES and path.is_file())
    if len(found) == 1:
        return found[0]
    got = ", ".join(path.name for path in found) or "no such file"
    raise ModelError("no model to serve", expected="model.bin, vectors.bin or one other .bin or .ftz", got=got)


class FastText:
    """A loaded model: what the audit said of it, and fastText's own object."""

    def __init__(self, about: Audited, native: Any):
        self.about = about
        self.supervised = about.kind == "supervised"
        self._native = native

    @classmethod
    def load(cls, folder: Path) -> FastText:
        """Raises ModelError, or SetupError without the package."""
        path = model_file(folder)
        about = audit(path)
        try:
            import fasttext
        except ModuleNotFoundError:
            fix = "pip install 'nacre[blazingtext]'"
            raise SetupError("the package fasttext-numpy2 is not installed", fix=fix) from None
        try:
            return cls(about, fasttext.load_model(str(path)))
        except (ValueError, RuntimeError, MemoryError) as error:
            raise ModelError("fastText cannot load the model", got=str(error), file=path.name) from None

    def labels(self, text: str, k: int) -> tuple[list[str], list[float]]:
        """The `k` likeliest labels of a sentence, or all if they are fewer, and fastText's float32 probabilities as
        doubles (it adds 1e-5, so that one may be above 1)."""
        found = self._native.f.predict(f"{text}\n", min(k, self.about.labels), 0.0, "strict")
        return [label for _, label in found], [probability for probability, _ in found]

    def vector(self, word: str) -> list[float]:
        """Of a word that is not in the model: made of its character n-grams, or zeros if there are none."""
        numbers: list[float] = self._native.get_word_vector(word).tolist()
        return numbers
