"""Recipes as TOML files, read strictly: each of the kind that its key `pipeline` names."""

import difflib
import json
import tomllib
from collections.abc import Mapping
from importlib import import_module, resources
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from inference.errors import TrainingDataError
from inference.regular_files import read_regular
from inference.training.any_recipe import AnyRecipe
from inference.training.trainable import ECG, ECHO, FILM_AND_ECG

#: Far above any real recipe.
_LARGEST_BYTES = 1_000_000
#: Pipeline -> the module of its class `Recipe`.
_MODULES: Mapping[str, str] = {
    ECHO: "inference.training.recipe",
    ECG: "inference.training.ecg_ph.recipe",
    FILM_AND_ECG: "inference.training.cxr_ecg.recipe",
}

_Kind = TypeVar("_Kind", bound=AnyRecipe)


def read_recipe(path: Path, kind: type[_Kind]) -> _Kind:
    """Read a recipe file; `kind` is the class of recipe that it must be, `AnyRecipe` for any.

    Raises:
        TrainingDataError: no such file, not TOML, another pipeline's, or keys and values that
            nobody knows, each with a hint.
    """
    try:
        return parse_recipe(read_regular(path, _LARGEST_BYTES).decode("utf-8"), path.name, kind)
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingDataError(f"recipe {path}: cannot be read: {type(error).__name__}") from None


def named_recipe(name: str, kind: type[_Kind]) -> _Kind:
    """A recipe that comes with echonode, such as "paper", "phantom" or "ecg-paper".

    Raises:
        TrainingDataError: there is none of this name, or it is another pipeline's.
    """
    if name not in recipe_names():
        raise TrainingDataError(f"unknown recipe {name!r}; known: {', '.join(recipe_names())}")
    return parse_recipe((_folder() / f"{name}.toml").read_text("utf-8"), name, kind)


def recipe_names(pipeline: str | None = None) -> list[str]:
    """The recipes that come with echonode, or those of one pipeline."""
    names = sorted(
        entry.name.removesuffix(".toml")
        for entry in _folder().iterdir()
        if entry.name.endswith(".toml")
    )
    return [
        name
        for name in names
        if pipeline is None or _pipeline(tomllib.loads(_text(name))) == pipeline
    ]


def parse_recipe(text: str, source: str, kind: type[_Kind]) -> _Kind:
    """Parse a recipe's TOML; `source` names it in messages.

    Raises:
        TrainingDataError: as `read_recipe`.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TrainingDataError(f"recipe {source}: not valid TOML: {error}") from None
    stated = _pipeline(document)
    if stated not in _MODULES:
        raise TrainingDataError(
            f"recipe {source}: unknown pipeline {stated!r}; known: {', '.join(_MODULES)}"
        )
    own: type[AnyRecipe] = import_module(_MODULES[stated]).Recipe
    if not issubclass(own, kind):
        raise TrainingDataError(f"recipe {source} makes a model of the pipeline {stated}")
    try:
        # By way of JSON, whose arrays may become tuples where nothing else is converted.
        return own.model_validate_json(json.dumps(document, default=str))
    except ValidationError as error:
        problems = [_explain(own, problem) for problem in error.errors(include_url=False)]
        raise TrainingDataError("\n  ".join([f"recipe {source}:", *problems])) from None


def _pipeline(document: Mapping[str, Any]) -> str:
    return str(document.get("pipeline", ECHO))


def _text(name: str) -> str:
    return str((_folder() / f"{name}.toml").read_text("utf-8"))


def _folder() -> Any:
    return resources.files("inference.training.recipes")


def _explain(kind: type[AnyRecipe], problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    if problem["type"] != "extra_forbidden":
        return f"{where or 'recipe'}: {problem['msg'].removeprefix('Value error, ')}"
    section: Any = kind
    for part in problem["loc"][:-1]:
        section = section.model_fields[part].annotation
    key, known = str(problem["loc"][-1]), list(section.model_fields)
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return f"unknown key {where}; " + (
        f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
    )
