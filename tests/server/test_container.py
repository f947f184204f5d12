"""The image and the compose file, checked as files: no engine runs here."""

import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "transformers", "sentence-transformers", "peft", "accelerate")


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def instructions() -> list[list[str]]:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    return [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]


def test_the_dockerfile_has_nothing_that_a_linter_minds(tmp_path: Path) -> None:
    hadolint = shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed")
    assert run(hadolint, str(ROOT / "Dockerfile")) == ""
    (tmp_path / "Dockerfile").write_text("FROM python\nRUN cd /x\n", encoding="utf-8")
    assert "DL3006" in run(hadolint, str(tmp_path / "Dockerfile"))


def test_the_compose_file_is_of_the_specification(tmp_path: Path) -> None:
    pytest.importorskip("check_jsonschema", reason="check-jsonschema is not installed")
    check = (sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec")
    assert run(*check, str(ROOT / "compose.yaml")) == ""
    (tmp_path / "compose.yaml").write_text("services: {clave: {port: 8100}}\n", encoding="utf-8")
    assert "port" in run(*check, str(tmp_path / "compose.yaml"))


def test_the_image_is_not_root_and_brings_no_torch() -> None:
    users = [rest for name, rest in instructions() if name == "USER"]
    assert users
    assert users[-1] not in ("0", "root")
    names = [name for name, _ in instructions()]
    assert names.index("USER") < names.index("ENTRYPOINT")
    (install,) = [rest for name, rest in instructions() if name == "RUN" and "pip install" in rest]
    assert install.endswith("'.[serve]'")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["serve"]]
    assert not [name for name in wanted if name.startswith(HEAVY)]


@pytest.mark.parametrize("compose", [False, True])
def test_what_the_container_runs_is_a_command_with_these_options(compose: bool) -> None:
    from clave.cli.main import app

    told = {name: yaml.safe_load(rest) for name, rest in instructions() if name in ("ENTRYPOINT", "CMD")}
    arguments = told["CMD"]
    if compose:
        arguments = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]["clave"]["command"]
    program, command, *options = [*told["ENTRYPOINT"], *arguments]
    assert (program, command) == ("clave", "serve")
    context = get_command(app).commands[command].make_context(command, options)  # type: ignore[attr-defined]
    assert (context.params["host"], context.params["evaluators"]) == ("0.0.0.0", ["/evaluator"]), shlex.join(options)
