"""What the service answers: the JSON documents, which are a contract, and their descriptions."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class Choice(BaseModel):
    """One class and how probable it is."""

    label: str
    probability: float = Field(description="Calibrated, 0 to 1.")


class Prediction(BaseModel):
    """What the classifier says of one photograph."""

    index: int = Field(description="Which of the files sent, counted from 0.")
    file: str = Field(description="Its name, as sent.")
    label: str | None = Field(description="The most probable class; null where it abstains.")
    probability: float = Field(description="Of the most probable class, 0 to 1.")
    abstained: bool = Field(description="Whether the photograph had better be left to a person.")
    top: list[Choice] = Field(description="The most probable classes first.")


class Failure(BaseModel):
    """A file that could not be labelled."""

    index: int = Field(description="Which of the files sent, counted from 0.")
    file: str = Field(description="Its name, as sent.")
    reason: str


class Answer(BaseModel):
    """What became of each file sent."""

    version: Literal[1] = 1
    predictions: list[Prediction]
    failed: list[Failure]


class Health(BaseModel):
    """What is being served."""

    version: Literal[1] = 1
    ready: Literal[True] = True
    model: str = Field(description="The head, or the fine-tuned network.")
    backbone: str
    classes: list[str]
    headstart: str = Field(description="Version of headstart.")


class Problem(BaseModel):
    """Why a request was refused."""

    detail: str
