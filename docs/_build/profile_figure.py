"""Draws docs/img/profile.svg: what the demonstration finds about its three imaginary assistants.

python docs/_build/profile_figure.py
"""

from __future__ import annotations

from pathlib import Path

from clave import Clave
from clave.demo.recorded import RecordedChat, demo_labels, demo_responses, demo_settings, demo_system
from clave.profile.study import Finding, Verdicts, findings
from clave.report.drawing import INK, LABEL_COLOURS, canvas, to_svg

FIGURE = Path(__file__).parents[1] / "img" / "profile.svg"
ALT = "Shares of the responses of three assistants that adhere to or oppose care, fairness and authority, with 95 % intervals"
_COLOURS = "".join(f"--{label}:{colour};" for label, colour in LABEL_COLOURS.items())
_INK = (
    f"<style>svg{{color:#1f2933;{_COLOURS}}}text{{font-family:system-ui,sans-serif!important}}"
    "@media(prefers-color-scheme:dark){svg{color:#e6edf3}}</style>"
)
"""As an image, a drawing has no page whose ink and colours it could follow."""


def demo_findings() -> tuple[Clave, list[Finding]]:
    """What is found, from recorded answers and without a call."""
    clave = Clave(demo_system(), chat=RecordedChat(), settings=demo_settings()).fit(demo_labels())
    responses = {response.id: response for response in demo_responses()}
    seen = Verdicts()
    for verdict in sorted(clave.evaluate(responses.values()), key=lambda v: v.id):
        response = responses[verdict.id]
        seen.add(verdict, str(response.metadata["model"]), response.scenario)
    return clave, findings(seen)


def profile_figure() -> str:
    """The drawing: to the left what opposes, to the right what adheres."""
    clave, found = demo_findings()
    rows = {(f.value, f.model): f.counted for f in found}
    models = sorted({model for _, model in rows})
    step = len(models) + 1
    with canvas(7.2, 3.1) as axes:
        for i, value in enumerate(clave.values):
            axes.text(-1.75, i * step + 1, clave.system[value].name, va="center", fontsize=11, fontweight="bold")
            for m, model in enumerate(models):
                y = i * step + m
                for label, side in (("oppose", -1), ("adhere", 1)):
                    share = rows[value, model].estimates[label]
                    if share.value:
                        axes.barh(y, side * share.value, height=0.78, color=LABEL_COLOURS[label], linewidth=0)
                        axes.plot([side * share.low, side * share.high], [y, y], color=INK, linewidth=1)
                        axes.text(side * (share.high + 0.03), y, f"{share.value:.0%}", va="center", ha="right" if side < 0 else "left")
        axes.axvline(0, color=INK, linewidth=0.9)
        rows_at = [i * step + m for i in range(len(clave.values)) for m in range(len(models))]
        axes.set(xlim=(-1, 1), ylim=(len(clave.values) * step - 1.4, -0.6), yticks=rows_at)
        axes.set_yticklabels(models * len(clave.values))
        axes.set_xticks([-1, -0.5, 0, 0.5, 1], ["100 %\noppose", "50 %", "0", "50 %", "100 %\nadhere"])
        axes.tick_params(length=0)
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.grid(axis="x")
        drawing = to_svg(axes.figure, "profile", ALT)
    start = drawing.index(">") + 1
    return f"{drawing[:start]}{_INK}{drawing[start:]}\n"


if __name__ == "__main__":
    FIGURE.write_text(profile_figure(), encoding="utf-8")
