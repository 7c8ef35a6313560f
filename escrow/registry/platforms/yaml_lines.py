"""Where in a YAML file something stands, for error messages."""

from collections.abc import Iterator, Sequence

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode


def line_of(root: Node, location: Sequence[str | int]) -> int:
    """Line, from 1, of what a path of keys and positions leads to, or of the last part of it that is there."""
    node, line = root, root.start_mark.line
    for part in location:
        found = _child(node, part)
        if found is None:
            break
        line, node = found
    return line + 1


def _child(node: Node, part: str | int) -> tuple[int, Node] | None:
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if isinstance(key, ScalarNode) and key.value == part:
                return key.start_mark.line, value
    elif isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part].start_mark.line, node.value[part]
    return None


def keys_standing_twice(node: Node) -> Iterator[tuple[int, str]]:
    """Line, from 1, and name of each key that stands twice in one mapping; YAML would silently take the last."""
    if isinstance(node, MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if isinstance(key, ScalarNode) and key.value in seen:
                yield key.start_mark.line + 1, key.value
            elif isinstance(key, ScalarNode):
                seen.add(key.value)
            yield from keys_standing_twice(value)
    elif isinstance(node, SequenceNode):
        for item in node.value:
            yield from keys_standing_twice(item)
