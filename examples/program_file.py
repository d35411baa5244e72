"""A program from a file: which of its numbers the result hangs on, by the file's names, and how far that holds."""

import argparse
from pathlib import Path

import argflux as af

DIET = """\\ A day's food at the least price.
minimize price: 2 oats + 3 kale + 2.5 beans + 4 eggs
subject to
 iron:    1.5 oats + 3 kale + 2 beans + eggs >= 9
 protein: 4 oats + kale + 5 beans + 6 eggs >= 20
 weight:  oats + kale + beans + 0.5 eggs <= 8
bounds
 beans <= 2
 eggs <= 3
end
"""


def main(out: Path) -> dict:
    out.mkdir(parents=True, exist_ok=True)
    (out / "diet.lp").write_text(DIET)
    diet = af.read_program(out / "diet.lp")
    columns, rows = diet.contents.columns, diet.contents.rows

    solution = diet.solve().check()
    eaten = dict(zip(columns, solution.x.tolist(), strict=True))
    slopes = diet.reverse_differentiate(cotangents={"objective": 1.0}).parameters
    names = {"cost": columns, "rhs": rows, "upper": columns}
    prices = {block: dict(zip(names[block], slopes[block].tolist(), strict=True)) for block in names}

    asked = diet.defaults["rhs"] * [1.0, 1.1, 1.0]
    predicted = float(solution.objective + prices["rhs"]["protein"] * 0.1 * diet.defaults["rhs"][1])
    actual = float(diet.solve(rhs=asked).objective)

    lines = [f"{name:8s} {amount:5.2f}" for name, amount in eaten.items()]
    lines += [f"price    {float(solution.objective):5.2f}"]
    lines += [f"one unit more of {name} costs {price:.2f}" for name, price in prices["rhs"].items()]
    lines += [f"a tenth more protein: {predicted:.3f} by the slope, {actual:.3f} solved again"]
    print("\n".join(lines))
    (out / "report.txt").write_text("\n".join(lines) + "\n")
    af.plots.save_figure(af.plots.sensitivity_bars(prices, of="price"), out / "prices.png")
    diet.write(out / "more_protein.mps", rhs=asked)
    print("wrote report.txt, prices.png and more_protein.mps in", out)
    return {"eaten": eaten, "prices": prices, "predicted": predicted, "actual": actual, "rows": rows}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/examples/program_file"))
    main(parser.parse_args().out)
