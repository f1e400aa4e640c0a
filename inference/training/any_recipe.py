"""What every recipe says, whichever pipeline's model it makes."""

from typing import Annotated

from pydantic import Field

from inference.bundle.strict import Strict


class AnyRecipe(Strict):
    """A recipe's name, what it is about, and the pipeline that its model is for."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    about: str = ""
    pipeline: str
