"""The results that stand in the repository: each file whole, and the page the one that they make."""

from pathlib import Path

from clave.benchmark.results import read_board
from clave.report.board import board_page
from clave.report.writing import write_page

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_every_file_of_the_board_is_whole_and_the_page_is_theirs(tmp_path):
    board = read_board(DOCS / "data" / "board")
    assert board.left_out == {}
    made = write_page(board_page(board), tmp_path / "board.md").read_text(encoding="utf-8")
    assert made == (DOCS / "board.md").read_text(encoding="utf-8"), "write it anew: clave bench board docs/data/board -o docs/board.md"
