"""gunicorn's settings for a container; copy and edit. Port, workers and address come from the environment as for
`nacre serve`: SAGEMAKER_BIND_TO_PORT, SAGEMAKER_MODEL_SERVER_WORKERS, NACRE_HOST (loopback unless it says otherwise).
"""

from __future__ import annotations

import os

from nacre.serving.settings import ServerSettings

globals().update(ServerSettings.read(os.environ).gunicorn())
