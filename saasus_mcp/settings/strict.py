"""What every table of the configuration file is: closed, and not to be changed once read."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class StrictModel(BaseModel):
    """A table that knows its fields and refuses any other."""

    model_config = ConfigDict(extra="forbid", frozen=True)
