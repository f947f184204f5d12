"""The store and the assignment of items, the same on SQLite and on PostgreSQL."""

import os
import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clave.annotate.assign import HELD, Rules, add_picks, apply_overlap, next_task, second_labels, waiting
from clave.annotate.engine import without_password
from clave.annotate.gold import add_gold
from clave.annotate.store import Store
from clave.errors import InputError
from clave.records import LabelledResponse, Response
from clave.values import ValueSystem


def label(store: Store, who: str, rules: Rules, count: int, choice: str = "adhere", value: str | None = None) -> list[tuple[int, str]]:
    done = []
    for n in range(count):
        task = next_task(store, who, rules, value)
        assert task is not None
        store.save(annotator=who, response=task.response, value=task.value, label=choice, key=f"{who}-{task.response}-{task.value}-{n}")  # type: ignore[arg-type]
        done.append((task.response, task.value))
    return done


def test_responses_are_added_once_and_another_text_is_refused(store: Store, responses: list[Response]) -> None:
    assert store.add_responses(responses) == 0
    assert store.count() == 30
    with pytest.raises(InputError, match="'r1' stands in the store with another text"):
        store.add_responses([Response(id="r1", response="other")])
    with pytest.raises(InputError, match="names value 'honesty'"):
        store.add_responses([Response(id="x", response="other", value="honesty")])


def test_any_text_comes_back_exactly(store: Store) -> None:
    texts = ["nul \0", "half \ud83d", "bidi \u202e", "line\r\nend", "🙂" * 1000, "x" * 1_000_000]
    store.add_responses([Response(id=f"odd {t[:4]}", response=t, scenario=t[:5], metadata={"t": t[:4]}) for t in texts])
    for text in texts:
        pk = store.find(f"odd {text[:4]}", "care")
        assert pk is not None
        row = store.response(pk)
        assert row is not None
        assert (row.response, row.scenario) == (text, text[:5])


def test_a_message_sent_twice_is_one_label_and_a_change_of_mind_replaces(store: Store) -> None:
    sent = {"annotator": "ana", "response": 1, "value": "care"}
    assert store.save(**sent, label="adhere", key="k1")  # type: ignore[arg-type]
    assert not store.save(**sent, label="adhere", key="k1")  # type: ignore[arg-type]
    assert store.save(**sent, label="oppose", key="k2", note="second thought", seconds=3.0)  # type: ignore[arg-type]
    (now,) = store.judgements()
    assert (now.label, now.note, now.seconds) == ("oppose", "second thought", 3.0)


def taken_back(store: Store, key: str) -> tuple[int, str] | None:
    taken = store.undo("ana", key)
    return None if taken is None else (taken.response, taken.value)


def test_undo_takes_back_the_last_label_and_shows_its_item_again(store: Store) -> None:
    rules = Rules()
    first, second = label(store, "ana", rules, 2)
    assert taken_back(store, "u1") == second
    assert taken_back(store, "u1") is None
    assert [j.id for j in store.judgements()] == [store.response(first[0]).id]  # type: ignore[union-attr]
    task = next_task(store, "ana", rules)
    assert task is not None
    assert (task.response, task.value) == second
    assert taken_back(store, "u2") == first
    assert taken_back(store, "u3") is None


def test_an_open_item_comes_back_after_a_crash_and_is_kept_from_others(store: Store) -> None:
    rules = Rules(overlap=0)
    mine = next_task(store, "ana", rules, now=0)
    assert next_task(store, "ana", rules, now=1) == mine
    assert next_task(store, "ben", rules, now=2) != mine
    assert next_task(store, "cho", rules, now=2 + HELD) == mine


def test_the_overlap_share_is_labelled_by_two(store: Store) -> None:
    rules = Rules(overlap=0.2, target=10)
    label(store, "ana", rules, 20)
    assert next_task(store, "ana", rules) is None
    ben = label(store, "ben", rules, 4)
    assert next_task(store, "ben", rules) is None
    assert [len(store.judgements(response=pk, value=value)) for pk, value in ben] == [2] * 4
    assert second_labels(store) == {"care": (2, 2), "fairness": (2, 2)}


@pytest.mark.parametrize("target", [5, 100])
def test_with_an_overlap_of_all_two_annotators_label_every_item(store: Store, target: int) -> None:
    rules = Rules(overlap=1, target=target)
    wanted = 2 * min(target, 30)
    done = {who: set(label(store, who, rules, wanted)) for who in ("ana", "ben")}
    assert done["ana"] == done["ben"]
    assert len(done["ben"]) == wanted
    assert next_task(store, "ana", rules) is next_task(store, "ben", rules) is next_task(store, "cho", rules) is None


def test_another_overlap_holds_for_items_chosen_before(store: Store) -> None:
    alone = Rules(overlap=0, target=5)
    done = label(store, "ana", alone, 10)
    assert next_task(store, "ben", alone) is None
    apply_overlap(store, Rules(overlap=1, target=5))
    assert set(label(store, "ben", Rules(overlap=1, target=5), 10)) == set(done)


def test_order_and_undo_do_not_depend_on_the_clock(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = Rules(overlap=1)
    clock = iter(range(2_000_000_000, 0, -1000))
    monkeypatch.setattr("time.time", lambda: float(next(clock)))
    done = label(store, "ana", rules, 5)
    assert [(store.find(j.id, j.value), j.value) for j in store.judgements()] == done
    next_task(store, "ana", rules)
    for n, item in enumerate(reversed(done)):
        assert taken_back(store, f"undo-{n}") == item
        task = next_task(store, "ana", rules)
        assert task is not None
        assert (task.response, task.value) == item
        store.save(annotator="ana", response=task.response, value=task.value, label="oppose", key=f"again-{n}")
        assert taken_back(store, f"again-undo-{n}") == item


def test_an_item_held_by_a_clock_that_was_put_back_is_free(store: Store) -> None:
    mine = next_task(store, "ana", Rules(overlap=0), now=1_000_000)
    assert next_task(store, "ben", Rules(overlap=0), now=1000) == mine


def test_a_store_of_an_earlier_version_gains_what_it_lacks(tmp_path: Path, system: ValueSystem, responses: list[Response]) -> None:
    path = tmp_path / "old.db"
    store = Store(str(path), system)
    store.add_responses(responses)
    label(store, "ana", Rules(), 2)
    store.close()
    with sqlite3.connect(path) as connection:
        for table in ("labels", "history"):
            (made,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()
            names = "pk, annotator, response, value, label, note, evidence_json, seconds, at" + ", key" * (table == "history")
            connection.execute(f"ALTER TABLE {table} RENAME TO new")
            kept = "".join(line for line in made.splitlines() if "imported_by" not in line)
            connection.execute(re.sub(r",\s*\)$", ")", kept))
            connection.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM new")
            connection.execute("DROP TABLE new")
    path.chmod(0o644)
    again = Store(str(path), system)
    assert len(again.judgements()) == 2
    assert again.undo("ana", "undo-key") is not None
    assert path.stat().st_mode & 0o777 == 0o600
    again.close()


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000])
def test_the_store_is_its_owners_alone(umask: int, tmp_path: Path, system: ValueSystem) -> None:
    before = os.umask(umask)
    try:
        store = Store(str(tmp_path / "labels.db"), system)
        store.set("x", "y")
        assert {p.name: p.stat().st_mode & 0o777 for p in tmp_path.iterdir()} == dict.fromkeys(
            ("labels.db", "labels.db-wal", "labels.db-shm"), 384
        )
        store.close()
    finally:
        os.umask(before)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://ana:s3cret@127.0.0.1:1/db",
        "postgresql+psycopg://ana:s3cret@127.0.0.1:1/db",
        "postgres://ana:s3cret@127.0.0.1:1/db",
        "nonsense://ana:s3cret@host/db",
        "postgresql://ana:s3cret@host:port/db",
        "postgresql://ana:p@s3cret:x@127.0.0.1:1/db",
        "postgresql://127.0.0.1:1/db?user=ana&password=s3cret",
        "://:s3cret@x",
    ],
)
def test_a_password_in_the_stores_address_is_never_printed(address: str, system: ValueSystem) -> None:
    with pytest.raises(InputError) as told:
        Store(address, system)
    assert "s3cret" not in str(told.value)
    assert "s3cret" not in without_password(address)


def test_values_take_turns_in_blocks_of_ten(store: Store) -> None:
    values = [value for _, value in label(store, "ana", Rules(), 40)]
    assert values == ["care"] * 10 + ["fairness"] * 10 + ["care"] * 10 + ["fairness"] * 10


def test_cannot_tell_counts_towards_no_target(store: Store) -> None:
    label(store, "ana", Rules(), 12, "cannot_tell")
    assert store.label_counts() == {"care": {"items": 0, "cannot_tell": 10}, "fairness": {"items": 0, "cannot_tell": 2}}


def test_picks_are_shown_in_their_order_before_random_ones(store: Store) -> None:
    add_picks(store, "care", [7, 3, 7], "diverse", Rules())
    assert waiting(store, "care") == 2
    assert [pk for pk, _ in label(store, "ana", Rules(), 2)] == [7, 3]
    assert waiting(store, "care") == 0
    task = next_task(store, "ana", Rules())
    assert task is not None
    assert task.reason == "random"


def test_a_response_for_one_value_is_labelled_for_that_value_only(url: str, system: ValueSystem) -> None:
    store = Store(url, system)
    store.add_responses([Response(id="a", response="x", value="fairness"), Response(id="a", response="x", value="care")])
    assert len(label(store, "ana", Rules(), 2)) == 2
    assert next_task(store, "ana", Rules()) is None
    assert {(j.id, j.value) for j in store.judgements()} == {("a", "care"), ("a", "fairness")}
    store.close()


def test_gold_questions_come_every_tenth_item_to_everybody(store: Store) -> None:
    gold = [LabelledResponse(id=f"g{i}", response=f"gold {i}", value="care", label="oppose") for i in range(2)]
    assert add_gold(store, gold) == 2
    assert add_gold(store, gold) == 2
    pks = {store.find("g0", "care"), store.find("g1", "care")}
    for who in ("ana", "ben"):
        done = label(store, who, Rules(), 21)
        assert [n for n, (pk, _) in enumerate(done) if pk in pks] == [9, 19]
    assert {a.label for a in store.adjudications()} == {"oppose"}


def test_many_annotators_at_once_get_no_item_twice(url: str, system: ValueSystem, responses: list[Response]) -> None:
    store = Store(url, system)
    store.add_responses(responses)
    with ThreadPoolExecutor(6) as pool:
        jobs = [pool.submit(label, store, f"p{i}", Rules(overlap=0), 8) for i in range(6)]
        done = [item for job in jobs for item in job.result()]
    assert len(done) == 48
    assert len(set(done)) == 48
    assert len(store.judgements()) == 48
    store.close()


def test_a_store_of_another_system_is_refused(store: Store, url: str, system: ValueSystem) -> None:
    with pytest.raises(InputError, match="holds labels for value system 'test_values', not 'other'"):
        Store(url, system.model_copy(update={"id": "other"}))


@pytest.mark.parametrize("bad", ["/no/such/folder/x.db", "nonsense://x", "postgresql+psycopg://nobody@127.0.0.1:1/x"])
def test_a_store_that_cannot_be_opened_says_so(bad: str, system: ValueSystem) -> None:
    with pytest.raises(InputError, match=r"cannot be opened|neither a file nor"):
        Store(bad, system)
