"""A YAML file as plain values, and where in the file each of them stands.

OSMO reads YAML 1.1 with PyYAML's safe loader, and so do we. Beyond that loader: positions, duplicate keys, and a
bound on what aliases may unfold to.
"""

import re
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final

import yaml

from osmo.spec.loader import loader as open_loader
from osmo.spec.problem import Field, Problem, field_name, one_line, shown

# Aliases may make a document this much larger than its text; a "billion laughs" is larger by orders of magnitude.
_UNFOLDED: Final = 10
_UNFOLDED_FREE: Final = 1_000_000

_PLAIN_TAGS: Final[dict[type[yaml.Node], str]] = {
    yaml.MappingNode: "tag:yaml.org,2002:map",
    yaml.SequenceNode: "tag:yaml.org,2002:seq",
}
_QUOTE_TOKENS: Final = 'not valid YAML: put a value that holds {{...}} in quotes, like "{{output}}/ckpt"'
_QUOTED: Final = re.compile(r""""[^"]*"|'[^']*'""")
# What a person can do about PyYAML's commonest complaints.
_HINTS: Final = (
    ("'\\t' that cannot start", "a tab cannot indent a line: use spaces"),
    (
        "mapping values are not allowed",
        "a ':' is not expected here: look at the indentation, or put the value in quotes",
    ),
    ("could not find expected ':'", "a ':' is missing after a field's name"),
    ("expected <block end>", "this line does not fit the indentation of the lines above"),
    ("did not find expected key", "this line does not fit the indentation of the lines above"),
    ("cannot start any token", "a value that begins with this character must be put in quotes"),
    ("found unexpected end of stream", "a quote that was opened is not closed"),
)

Position = tuple[int, int]
"""Line and column, both from 1."""


class DocumentError(Exception):
    """The text is no YAML document that could be a spec. `position` is None if it is about the whole file."""

    def __init__(self, text: str, position: Position | None = None) -> None:
        super().__init__(text)
        self.position = position


@dataclass(slots=True)
class Document:
    """`value` is the document as plain values: dict, list and scalars, aliases unfolded, keys of dicts all text.

    problems: what is wrong with the YAML itself. What they are about is left out of `value`. warnings: what is odd.
    """

    value: object = None
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    _values: dict[Field, yaml.Node] = field(default_factory=dict)
    _keys: dict[Field, Position] = field(default_factory=dict)

    def position(self, problem: Problem) -> Position:
        """Where the value (or the key) is; for one that is not in the file, where what it is missing from begins."""
        if problem.at_key and problem.field in self._keys:
            return self._keys[problem.field]
        where = problem.field
        while where not in self._values:
            where = where[:-1]
        return _position(self._values[where].start_mark)

    def line(self, path: str, problem: Problem) -> str:
        """`train.yaml:14:9: workflow.tasks[0].name: ...`."""
        line, column = self.position(problem)
        name = f"{field_name(problem.field)}: " if problem.field else ""
        return one_line(f"{path}:{line}:{column}: {name}{problem.text}")

    def written(self, where: Field) -> str | None:
        """The scalar at this field, letter by letter as the file has it, if it has no quotes around it."""
        node = self._values.get(where)
        return node.value if isinstance(node, yaml.ScalarNode) and not node.style else None

    def at(self, where: Field) -> object:
        """The value at this field; None if there is none."""
        value = self.value
        for name in where:
            if isinstance(value, dict):
                value = value.get(name)
            elif isinstance(value, list) and isinstance(name, int):
                value = value[name]
            else:
                return None
        return value

    def items(self, where: Field) -> list[tuple[Field, object]]:
        """The items of the list at `where` with their fields; none if there is no list."""
        value = self.at(where)
        return [((*where, number), item) for number, item in enumerate(value)] if isinstance(value, list) else []

    def strings(self) -> list[tuple[Field, str]]:
        """Every text in the document that is a value, in no promised order."""
        return [
            (where, node.value)
            for where, node in self._values.items()
            if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:str"
        ]

    def values(self) -> list[tuple[Field, object]]:
        """Every number and truth value in the document, in no promised order."""
        kinds = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:bool")
        return [(where, self.at(where)) for where, node in self._values.items() if node.tag in kinds]


def parse(text: str, shape: str = "a spec begins with `workflow:`") -> Document:
    """The one YAML document in `text`. Raises `DocumentError` if there is none to speak of; it names the `shape` that
    one would have."""
    try:
        loader = open_loader(text)
        root = loader.get_single_node()
        _Bound(len(text)).check(root)
        document = Document()
        if root is not None and root.tag != "tag:yaml.org,2002:null":
            document.value = _Builder(loader, document).build(root, ())
    except RecursionError:
        raise DocumentError("is nested too deeply") from None
    except yaml.reader.ReaderError as error:
        raise _unreadable(text, error) from error
    except yaml.MarkedYAMLError as error:
        raise _invalid(text, error) from error
    if root is None or root.tag == "tag:yaml.org,2002:null":
        raise DocumentError(f"is empty: {shape}")
    return document


class _Bound:
    """Refuses a document that aliases make too large, or that holds itself."""

    def __init__(self, size: int) -> None:
        self._most = _UNFOLDED * size + _UNFOLDED_FREE
        self._sizes: dict[int, int | None] = {}

    def check(self, node: yaml.Node | None) -> None:
        if node is not None:
            self._size(node)

    def _size(self, node: yaml.Node) -> int:
        """Nodes and characters beneath `node`, aliases unfolded. Each node is looked at once."""
        if id(node) in self._sizes:
            known = self._sizes[id(node)]
            if known is None:
                raise DocumentError("an alias cannot be part of what it stands for", _position(node.start_mark))
            return known
        self._sizes[id(node)] = None
        size = 1 + (len(node.value) if isinstance(node, yaml.ScalarNode) else sum(map(self._size, _children(node))))
        if size > self._most:
            raise DocumentError("the aliases in this value make it too large", _position(node.start_mark))
        self._sizes[id(node)] = size
        return size


class _Builder:
    """Makes plain values of nodes, and fills in the document's positions on the way."""

    def __init__(self, loader: yaml.SafeLoader, document: Document) -> None:
        self._loader = loader
        self._document = document
        self._looked_at: set[int] = set()

    def build(self, node: yaml.Node, where: Field) -> object:
        self._document._values[where] = node
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, where)
        if node.tag != _PLAIN_TAGS[type(node)]:
            self._problem(where, f"the tag {shown(_tag(node))} is not supported")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, where)
        return [self.build(item, (*where, number)) for number, item in enumerate(node.value)]

    def _mapping(self, node: yaml.MappingNode, where: Field) -> dict[str, object]:
        if id(node) not in self._looked_at:  # once, however many aliases stand for it, and before keys are merged in
            self._looked_at.add(id(node))
            self._find_duplicates(node, where)
            self._loader.flatten_mapping(node)
        last: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key_node, value_node in node.value:  # merged keys come first, so the mapping's own win
            if (key := self._key(key_node, where)) is not None:
                last[key] = (key_node, value_node)
        built: dict[str, object] = {}
        for key, (key_node, value_node) in last.items():
            self._document._keys.setdefault((*where, key), _position(key_node.start_mark))
            built[key] = self.build(value_node, (*where, key))
        return built

    def _find_duplicates(self, node: yaml.MappingNode, where: Field) -> None:
        first: dict[Hashable, tuple[int, yaml.Node]] = {}
        for key_node, value in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                continue
            key = (key_node.tag, key_node.value)
            line = key_node.start_mark.line + 1
            if key in first:
                field_of_key = (*where, key_node.value)
                self._document._keys[field_of_key] = _position(key_node.start_mark)
                before, other = first[key]
                lines = f"in line {before} and in line {line}"
                if _same(other, value):
                    self._document.warnings.append(Problem(field_of_key, f"is set twice to the same, {lines}", True))
                else:
                    self._problem(field_of_key, f"is set twice, {lines}", at_key=True)
            else:
                first[key] = line, value

    def _key(self, node: yaml.Node, where: Field) -> str | None:
        if isinstance(node, yaml.MappingNode) and node.flow_style:
            line, column = _position(node.start_mark)
            raise DocumentError(_QUOTE_TOKENS, (line, column - 1))  # the outer brace
        value = self._scalar(node, where) if isinstance(node, yaml.ScalarNode) else None
        if isinstance(value, str):
            return value
        if not isinstance(node, yaml.ScalarNode):
            raise DocumentError("a key must be text, not a list or a mapping", _position(node.start_mark))
        unquoted = (*where, node.value)
        self._document._keys[unquoted] = _position(node.start_mark)
        self._problem(unquoted, f"YAML reads this key as {shown(value)}: put it in quotes", at_key=True)
        return None

    def _scalar(self, node: yaml.ScalarNode, where: Field) -> object:
        try:
            value: object = self._loader.construct_object(node)
        except (yaml.YAMLError, ValueError, OverflowError):
            self._problem(where, f"YAML cannot read {shown(node.value)} as {_tag(node)}: put it in quotes")
            return None
        if isinstance(value, str) and not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                self._problem(where, "is not Unicode text: it holds half of a surrogate pair")
                return None
        return value

    def _problem(self, where: Field, text: str, *, at_key: bool = False) -> None:
        problem = Problem(where, text, at_key)
        if problem not in self._document.problems:
            self._document.problems.append(problem)


def _same(one: yaml.Node, other: yaml.Node) -> bool:
    """Of lists and mappings nobody should have to compare two."""
    scalars = isinstance(one, yaml.ScalarNode) and isinstance(other, yaml.ScalarNode)
    return scalars and (one.tag, one.value) == (other.tag, other.value)


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [child for pair in node.value for child in pair]
    return list(node.value)


def _tag(node: yaml.Node) -> str:
    """`!!timestamp` is enough of `tag:yaml.org,2002:timestamp`."""
    prefix = "tag:yaml.org,2002:"
    return f"!!{node.tag.removeprefix(prefix)}" if node.tag.startswith(prefix) else str(node.tag)


def _position(mark: yaml.Mark) -> Position:
    return mark.line + 1, mark.column + 1


def _unreadable(text: str, error: yaml.reader.ReaderError) -> DocumentError:
    before = text[: error.position]
    position = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
    return DocumentError(f"not valid YAML: the character U+{ord(text[error.position]):04X} is not allowed", position)


def _invalid(text: str, error: yaml.MarkedYAMLError) -> DocumentError:
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return DocumentError(f"not valid YAML: {error.problem}")
    problem = error.problem or ""
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    if problem == "but found another document":
        return DocumentError("a second document begins here: a spec is one document", _position(mark))
    bare = _QUOTED.sub(lambda quoted: " " * len(quoted[0]), line)
    if "{{" in bare and not isinstance(error, yaml.composer.ComposerError):
        return DocumentError(_QUOTE_TOKENS, (mark.line + 1, bare.index("{{") + 1))
    hint = next((hint for part, hint in _HINTS if part in problem), problem)
    return DocumentError(f"not valid YAML: {hint}", _position(mark))
