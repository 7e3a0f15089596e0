"""Evaluation: splits, metrics, baselines and one report over all four directions; see README.md beside this file."""

from mfrec.evaluation import metrics, splits
from mfrec.evaluation.coldstart import ColdReport, evaluate_cold
from mfrec.evaluation.evaluate import evaluate, measure
from mfrec.evaluation.ranking import Scorer
from mfrec.evaluation.report import Report, Row

__all__ = ["ColdReport", "Report", "Row", "Scorer", "evaluate", "evaluate_cold", "measure", "metrics", "splits"]
