"""The blazingtext container for gunicorn: `gunicorn -c serving/gunicorn.conf.py serving.blazingtext:app`.

The model is in /opt/ml/model, or where SM_MODEL_DIR or SAGEMAKER_BASE_DIR say.
"""

from __future__ import annotations

from nacre.serving.server import app_from_env

app = app_from_env("blazingtext")
