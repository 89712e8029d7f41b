"""What the API answers, as it is told in its OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Identity = Annotated[str, Field(description="16 hex digits, others where the server got another classifier")]


class Scored(BaseModel):
    """What the classifier says of one radiograph."""

    index: int = Field(description="place of the file in the request, from 0")
    probability: float = Field(description="of the positive class, 0 to 1")
    decision: str = Field(description="name of the class, by the operating point")
    warnings: list[str] = Field(description="what is odd; a probability with a warning may mean nothing")
    distance: float = Field(description="to the training set; above 1 the radiograph is unfamiliar")
    width: int = Field(description="of the picture, in pixels")
    height: int = Field(description="of the picture, in pixels")


class Unreadable(BaseModel):
    """A file that cannot be used as a radiograph."""

    index: int = Field(description="place of the file in the request, from 0")
    error: str = Field(description="what was got and what was expected, in one line")


class Predictions(BaseModel):
    """Answer of /api/predict, one entry per file in the order of the request."""

    notice: str = Field(description="that this is not a diagnosis; show it wherever a prediction is shown")
    positive: str = Field(description="name of the class whose probability is given")
    threshold: float = Field(description="the operating point; at or above it the decision is positive")
    classifier: Identity
    predictions: list[Scored | Unreadable]
    meaning: dict[str, str] = Field(description="each warning that occurs, as a sentence")

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "notice": "A research tool, not a medical device: nothing here is a diagnosis.",
                "positive": "pneumonia",
                "threshold": 0.5,
                "classifier": "9f2c51d0a7e84b36",
                "predictions": [
                    {
                        "index": 0,
                        "probability": 0.97,
                        "decision": "pneumonia",
                        "warnings": [],
                        "distance": 0.61,
                        "width": 1024,
                        "height": 1024,
                    },
                    {"index": 1, "error": "got a truncated JPEG, expected a complete JPEG"},
                ],
                "meaning": {},
            }
        }
    )


class Explanation(BaseModel):
    """Answer of /api/explain."""

    notice: str
    positive: str
    threshold: float
    classifier: Identity
    prediction: Scored
    radiograph: str = Field(description="the radiograph as a viewer first shows it: base64 of a grey PNG")
    heat: str = Field(
        description="where the evidence for the positive class lies: base64 of an RGBA PNG to lay over the "
        "radiograph, stretched to its size"
    )
    meaning: dict[str, str]


class OperatingPoints(BaseModel):
    """What every threshold gives on validation."""

    chosen: float = Field(description="the threshold that decisions are made by")
    rule: str = Field(description="how it was chosen, in English")
    classifier: Identity
    threshold: list[float]
    sensitivity: list[float]
    specificity: list[float]

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "chosen": 0.5,
                "rule": "0.5, the default",
                "classifier": "9f2c51d0a7e84b36",
                "threshold": [0.25, 0.5, 0.75],
                "sensitivity": [0.99, 0.97, 0.94],
                "specificity": [0.88, 0.94, 0.97],
            }
        }
    )


class Taken(BaseModel):
    """What one request may bring; more is refused with 413."""

    files: int
    request_bytes: int = Field(description="of the whole body")
    file_bytes: int = Field(description="of one file in it")
    pixels: int = Field(description="of one picture")
    seconds: float = Field(description="from the request's first byte to its answer")


class State(BaseModel):
    """Whether the server is alive, or ready."""

    status: str = Field(examples=["ok"])


class Failure(BaseModel):
    """A request that was not done."""

    error: str = Field(description="what was got and what was expected, in one line")


FAILURES = {
    400: "A broken form.",
    401: "No token, or a wrong one.",
    403: "Sent by a page of another site.",
    413: "Too many files or bytes.",
    415: "Another content type, or a content encoding.",
    421: "Another host name than this server's.",
    422: "A form without files; to explain, a file that cannot be used as a radiograph or a classifier that "
    "Grad-CAM cannot explain.",
    429: "The server is full; come again after Retry-After seconds.",
    500: "The server failed; its log says where.",
    503: "It took too long, or the server is stopping; come again after Retry-After seconds.",
}
"""Why a request was not done, by the status of the answer."""


def failures(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route answers beside what was asked for."""
    return {status: {"model": Failure, "description": FAILURES[status]} for status in statuses}


Card = dict[str, Any]
