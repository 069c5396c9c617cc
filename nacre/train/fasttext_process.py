"""Runs fastText in a process of its own: a JSON object on stdin says what to train, one on stdout what came of it.

`nacre.train.blazingtext` starts this file as a program, so it imports nothing of nacre. Its own process, because
fastText 0.10 trains on memory it does not clear: only where the allocator clears it (MALLOC_PERTURB_=255 in glibc)
does the same seed give the same model, or any model at all; and because a fault in C++ ends the process.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any


def train(fasttext: Any, task: dict[str, Any]) -> Any:
    """The model. Its unsupervised training takes a seed from its table of defaults only."""
    arguments = dict(task["arguments"])
    if "model" not in arguments:
        return fasttext.train_supervised(task["input"], **arguments, verbose=0)
    fasttext.FastText.unsupervised_default["seed"] = arguments.pop("seed")
    return fasttext.train_unsupervised(task["input"], **arguments, verbose=0)


def main() -> None:
    import fasttext

    task = json.load(sys.stdin)
    start = time.monotonic()
    try:
        model = train(fasttext, task)
    except (RuntimeError, ValueError) as error:  # fastText's own words
        print(json.dumps({"error": str(error)}))
        return
    words = len(model.get_words(on_unicode_error="replace"))
    if not words:  # fastText itself is content with labels
        print(json.dumps({"error": "Empty vocabulary."}))
        return
    seconds = time.monotonic() - start
    model.save_model(task["output"])
    if task.get("vectors"):
        write_vectors(model, task["vectors"])
    tested = {name: model.test(path) for name, path in task.get("test", {}).items()}
    accuracy = {name: [examples, precision] for name, (examples, precision, _) in tested.items()}
    print(
        json.dumps(
            {"seconds": seconds, "accuracy": accuracy, "words": len(model.get_words(on_unicode_error="replace"))}
        )
    )


def write_vectors(model: Any, path: str) -> None:
    """word2vec's text format: how many words of how many numbers, then a word a line."""
    words = model.get_words(on_unicode_error="replace")
    with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123 - the path is a str
        file.write(f"{len(words)} {model.get_dimension()}\n")
        for word in words:
            file.write(" ".join([word, *map(str, model.get_word_vector(word))]) + "\n")  # float32: short and exact


if __name__ == "__main__":
    main()
