"""The image folders `containers/<kind>/`, as docs/build.py writes them: Dockerfile, `serve` and `train` of every kind.

They differ in their kind's name, the extras it needs and whether it trains, which all stand in KINDS; so a new kind
has its folder after `make docs`.
"""

from __future__ import annotations

from pathlib import Path

NOTE = "Written by docs/build.py (`make docs`) from KINDS in nacre/handlers/__init__.py; edit docs/dockerfiles.py"

DOCKERFILE = """\
# {help}
#
#   python -m build --wheel && docker build -f containers/{kind}/Dockerfile -t nacre/{kind} .
#
# {note}
ARG PYTHON_IMAGE=python:3.11-slim

FROM ${{PYTHON_IMAGE}} AS build
# What the image holds. `aws` would add boto3 (33 MB), which only `nacre serve --model s3://...` asks for
ARG EXTRAS={extras}
# dist/ may hold the wheels of all that is needed; EXTRA_PIP="--no-index --find-links /wheels" then asks no network
ARG EXTRA_PIP=""
COPY dist/ constraints.txt /wheels/
RUN python3 -m venv /opt/nacre \\
    && /opt/nacre/bin/pip install --no-cache-dir --constraint /wheels/constraints.txt ${{EXTRA_PIP}} \\
        "$(ls /wheels/nacre-*.whl)[${{EXTRAS}}]"
{slim}
FROM ${{PYTHON_IMAGE}}

# In a pipeline the platform chooses each container's port: this says that SAGEMAKER_BIND_TO_PORT is honoured
LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true

RUN useradd --uid 10001 --create-home --home-dir /home/nacre nacre \\
    && mkdir -p /opt/ml/model /opt/ml/output && chown -R nacre /opt/ml
COPY --from=build /opt/nacre /opt/nacre
COPY --chmod=755 containers/{kind}/serve containers/{kind}/train /usr/local/bin/

USER 10001
WORKDIR /home/nacre
ENV PATH=/opt/nacre/bin:/usr/local/bin:/usr/bin:/bin \\
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 OMP_WAIT_POLICY=PASSIVE{env}
EXPOSE 8080

# Exec form, and `env` replaces itself by the command: `serve` or `train` runs as process 1 and gets the signals
ENTRYPOINT ["/usr/bin/env"]
CMD ["serve"]
"""

SLIM = """\
# Nothing here installs packages, runs tests, compiles against Arrow or speaks its Flight and S3; the last line sees
# that the rest is whole
RUN cd /opt/nacre/lib/python3*/site-packages \\
    && find . -type d -name tests -prune -exec rm -r {} + \\
    && rm -rf pyarrow/include pyarrow/*flight* pyarrow/*s3* \\
    && /opt/nacre/bin/pip uninstall --quiet --yes setuptools pip \\
    && /opt/nacre/bin/python3 -c "import flask, nacre, numpy, pyarrow.csv, pyarrow.dataset, pyarrow.fs, pyarrow.parquet"
"""
"""For kinds that run no code but ours: 90 MB. A user's own code may import anything."""

TESTS = """\
RUN find /opt/nacre/lib -type d -name tests -prune -exec rm -r {} +
"""

SERVE = """\
#!/bin/sh
# What SageMaker runs in the {kind} image: `serve`. The model is in /opt/ml/model, the port in SAGEMAKER_BIND_TO_PORT.
# exec, so that the server itself gets SIGTERM.
exec python -m nacre serve {kind} --host 0.0.0.0 "$@"
"""

TRAIN = """\
#!/bin/sh
# What SageMaker runs in the {kind} image to train: channels, hyperparameters and output are under /opt/ml.
exec python -m nacre train {kind} "$@"
"""

NO_TRAINING = """\
#!/bin/sh
# SageMaker would run this to train.
echo "nacre: the {kind} container does not train: {instead}" >&2
exit 1
"""


def folders() -> dict[Path, tuple[str, int]]:
    """Path below the checkout -> (text, mode) of every file of every image folder."""
    from nacre.handlers import KINDS

    return {
        Path("containers", kind, name): (text, 0o755 if text.startswith("#!") else 0o644)
        for kind in KINDS
        for name, text in files(kind).items()
    }


def files(kind: str) -> dict[str, str]:
    from nacre.handlers import KINDS, handler_class

    known = KINDS[kind]
    extras = ",".join(("serving", "fast", *known.extras))
    alone = handler_class(kind).alone
    slim = TESTS if alone else SLIM
    env = " PIP_NO_CACHE_DIR=1" if alone else ""
    if known.trainer:
        train = TRAIN.format(kind=kind)
    else:
        train = NO_TRAINING.format(kind=kind, instead=known.training or "it serves a model that is ready")
    return {
        "Dockerfile": DOCKERFILE.format(kind=kind, help=known.help, note=NOTE, extras=extras, slim=slim, env=env),
        "serve": SERVE.format(kind=kind),
        "train": train,
    }
