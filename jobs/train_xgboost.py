"""Train XGBoost on what fit_features.py wrote; write model.tar.gz for the xgboost container.

    spark-submit jobs/train_xgboost.py --train out/train/parquet --validation out/validation/parquet --output out/rings

The library runs in the driver and reads through Arrow, so `python jobs/train_xgboost.py …` does the same without Spark.
Hyperparameters are options (`--num-round 100 --eta 0.2`); `--help` lists them.
"""

from __future__ import annotations

import sys

from nacre.errors import NacreError
from nacre.train.xgboost import main

if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except NacreError as error:
        print(f"nacre: {error}", file=sys.stderr)
        sys.exit(1)
