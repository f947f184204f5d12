"""What examples of `clave.report` take as given: the profile of two models, the predictions of a benchmark run, and a page."""

from __future__ import annotations

from docstrings.given import benchmark, everywhere, profile

from clave.benchmark.predictions import PredictionTable
from clave.benchmark.tables import LeaderboardRow, leaderboard
from clave.profile.comparing import ModelDifference
from clave.profile.comparing import differences as differing
from clave.profile.study import Finding
from clave.profile.study import findings as found_in
from clave.report.evaluation import evaluation_page
from clave.report.page import Page


def table() -> PredictionTable:
    return benchmark.table()


def board() -> list[LeaderboardRow]:
    return leaderboard(benchmark.table())


def findings() -> list[Finding]:
    return found_in(profile.verdicts(), known=profile.known())


def differences() -> list[ModelDifference]:
    return differing(profile.profiles())


def names() -> dict[str, str]:
    return {"care": "Care"}


def page() -> Page:
    return evaluation_page(everywhere.verdicts(), responses=everywhere.responses(), title="Values")


FILES = benchmark.FILES
