"""Fit a feature pipeline on Spark; write the bundle and the trainer's data.

    spark-submit jobs/fit_features.py --input abalone.csv --output out

reads CSV or Parquet (a file, a folder, or s3a://…) with the schema of the spec and writes

    out/features.zip            the bundle
    out/features/model.tar.gz   the same bundle as SageMaker's containers load it
    out/train, out/validation   the transformed rows, as Parquet and as CSV (label first, no header)
"""

from __future__ import annotations

import argparse
import sys

from pyspark.sql import SparkSession

from nacre.errors import NacreError
from nacre.share import folder
from nacre.spark.fit import Spec, run


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", required=True, help="CSV or Parquet: a file, a folder, or s3a://…")
    parser.add_argument("--output", required=True, help="folder for everything written")
    parser.add_argument("--spec", default=str(folder("conf") / "features" / "abalone.py"), help="what is fitted")
    parser.add_argument("--header", action="store_true", help="the CSV files begin with a header line")
    parser.add_argument("--format", choices=("auto", "csv", "parquet"), default="auto", help="default: by name")
    parser.add_argument("--split", type=float, default=0.8, help="share of the rows for training (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the split (default %(default)s)")
    parser.add_argument("--staging", help="shared folder for the saved model, when the master is not local")
    parser.add_argument("--reference", action="store_true", help="also write all transformed rows, for comparison")
    args = parser.parse_args()
    spark = SparkSession.builder.appName("nacre-fit-features").getOrCreate()
    try:
        written = run(
            spark, Spec.read(args.spec), args.input, args.output, header=args.header, form=args.format,
            split=args.split, seed=args.seed, staging=args.staging, reference=args.reference,
        )  # fmt: skip
    except NacreError as error:
        print(f"nacre: {error}", file=sys.stderr)
        return 1
    finally:
        spark.stop()
    for name, path in written.items():
        print(f"{name:<10} {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
