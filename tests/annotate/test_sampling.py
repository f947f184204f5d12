"""What to label next and whether there is enough: picks spread, rare labels first, a curve that rises where there is something to learn."""

from collections import Counter

import numpy as np
import pytest

from clave.annotate.assign import Rules, next_task
from clave.annotate.background import AHEAD, Background
from clave.annotate.curve import Curve, drawings, expected_gain, label_curve
from clave.annotate.sampling import diverse, uncertain
from clave.annotate.store import Store
from clave.records import LABELS, LabelledResponse, Response
from clave.values import ValueSystem


def clouds(count: int, each: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = np.eye(16)[:count]
    points = np.repeat(centres, each, axis=0) + rng.normal(0, 0.05, (count * each, 16))
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def test_diverse_takes_one_of_every_cloud() -> None:
    chosen = diverse(clouds(8, 20), 8)
    assert sorted(row // 20 for row in chosen) == list(range(8))


def test_diverse_takes_all_of_a_few_and_no_row_twice() -> None:
    assert diverse(clouds(1, 3), 8) == [0, 1, 2]
    same = np.repeat(clouds(2, 1), 10, axis=0)
    chosen = diverse(same, 5)
    assert len(set(chosen)) == len(chosen) == 2


def test_uncertain_prefers_the_rare_label_then_the_least_certain() -> None:
    probabilities = np.array([[0.9, 0.05, 0.05], [0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.3, 0.4, 0.3], [0.1, 0.1, 0.8]])
    assert uncertain(probabilities, {"adhere": 5, "oppose": 0, "unrelated": 1}, 2) == [3, 2]
    assert uncertain(probabilities, {"adhere": 0, "oppose": 3, "unrelated": 3}, 3) == [1, 0, 3]
    assert sorted(uncertain(probabilities, {}, 10)) == [0, 1, 2, 3, 4]


def rows(count: int) -> list[LabelledResponse]:
    return [LabelledResponse(id=str(i), response=f"r{i}", value="care", label=LABELS[i % 3]) for i in range(count)]


def test_a_curve_rises_where_labels_can_be_learnt_and_not_where_they_cannot() -> None:
    labels = rows(60)
    rng = np.random.default_rng(1)
    learnable = np.eye(16)[[i % 3 for i in range(60)]] + rng.normal(0, 0.25, (60, 16))
    noise = rng.normal(0, 1, (60, 16))
    curve, flat = (label_curve(labels, x / np.linalg.norm(x, axis=1, keepdims=True)) for x in (learnable, noise))
    assert curve is not None
    assert flat is not None
    assert [p.n for p in curve.points] == [10, 20, 30, 40, 48]
    assert curve.points[-1].accuracy > 0.85
    assert flat.points[-1].accuracy < 0.6
    assert all(p.low <= p.accuracy <= p.high for p in curve.points)


def test_no_curve_from_too_few_labels_or_one_kind_or_one_scenario() -> None:
    assert label_curve(rows(19), clouds(1, 19)) is None
    alike = [r.model_copy(update={"label": "adhere"}) for r in rows(30)]
    assert label_curve(alike, clouds(1, 30)) is None
    twins = [r.model_copy(update={"scenario": "one"}) for r in rows(30)]
    assert label_curve(twins, clouds(1, 30)) is None


def test_the_expected_gain_is_that_of_the_fitted_law() -> None:
    """400 rows, each its own scenario, of which .9 - 1 / sqrt(n) are right with n labels."""
    sizes = [10, 20, 40, 80]
    right = np.array([[i < 400 * (0.9 - 1 / np.sqrt(n)) for n in sizes] for i in range(400)], dtype=float)
    groups = [str(i) for i in range(400)]
    found = expected_gain(right, sizes, groups)
    assert found.value == pytest.approx(1 / np.sqrt(80) - 1 / np.sqrt(90), abs=0.0005)
    assert found.low < found.value < found.high
    assert expected_gain(right[:, :1], sizes[:1], groups).value is None
    falling = expected_gain(right[:, ::-1], sizes, groups)
    assert (falling.value, falling.low) == (0.0, 0.0)


def test_the_interval_of_the_gain_holds_with_few_scenarios() -> None:
    """Of twenty scenarios some six change sides: as that of a mean, it held the gain in .90 of 600 draws."""
    rng, sizes, groups, held = np.random.default_rng(10), [10, 20, 30, 40, 48], [str(i // 3) for i in range(60)], 0
    true = 1 / np.sqrt(48) - 1 / np.sqrt(58)
    for _ in range(200):
        luck = np.where(rng.random(60) < 0.5, rng.random(20).repeat(3), rng.random(60))
        right = np.column_stack([luck < 0.9 - 1 / np.sqrt(n) for n in sizes]).astype(float)
        found = expected_gain(right, sizes, groups)
        assert found.high - found.low < 0.06
        held += found.low <= true <= found.high
    assert held / 200 > 0.95


def test_rows_of_one_scenario_count_once_in_the_curve() -> None:
    """Five rows of each scenario are alike: the interval is as wide as that of the scenarios."""
    rng = np.random.default_rng(2)
    alone = [LabelledResponse(id=str(i), response=f"r{i}", scenario=f"s{i}", value="care", label=LABELS[i % 3]) for i in range(200)]
    five = [r.model_copy(update={"scenario": f"s{i // 15}{i % 3}"}) for i, r in enumerate(alone)]
    centre = np.eye(16)[[i % 3 for i in range(200)]] * 0.8
    noise = rng.normal(0, 0.4, (200, 16))
    vectors = centre + noise[[(i // 15) * 15 + i % 3 for i in range(200)]]
    widths = [c.points[-1].high - c.points[-1].low for c in (label_curve(rows, vectors) for rows in (alone, five)) if c]
    assert widths[1] > 1.5 * widths[0]


@pytest.fixture
def many(tmp_path, system: ValueSystem):
    store = Store(str(tmp_path / "labels.db"), system)
    store.add_responses(Response(id=f"r{i}", response=f"{'abc'[i % 3]} text {i}") for i in range(120))
    yield store
    store.close()


def encode(texts) -> np.ndarray:
    found = np.zeros((len(texts), 16), np.float32)
    for row, text in enumerate(texts):
        found[row, "abc".index(text.strip()[0])] = 1
        found[row, 3 + sum(map(ord, text)) % 13] = 0.3
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_the_background_picks_diverse_items_then_uncertain_ones_and_draws_the_curve(many: Store) -> None:
    rules = Rules(overlap=0)
    background = Background(many, rules, lambda: encode)
    background.step("care")
    reasons = Counter[str]()
    for n in range(40):
        task = next_task(many, "ana", rules, "care")
        assert task is not None
        reasons[task.reason] += 1
        text = many.response(task.response).response
        many.save(annotator="ana", response=task.response, value="care", label=LABELS["abc".index(text[0])], key=f"key-{n}")
        background.step("care")
    assert reasons["diverse"] >= AHEAD
    assert reasons["uncertain"] >= 5
    assert reasons["random"] == 0
    curve = Curve.model_validate_json(many.setting("curve:care"))
    assert curve.labels == 40
    assert curve.points[-1].accuracy > 0.9
    shown = drawings(many)
    assert shown["ends"] == shown["of"]["care"]["n"] == curve.points[-1].n
    assert "fairness" not in shown["of"]


def test_a_broken_encoder_leaves_random_items_and_a_curve_that_says_why(many: Store) -> None:
    def broken(texts):
        raise RuntimeError("no weights")

    background = Background(many, Rules(), lambda: broken)
    with pytest.raises(RuntimeError, match="no weights"):
        background.choose("care")
    assert next_task(many, "ana", Rules(), "care").reason == "random"
    for n in range(20):
        many.save(annotator="ana", response=n + 1, value="care", label=LABELS[n % 3], key=f"key-{n}")
    background.redraw("care")
    assert drawings(many)["of"]["care"] == {"failed": "RuntimeError: no weights"}


def test_the_thread_stops_in_the_middle_of_its_work(many: Store) -> None:
    background = Background(many, Rules(), lambda: encode)
    background.start()
    background.labelled("care")
    background.stop()
    assert background._thread is not None
    assert not background._thread.is_alive()
