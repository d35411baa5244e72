"""read_program: a program from a file."""

import os
from pathlib import Path
from typing import Any

from argflux.keywords import explained
from argflux.programs.files.read import read_contents
from argflux.programs.program import Program
from argflux.programs.statements.filed import Filed


@explained
def read_program(path: str | os.PathLike[str], *, relax: bool = False, **options: Any) -> Program:
    """Read a linear or quadratic program from an MPS, QPS or LP file; its blocks are the parameters.

    Minimises or maximises `constant + cost'x + x'Qx/2` subject to the rows and bounds of the file. The parameters are
    the blocks that the file has, each with the file's numbers as its default: `cost`, `lower` and `upper` in the order
    of the columns, `rhs` in that of the rows, `matrix` and `quadratic` the entries in the order of `contents.matrix`
    and of the lower triangle of `contents.quadratic`. Any of them may be replaced or differentiated.

    `program.contents` has the names of rows and columns, and notes of what other readers read otherwise. Infinite are
    bounds and sides of 1e20 and more. x is a vector in the order of the columns; `y` belongs to the equalities in the
    order of the file, `z` to the rows with an upper side, then to those with a lower side.

    Args:
        path: of the file, which ends with `.mps`, `.qps` or `.lp`, with `.gz` behind it or not.
        relax: whether integer and semicontinuous columns are taken as real within their bounds.
        **options: as for `Program`.

    Raises:
        ArgumentError: for another ending or an unknown option.
        DataError: for a file that is missing, cut off or not as its format says, naming the line, and for integer
            columns, naming them.

    Source:
        IBM's description of the MPS format; Maros and Mészáros, "A repository of convex quadratic programming
        problems" (1999), for QPS.

    Example:
        >>> import pathlib, tempfile, argflux as af
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "diet.mps"
        >>> lines = "ROWS", " N cost", " G iron", "COLUMNS", " oats cost 2 iron 1", " kale cost 3 iron 2"
        >>> _ = path.write_text("\\n".join([*lines, "RHS", " RHS iron 4", "ENDATA"]))
        >>> diet = af.read_program(path)
        >>> dict(zip(diet.contents.columns, diet().tolist()))
        {'oats': 0.0, 'kale': 2.0}
        >>> price = lambda rhs: diet.solve(rhs=rhs).objective
        >>> dict(zip(diet.contents.rows, af.gradient(price, diet.defaults["rhs"])[0].tolist()))
        {'iron': 1.5}
    """
    program = Program.__new__(Program)
    program._setup(Filed(read_contents(Path(path), relax)), options, ("path", "relax"))
    return program
