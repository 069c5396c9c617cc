"""The tensorflow container for gunicorn: `gunicorn -c serving/gunicorn.conf.py serving.tensorflow:app`.

Model and script are in /opt/ml/model, or where SM_MODEL_DIR, SAGEMAKER_BASE_DIR and SAGEMAKER_SUBMIT_DIRECTORY say.
"""

from __future__ import annotations

from nacre.serving.server import app_from_env

app = app_from_env("tensorflow")
