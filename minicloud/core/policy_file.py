"""``policy.yaml``: rules of policies that whoever runs a cloud wants otherwise than upstream, by their names."""

import yaml

from minicloud.base.errors import Invalid

NAME = "policy.yaml"
"""The file's name in the data folder."""


def parse(text: str, name: str = NAME) -> dict[str, str]:
    """Rules by name. Raises Invalid, naming the line, for anything but a mapping of names to check strings."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        where = "" if error.problem_mark is None else f", line {error.problem_mark.line + 1}"
        raise Invalid(f"{name}{where}: {error.problem or 'this is no YAML'}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise Invalid(f"{name}: {str(error).splitlines()[0] or 'this is no YAML'}") from error
    if root is None:
        return {}
    if not isinstance(root, yaml.MappingNode):
        raise Invalid(f"{name}, line 1: there should be lines such as identity:list_users: rule:admin_required")
    found: dict[str, str] = {}
    for key, value in root.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise Invalid(f"{name}, line {line}: the name of a rule should be a text")
        if not isinstance(value, yaml.ScalarNode):
            raise Invalid(f"{name}, line {line}: the rule of {key.value} should be one text")
        if key.value in found:
            raise Invalid(f"{name}, line {line}: {key.value} is there twice")
        found[key.value] = "" if value.tag == "tag:yaml.org,2002:null" else value.value
    return found
