"""Evaluation: splits, metrics, baselines and one report over all four directions; see README.md beside this file."""

from mfrec.evaluation import metrics, splits
from mfrec.evaluation.evaluate import evaluate, measure
from mfrec.evaluation.ranking import Scorer
from mfrec.evaluation.report import Report, Row

__all__ = ["Report", "Row", "Scorer", "evaluate", "measure", "metrics", "splits"]
