"""Hyperparameters of SageMaker's XGBoost container: names, ranges and what the library gets of them.

The one table below is the whole truth: validation, the options of the training job and the docs are derived from it.
Names and ranges are those of the container's 3.0 line.
"""

from __future__ import annotations

import difflib
import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from nacre.errors import SetupError
from nacre.train.metrics import ADDED

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
LIBRARY_METRICS = (
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
METRICS = (*LIBRARY_METRICS, *ADDED)
"""With those that the container adds."""
TUNED = tuple(f"{prefix}{metric}" for prefix in ("validation:", "train:", "") for metric in METRICS)
"""As tuning jobs name their objective, or bare."""
WITH_NUMBER = ("error", "ndcg", "map")
UPDATERS = (
    *("grow_colmaker", "distcol", "grow_histmaker", "grow_local_histmaker", "grow_skmaker", "grow_quantile_histmaker"),
    *("sync", "refresh", "prune", "shotgun", "coord_descent"),
)
LINEAR_UPDATERS = ("shotgun", "coord_descent")
CONSTRAINED = {"monotone_constraints": ("exact", "hist"), "interaction_constraints": ("exact", "hist", "approx")}
"""Hyperparameter -> tree methods that have it; the container wants them named."""
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
    """library: passed on; ours: read here; ignored: accepted for SageMaker's sake, XGBoost 3 knows it no more."""

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
    "_kfold": whole(2, use="ours"),
    "_num_cv_round": whole(1, use="ours"),
    "_tuning_objective_metric": choice(*TUNED, use="ours"),
    "eval_metric": Hyperparameter("list", choices=METRICS, use="ours"),
    "seed": number(-(2**31), 2**31 - 1)._replace(kind="int", above=True, below=True),
    "num_parallel_tree": whole(1),
    "save_model_on_termination": choice(*TRUTH, use="ours"),
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
    """Names and values checked as SageMaker's container checks them. Raises SetupError."""
    found: dict[str, Any] = {}
    for spelled, value in given.items():
        name = ALIASES.get(spelled, spelled)
        if name not in HYPERPARAMETERS:
            close = difflib.get_close_matches(name, [*HYPERPARAMETERS, *ALIASES], 1)
            fix = f"Did you mean {close[0]}?" if close else None
            raise SetupError(f"Extraneous hyperparameter found: {spelled}", fix=fix)
        known = HYPERPARAMETERS[name]
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
    metrics = [*found.get("eval_metric", []), *tuning_metrics(found)]
    if "auc" in metrics and not objective.startswith(("binary:", "rank:")):
        raise SetupError("Metric 'auc' can only be applied for classification and ranking problems.", got=objective)
    if "aft-nloglik" in metrics and objective != "survival:aft":
        message = "Metric 'aft-nloglik' can only be applied for 'survival:aft' objective."
        raise SetupError(message, got=objective)
    method = found.get("tree_method")
    for name, methods in CONSTRAINED.items():
        if name in found and method not in methods:
            words = " or ".join([", ".join(f"'{each}'" for each in methods[:-1]), f"'{methods[-1]}'"])
            message = f"{name} can be used only when the tree_method parameter is set to either {words}"
            raise SetupError(message, expected="tree_method", got=method or "none")
    check_updaters(found)


def check_updaters(found: Mapping[str, Any]) -> None:
    """Which updaters a booster takes, in the container's words."""
    updaters = found.get("updater")
    if not updaters:
        return
    got = ", ".join(updaters)
    if found.get("booster") == "gblinear":
        if len(updaters) != 1 or updaters[0] not in LINEAR_UPDATERS:
            options = ", ".join(f"'{each}'" for each in LINEAR_UPDATERS)
            raise SetupError(f"Linear updater should be one of these options: {options}", got=got)
    elif found.get("process_type") == "update":
        if not set(updaters) <= {"refresh", "prune"}:
            raise SetupError("process_type 'update' can only be used with updater 'refresh' and 'prune'", got=got)
    elif set(updaters) & set(LINEAR_UPDATERS):
        raise SetupError("a tree booster with a linear updater", expected="an updater of trees", got=got)
    elif len([each for each in updaters if each.startswith("grow") or each == "distcol"]) > 1:
        raise SetupError("Only one tree grow plugin can be selected", expected="one that grows trees", got=got)


def library_parameters(found: Mapping[str, Any]) -> dict[str, Any]:
    """What `xgboost.train` gets of validated hyperparameters."""
    passed = {name: value for name, value in found.items() if HYPERPARAMETERS[name].use == "library"}
    if "updater" in passed:
        passed["updater"] = ",".join(passed["updater"])
    if native := metrics_of(found)[0]:
        passed["eval_metric"] = native
    return passed


def tuning_metrics(found: Mapping[str, Any]) -> list[str]:
    told = found.get("_tuning_objective_metric")
    return [] if told is None else str(told).rpartition(":")[2].split(",")


def metrics_of(found: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Metrics that the library measures, and those that are ours; the container sorts them where a tuning job adds
    its own."""
    given, tuning = list(found.get("eval_metric", [])), tuning_metrics(found)
    wanted = sorted({*given, *tuning}) if given and tuning else given or tuning
    return [each for each in wanted if each not in ADDED], [each for each in wanted if each in ADDED]


def watched_metric(found: Mapping[str, Any]) -> str | None:
    """What early stopping looks at: the tuning job's metric, else the last one asked for; None: the library's last."""
    asked = tuning_metrics(found) or list(found.get("eval_metric", []))
    return asked[-1] if asked else None
