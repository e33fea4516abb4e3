"""What the cells of a notebook bind and need, so that a page can run those that a reader wants and no others."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Sequence
from dataclasses import dataclass, field

_PURE = set(dir(builtins)) - {"exec", "eval", "setattr", "delattr", "next", "vars", "globals", "locals"}
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass
class _Body:
    """What the body of a function does with names that are not its own, when it is called."""

    reads: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)


class _Names(ast.NodeVisitor):
    """Reads a cell, or the body of a function in it, from the top.

    reads    names that are read and not surely bound before
    binds    names that it binds
    changes  names whose object it may change: an entry or an attribute set, a method called, an argument of a call
    """

    def __init__(self, bound=()):
        self.reads, self.binds, self.changes, self.imports = set(), set(), set(), set()
        self.bodies: dict[str, _Body] = {}
        self._bound, self._globals = set(bound), set()
        self._later: list[set[str]] = []  # what the bodies of functions read, when they are called

    def read(self, nodes: Sequence[ast.AST]) -> _Names:
        for node in nodes:
            self.visit(node)
        self.reads |= set().union(*self._later) - self._bound
        return self

    def _bind(self, name):
        self.binds.add(name)
        self._bound.add(name)

    def visit_Name(self, node):
        if isinstance(node.ctx, ast.Load):
            if node.id not in self._bound:
                self.reads.add(node.id)
        elif isinstance(node.ctx, ast.Store):
            self._bind(node.id)
        else:
            self.reads.add(node.id)
            self._bind(node.id)

    def visit_Global(self, node):
        self._globals |= set(node.names)

    def visit_Assign(self, node):
        self.visit(node.value)
        for target in node.targets:
            self._target(target)

    def visit_AugAssign(self, node):
        root = _root(node.target)
        if root:
            self.visit(ast.Name(root, ast.Load()))
            self.changes.add(root)
        self.visit(node.value)
        self._target(node.target)

    def visit_AnnAssign(self, node):
        if node.value:
            self.visit(node.value)
            self._target(node.target)

    def _target(self, target):
        if isinstance(target, (ast.Subscript, ast.Attribute)) and _root(target):
            self.changes.add(_root(target))
        elif isinstance(target, (ast.Tuple, ast.List)):
            for part in target.elts:
                self._target(part)
            return
        self.visit(target)

    def visit_Call(self, node):
        if isinstance(node.func, ast.Attribute) and _root(node.func):
            self.changes.add(_root(node.func))
        if not (isinstance(node.func, ast.Name) and node.func.id in _PURE):
            for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
                if _root(argument):
                    self.changes.add(_root(argument))
        self.generic_visit(node)

    def visit_For(self, node):
        self.visit(node.iter)
        before = set(self._bound)
        self._target(node.target)
        for child in node.body:
            self.visit(child)
        self._bound = before
        for child in node.orelse:
            self.visit(child)
        self._bound = before

    visit_AsyncFor = visit_For

    def _branch(self, node):
        """What is bound in it may not be bound after it."""
        before = set(self._bound)
        self.generic_visit(node)
        self._bound = before

    visit_If = visit_While = visit_Try = visit_TryStar = visit_Match = _branch

    def visit_ExceptHandler(self, node):
        if node.name:
            self._bind(node.name)
        self.generic_visit(node)

    def visit_MatchAs(self, node):
        if node.name:
            self._bind(node.name)
        self.generic_visit(node)

    def visit_MatchStar(self, node):
        if node.name:
            self._bind(node.name)

    def visit_Import(self, node):
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            self._bind(name)
            self.imports.add(name)

    visit_ImportFrom = visit_Import

    def _comprehension(self, node):
        before = set(self._bound), set(self.binds), set(self.changes)
        own = {name for generator in node.generators for name in _stored(generator.target)}
        for generator in node.generators:
            self.visit(generator.iter)
            self._bound |= own
            for condition in generator.ifs:
                self.visit(condition)
        for part in (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,):
            self.visit(part)
        self._bound = before[0] | (self.binds - before[1])  # of what is bound in it, `:=` stays
        self.changes = before[2] | (self.changes - own)

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    def visit_FunctionDef(self, node):
        for part in [*getattr(node, "decorator_list", []), *node.args.defaults, *filter(None, node.args.kw_defaults)]:
            self.visit(part)
        name = getattr(node, "name", None)
        if name:
            self._bind(name)
        own = {a.arg for a in ast.walk(node.args) if isinstance(a, ast.arg)}
        body = node.body if isinstance(node.body, list) else [node.body]
        inner = _Names(own)
        shared = {n for part in body for g in ast.walk(part) if isinstance(g, (ast.Global, ast.Nonlocal)) for n in g.names}
        own |= {n for part in body for n in _stored(part)} - shared
        inner._bound |= own
        inner.read(body)
        seen = _Body(inner.reads - own, (inner.changes | (inner.binds & shared)) - own)
        for deeper in inner.bodies.values():
            seen.reads |= deeper.reads - own
            seen.changes |= deeper.changes - own
        self._later.append(seen.reads - self._bound)
        if name:
            self.bodies[name] = seen
        else:  # a lambda: called who knows when
            self.changes |= seen.changes

    visit_AsyncFunctionDef = visit_Lambda = visit_FunctionDef

    def visit_ClassDef(self, node):
        for part in [*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords)]:
            self.visit(part)
        inner = _Names(self._bound).read(node.body)
        self.reads |= inner.reads - {node.name}  # its methods may use it
        self.changes |= inner.changes - inner.binds
        body = _Body(set(inner.reads), inner.changes - inner.binds)
        for method in inner.bodies.values():
            body.reads |= method.reads
            body.changes |= method.changes
        self._later.append(body.reads)
        self._bind(node.name)
        self.bodies[node.name] = body


def _root(node: ast.AST) -> str | None:
    """The name in `name`, `name.a[1].b` and `*name`; None for anything else."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Starred)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _stored(node: ast.AST) -> set[str]:
    """The names that a statement or a target binds, in whatever depth, but for those of functions and classes in it."""
    if isinstance(node, (*_SCOPES, ast.ClassDef)):
        return {node.name} if hasattr(node, "name") else set()
    names = {node.id} if isinstance(node, ast.Name) and isinstance(node.ctx, (ast.Store, ast.Del)) else set()
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        names |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    if isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
        names.add(node.name)
    children = [node.elt] if isinstance(node, _COMPREHENSIONS) and hasattr(node, "elt") else ast.iter_child_nodes(node)
    return names.union(*map(_stored, children))


def names(sources: Sequence[str]) -> list[tuple[list[str], list[str]]]:
    """Of each cell: the names that it binds or whose object it may change, and those that it needs from cells above.

    Where a cell mentions a function or a class of the notebook, what the body of that reads and changes counts, too.
    A module is never changed: functions that are called through it are no methods.

    Raises
    ------
    SyntaxError : a cell that is no Python.
    """
    bodies: dict[str, _Body] = {}
    imports, above = set(), set()  # so far: names of modules and of what is in them; all names
    found = []
    for source in sources:
        tree = ast.parse(source)
        cell = _Names().read(tree.body)
        imports = (imports - cell.binds) | cell.imports
        for name in cell.binds:
            bodies.pop(name, None)
        bodies |= cell.bodies
        mentioned = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} | cell.bodies.keys()
        reads, changes = set(cell.reads), set(cell.changes)
        pending, seen = list(mentioned & bodies.keys()), set()
        while pending:
            name = pending.pop()
            if name in seen:
                continue
            seen.add(name)
            reads |= bodies[name].reads
            changes |= bodies[name].changes
            pending += bodies[name].reads & bodies.keys()
        own = cell.binds - cell.reads
        needs = {name for name in (reads - own) | (changes - cell.binds) if name not in vars(builtins) or name in above}
        binds = cell.binds | {name for name in changes if name not in imports and name not in bodies and name not in _PURE}
        above |= binds
        found.append((sorted(binds), sorted(needs)))
    return found
