"""The base of every part of a manifest."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """Immutable, finite, no unknown key, no silent conversion."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
