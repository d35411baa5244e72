"""Draw the figures of the study's page anew from the records beside this file: python docs/studies/figures.py"""

from pathlib import Path

from argflux import plots
from argflux.patterns import load_study

STUDIES = Path(__file__).parent
OUT = STUDIES.parent / "figures" / "study"


def main() -> None:
    """Write all of them."""
    names = [f"{data}/{output}" for data in ("moons", "digits", "mnist") for output in ("linear", "relu")]
    studies = {name: load_study(STUDIES / name) for name in names}
    drawn = {name.replace("/", "-"): plots.families_compared(studies[name]) for name in names}
    drawn["measures-relu"] = plots.scatter_starts(studies["mnist/relu"])
    drawn["correlations"] = plots.forest_of_correlations(
        {name.replace("/", ", "): study for name, study in studies.items()}
    )
    for name, figure in drawn.items():
        print(plots.save_figure(figure, OUT / f"{name}.png", dpi=70))


if __name__ == "__main__":
    main()
