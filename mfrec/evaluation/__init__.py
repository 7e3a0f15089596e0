"""Evaluation: splits, metrics, baselines and one report over all four directions; see README.md beside this file."""

from mfrec.evaluation import metrics, splits
from mfrec.evaluation.cold import ColdReport, evaluate_cold
from mfrec.evaluation.ranking import Scorer
from mfrec.evaluation.report import Report, Row
from mfrec.evaluation.run import evaluate, measure

__all__ = ["ColdReport", "Report", "Row", "Scorer", "evaluate", "evaluate_cold", "measure", "metrics", "splits"]
