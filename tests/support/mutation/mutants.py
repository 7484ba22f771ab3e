"""Mutants of a module: its source with one small change each, made by cosmic-ray's operators."""

from __future__ import annotations

import ast
import difflib
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cosmic_ray.mutating
import cosmic_ray.plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.operators.operator import Operator
from parso.python.tree import Keyword

# Of the replacements of an operator, one or two: the others are killed by the same tests.
_REPLACEMENTS = (
    *(f"BinaryOperator_{name}" for name in ("Add_Sub", "Sub_Add", "Mul_FloorDiv", "Div_Mul")),
    *(f"BinaryOperator_{name}" for name in ("FloorDiv_Mul", "Mod_FloorDiv", "LShift_RShift")),
    *(f"BinaryOperator_{name}" for name in ("RShift_LShift", "BitOr_BitAnd", "BitAnd_BitOr")),
    *(f"ComparisonOperator_{name}" for name in ("Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is")),
    *(f"ComparisonOperator_{name}" for name in ("Lt_LtE", "Lt_GtE", "LtE_Lt", "LtE_Gt")),
    *(f"ComparisonOperator_{name}" for name in ("Gt_GtE", "Gt_LtE", "GtE_Gt", "GtE_Lt")),
    *(f"UnaryOperator_{name}" for name in ("Delete_USub", "Delete_Not")),
)
_OTHERS = (
    "ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr", "ReplaceOrWithAnd",
    "ReplaceBreakWithContinue", "ReplaceContinueWithBreak", "NumberReplacer", "AddNot",
    "ExceptionReplacer", "ZeroIterationForLoop",
)  # fmt: skip


class RemoveCall(Operator):
    """Removes a call whose result is not used, such as `path.unlink()`."""

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        if node.type == "simple_stmt" and node.children[0].type in ("atom_expr", "power"):
            call = node.children[0]
            if getattr(call.children[-1], "children", [""])[0] == "(":
                yield call.start_pos, call.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        call = node.children[0]
        prefix = call.get_first_leaf().prefix
        node.children[0] = Keyword("pass", call.start_pos, prefix)
        return node

    @classmethod
    def examples(cls) -> tuple[Any, ...]:
        return ()


OPERATORS: dict[str, Any] = {
    **{
        name: cosmic_ray.plugins.get_operator(f"core/{name}")()
        for name in (*(f"Replace{name}" for name in _REPLACEMENTS), *_OTHERS)
    },
    "RemoveCall": RemoveCall(),
}


@dataclass(frozen=True)
class Mutant:
    """One change of a module: the `occurrence`-th place where `operator` applies."""

    module: str
    operator: str
    occurrence: int
    line: int


def mutants_of(module: str, code: str) -> list[Mutant]:
    """Return all mutants of a module's code, including those that `mutate` finds to be equal."""
    nodes = list(ast_nodes(get_ast(code)))
    lines = code.splitlines()
    return [
        Mutant(module, name, occurrence, start[0])
        for name, operator in OPERATORS.items()
        for occurrence, (start, _) in enumerate(
            position for node in nodes for position in operator.mutation_positions(node)
        )
        if "os.kill(" not in lines[start[0] - 1]  # a signal could reach processes of others
    ]


def mutate(mutant: Mutant, code: str) -> str | None:
    """Return the changed code, or None if it does the same, as with a changed annotation."""
    operator = OPERATORS[mutant.operator]
    changed: str | None = cosmic_ray.mutating.mutate_code(code, operator, mutant.occurrence)
    try:
        return None if changed is None or _behavior(changed) == _behavior(code) else changed
    except SyntaxError:
        return None


def changed_line(before: str, after: str) -> str:
    """Return the first line of `after` that is not in `before`, without its indentation."""
    for line in difflib.ndiff(before.splitlines(), after.splitlines()):
        if line.startswith("+ "):
            return line[2:].strip()
    return ""


@functools.lru_cache(maxsize=4)
def _behavior(code: str) -> str:
    return ast.dump(_WithoutTypes().visit(ast.parse(code)))


class _WithoutTypes(ast.NodeTransformer):
    """Removes what only a type checker reads."""

    def visit_If(self, node: ast.If) -> Any:
        is_types = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        return None if is_types else self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        node.returns = None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> Any:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        node.annotation = ast.Constant(None)
        return self.generic_visit(node)
