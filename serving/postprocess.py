"""The postprocess container for gunicorn: `gunicorn -c serving/gunicorn.conf.py serving.postprocess:app`.

`postprocess.yaml` and its tables are in /opt/ml/model, or where SM_MODEL_DIR or SAGEMAKER_BASE_DIR say.
"""

from __future__ import annotations

from nacre.serving.server import app_from_env

app = app_from_env("postprocess")
