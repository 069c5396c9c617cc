"""Hyperparameters of SageMaker's XGBoost container: names, ranges and what the library gets of them.

The one table below is the whole truth: validation, the options of the training job and the docs are derived from it.
Names and ranges are those of the container's 3.0 line.
"""

from __future__ import annotations

import difflib
import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from nacre.errors import SetupError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Mapping

OBJECTIVES = (
    *("binary:logistic", "binary:logitraw", "binary:hinge", "count:poisson", "multi:softmax", "multi:softprob"),
    *("rank:pairwise", "rank:ndcg", "rank:map", "reg:linear", "reg:squarederror", "reg:logistic", "reg:gamma"),
    *(
        "reg:pseudohubererror",
        "reg:squaredlogerror",
        "reg:absoluteerror",
        "reg:tweedie",
        "survival:aft",
        "survival:cox",
    ),
)
METRICS = (
    *(
        "aft-nloglik",
        "auc",
        "aucpr",
        "cox-nloglik",
        "error",
        "gamma-deviance",
        "gamma-nloglik",
        "logloss",
        "mae",
        "map",
    ),
    *("interval-regression-accuracy", "mape", "merror", "mlogloss", "mphe", "ndcg", "poisson-nloglik", "rmse", "rmsle"),
    "tweedie-nloglik",
)
"""Metrics of the library. `error@t`, `ndcg@n` and `map@n` take a number too."""
WITH_NUMBER = ("error", "ndcg", "map")
UPDATERS = (
    *("grow_colmaker", "distcol", "grow_histmaker", "grow_skmaker", "grow_quantile_histmaker"),
    *("sync", "refresh", "prune", "shotgun", "coord_descent"),
)
TREE_METHODS = ("auto", "exact", "approx", "hist", "gpu_hist")


class Hyperparameter(NamedTuple):
    """One name. `kind` is int, float, str (one of `choices`), list (of choices, by commas) or json."""

    kind: str
    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    """Whether `low` itself is outside."""
    below: bool = False
    choices: tuple[str, ...] = ()
    use: str = "library"
    """library: passed on; ours: read here; ignored: accepted for SageMaker's sake, XGBoost 3 knows it no more;
    unsupported: refused, naming it."""

    def expected(self) -> str:
        if self.choices:
            return ("some of " if self.kind == "list" else "one of ") + ", ".join(self.choices)
        if self.kind == "json":
            return "a list, as JSON"
        noun = "a whole number" if self.kind == "int" else "a number"
        floor = "" if self.low == -math.inf else f" {'above' if self.above else 'from'} {self.low:g}"
        roof = "" if self.high == math.inf else f" {'below' if self.below else 'up to'} {self.high:g}"
        return noun + floor + roof

    def parse(self, value: Any) -> Any:
        """The value of its text. Raises ValueError outside the range."""
        if self.kind in ("int", "float"):
            number = int(str(value)) if self.kind == "int" else float(value)
            fits_low = number > self.low if self.above else number >= self.low
            if not (fits_low and (number < self.high if self.below else number <= self.high)):
                raise ValueError(value)
            return number
        if self.kind == "json":
            return json.loads(str(value).replace("(", "[").replace(")", "]")) if isinstance(value, str) else value
        parts = str(value).replace(" ", "").split(",") if self.kind == "list" else [str(value)]
        if not all(part in self.choices or self.with_number(part) for part in parts):
            raise ValueError(value)
        return parts if self.kind == "list" else parts[0]

    def with_number(self, metric: str) -> bool:
        name, at, number = metric.partition("@")
        if self.choices is not METRICS or not at or name not in WITH_NUMBER:
            return False
        return not math.isnan(float(number))


def whole(low: float, high: float = math.inf, use: str = "library") -> Hyperparameter:
    return Hyperparameter("int", low, high, use=use)


def number(
    low: float, high: float = math.inf, above: bool = False, below: bool = False, use: str = "library"
) -> Hyperparameter:
    return Hyperparameter("float", low, high, above, below, use=use)


def choice(*choices: str, use: str = "library") -> Hyperparameter:
    return Hyperparameter("str", choices=choices, use=use)


SHARE = number(0, 1, above=True)
TRUTH = ("true", "false")

HYPERPARAMETERS: dict[str, Hyperparameter] = {
    "num_round": whole(1, use="ours"),
    "csv_weights": whole(0, 1, use="ours"),
    "early_stopping_rounds": whole(1, use="ours"),
    "booster": choice("gbtree", "gblinear", "dart"),
    "verbosity": whole(0, 3),
    "nthread": whole(1),
    "eta": number(0, 1),
    "gamma": number(0),
    "max_depth": whole(0),
    "min_child_weight": number(0),
    "max_delta_step": number(0),
    "subsample": SHARE,
    "colsample_bytree": SHARE,
    "colsample_bylevel": SHARE,
    "colsample_bynode": SHARE,
    "lambda": number(0),
    "alpha": number(0),
    "tree_method": choice(*TREE_METHODS),
    "sketch_eps": number(0, 1, above=True, below=True, use="ignored"),
    "scale_pos_weight": number(0, above=True),
    "updater": Hyperparameter("list", choices=UPDATERS),
    "dsplit": choice("row", "col", use="ignored"),
    "refresh_leaf": whole(0, 1),
    "process_type": choice("default", "update"),
    "grow_policy": choice("depthwise", "lossguide"),
    "max_leaves": whole(0),
    "max_bin": whole(0),
    "predictor": choice("auto", "cpu_predictor", "gpu_predictor", use="ignored"),
    "monotone_constraints": Hyperparameter("json"),
    "interaction_constraints": Hyperparameter("json"),
    "sample_type": choice("uniform", "weighted"),
    "normalize_type": choice("tree", "forest"),
    "rate_drop": number(0, 1),
    "one_drop": whole(0, 1),
    "skip_drop": number(0, 1),
    "lambda_bias": number(0, 1, use="ignored"),
    "tweedie_variance_power": number(1, 2, above=True, below=True),
    "objective": choice(*OBJECTIVES),
    "num_class": whole(2),
    "base_score": number(0),
    "_kfold": whole(2, use="unsupported"),
    "_num_cv_round": whole(1, use="unsupported"),
    "_tuning_objective_metric": choice(*METRICS, use="ours"),
    "eval_metric": Hyperparameter("list", choices=METRICS),
    "seed": number(-(2**31), 2**31 - 1)._replace(kind="int", above=True, below=True),
    "num_parallel_tree": whole(1),
    "save_model_on_termination": choice(*TRUTH, use="ignored"),
    "aft_loss_distribution": choice("normal", "logistic", "extreme"),
    "aft_loss_distribution_scale": number(0),
    "deterministic_histogram": choice(*TRUTH, use="ignored"),
    "sampling_method": choice("uniform", "gradient_based"),
    "prob_buffer_row": number(1, above=True, use="ignored"),
    "use_dask_gpu_training": choice(*TRUTH, use="ignored"),
}
ALIASES = {"learning_rate": "eta", "min_split_loss": "gamma", "reg_lambda": "lambda", "reg_alpha": "alpha"}
TRANSLATED = {("objective", "reg:linear"): "reg:squarederror", ("tree_method", "gpu_hist"): "hist"}
"""Values the container takes and XGBoost 3 spells otherwise."""

ABALONE: dict[str, Any] = {
    "objective": "reg:squarederror",
    "eta": 0.2,
    "gamma": 4,
    "max_depth": 5,
    "min_child_weight": 6,
    "subsample": 0.7,
    "num_round": 100,
    "seed": 0,
}
"""Those of AWS's Abalone sample, with ten times its rounds."""


def validated(given: Mapping[str, Any]) -> dict[str, Any]:
    """Names and values checked as SageMaker's container checks them. Raises SetupError or UnsupportedError."""
    found: dict[str, Any] = {}
    for spelled, value in given.items():
        name = ALIASES.get(spelled, spelled)
        if name not in HYPERPARAMETERS:
            close = difflib.get_close_matches(name, [*HYPERPARAMETERS, *ALIASES], 1)
            fix = f"Did you mean {close[0]}?" if close else None
            raise SetupError(f"Extraneous hyperparameter found: {spelled}", fix=fix)
        known = HYPERPARAMETERS[name]
        if known.use == "unsupported":
            raise UnsupportedError(f"hyperparameter {spelled} is not supported", got=value)
        try:
            parsed = known.parse(value)
        except (ValueError, TypeError):
            raise SetupError(
                f"Hyperparameter {spelled} is out of range", expected=known.expected(), got=value
            ) from None
        found[name] = TRANSLATED.get((name, parsed), parsed) if isinstance(parsed, str) else parsed
    check_together(found)
    return found


def check_together(found: Mapping[str, Any]) -> None:
    """What one value asks of another."""
    if "num_round" not in found:
        raise SetupError("Missing required hyperparameter: num_round")
    objective = found.get("objective", "reg:squarederror")
    if objective.startswith("multi:") and "num_class" not in found:
        raise SetupError("Require input for parameter 'num_class' for multi-classification", expected="num_class")
    metrics = found.get("eval_metric", [])
    if "auc" in metrics and not objective.startswith(("binary:", "rank:")):
        raise SetupError("Metric 'auc' can only be applied for classification and ranking problems.", got=objective)
    if "aft-nloglik" in metrics and objective != "survival:aft":
        message = "Metric 'aft-nloglik' can only be applied for 'survival:aft' objective."
        raise SetupError(message, got=objective)


def library_parameters(found: Mapping[str, Any]) -> dict[str, Any]:
    """What `xgboost.train` gets of validated hyperparameters."""
    passed = {name: value for name, value in found.items() if HYPERPARAMETERS[name].use == "library"}
    if "updater" in passed:
        passed["updater"] = ",".join(passed["updater"])
    tuning = found.get("_tuning_objective_metric")
    if tuning:  # last, because early stopping looks at the last
        passed["eval_metric"] = [metric for metric in passed.get("eval_metric", []) if metric != tuning] + [tuning]
    return passed
