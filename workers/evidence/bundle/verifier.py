"""The verifier as one file: the modules of `workers.evidence.offline`, one after the other.

Imports of the standard library are gathered at the top, those of one another left out, since
all names then stand in one module; a test sees that none stands there twice. The same
sources make the same bytes.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from importlib import resources
from typing import Final

NAME: Final = "pruefen.py"
_NOT_REPEATED: Final = ("workers.evidence", "__future__")
#: In an order in which each uses only what stands before it.
PARTS: Final = (
    "workers.evidence.der",
    *(
        f"workers.evidence.offline.{name}"
        for name in (
            "findings",
            "certified",
            "containers",
            "portable",
            "record",
            "history",
            "manifest",
            "notes",
            "openssl",
            "revocation",
            "signers",
            "sealed",
            "supplement",
            "claims",
            "records",
            "testimony",
            "examination",
            "main",
        )
    ),
)
_HEAD: Final = '''#!/usr/bin/env python3
"""{purpose}"""

from __future__ import annotations

{imports}
'''


@functools.cache
def source() -> bytes:
    """Return the file, UTF-8: nothing but the standard library of Python 3.9 is needed."""
    texts = {part: _text(part) for part in PARTS}
    trees = {part: ast.parse(text) for part, text in texts.items()}
    imports = sorted({line for tree in trees.values() for line in _imports(tree)})
    purpose = ast.get_docstring(trees[PARTS[-1]], clean=False)
    pieces = [_HEAD.format(purpose=purpose, imports="\n".join(imports))]
    pieces += [_body(part, texts[part], trees[part]) for part in PARTS]
    return "\n\n".join(pieces).encode()


def _text(part: str) -> str:
    package, _, name = part.rpartition(".")
    return resources.files(package).joinpath(f"{name}.py").read_text("utf-8")


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        own = isinstance(node, ast.ImportFrom) and str(node.module).startswith(_NOT_REPEATED)
        if isinstance(node, ast.Import | ast.ImportFrom) and not own:
            yield ast.unparse(node)


def _body(part: str, text: str, tree: ast.Module) -> str:
    """Return a module without its docstring and imports."""
    begin = max(
        node.end_lineno or 0
        for at, node in enumerate(tree.body)
        if at == 0 or isinstance(node, ast.Import | ast.ImportFrom)
    )
    lines = "\n".join(text.splitlines()[begin:]).strip("\n")
    return f"# --- {part.rpartition('.')[2]} ---\n\n{lines}\n"
