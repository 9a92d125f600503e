"""The addresses of the page that photographs are labelled on."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import ASGIApp

from ...errors import DecodeError, HeadstartError
from ..pages.html import Page, make_page, source
from ..pages.thumbnails import jpeg, open_upright
from ..serve.limits import Limits
from ..serve.middleware import answering_head, bounded, lingering, of_one_origin, secured
from .documents import FittedDocument, PhotographDocument, StateDocument, UndoneDocument
from .session import Session

SIDES = {"small": 200, "large": 1000}  # pixels of a picture's longer side
KEPT = 4_000  # pictures in memory, some 10 kB each
LIMITS = Limits(upload_bytes=1_000_000)  # the others are those of serve
MOST = 500  # photographs of one request
RULES = {"img-src": "'self' data:", "connect-src": "'self'", "frame-ancestors": "'none'"}
Count = Annotated[int, Query(ge=1, le=MOST)]


class Labels(BaseModel):
    """Labels that a person gives: by row; an empty one takes a label away."""

    model_config = ConfigDict(extra="forbid")
    labels: dict[int, str] = Field(max_length=MOST)
    reason: str | None = Field(None, max_length=40)


class Rows(BaseModel):
    """Photographs that a person does not want to label now."""

    model_config = ConfigDict(extra="forbid")
    rows: list[int] = Field(max_length=MOST)


class ClassChange(BaseModel):
    """A class to add, or to rename where it has another name by now."""

    model_config = ConfigDict(extra="forbid")
    name: str
    was: str | None = None


def make_app(session: Session, model: Path, hosts: Collection[str] = ()) -> ASGIApp:
    """Return the page and what it asks for, as an ASGI application.

    Parameters
    ----------
    session : Session
        The labelling.
    model : Path
        Where ``fit`` saves a classifier.
    hosts : collection of str
        Names that the page is reached by, with the port; any when empty.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app
        try:
            yield
        finally:
            session.close()

    app = FastAPI(title="headstart label", docs_url=None, redoc_url=None, lifespan=lifespan)
    page = make_page(
        "label/page.html.j2",
        {"file": session.file.path, "model": model},
        style=source("label/page.css"),
        script=source("label/page.js"),
        rules=RULES,
    )
    _add_pictures(app, session, page)
    _add_reading(app, session)
    _add_labelling(app, session, model)
    app.add_exception_handler(HeadstartError, _refused)
    return lingering(secured(of_one_origin(bounded(answering_head(app), LIMITS), hosts)))


def _add_pictures(app: FastAPI, session: Session, page: Page) -> None:
    @functools.lru_cache(KEPT)
    def small(digest: str) -> bytes:
        return jpeg(open_upright(session.picture(digest), SIDES["small"]))

    @app.get("/", include_in_schema=False)
    def front() -> HTMLResponse:
        return HTMLResponse(page.text, headers={"Content-Security-Policy": page.policy})

    @app.get("/pictures/{side}/{digest}")
    def picture(side: str, digest: str) -> Response:
        """Return a photograph, made small. Its address says its bytes: it may be kept."""
        if side not in SIDES:
            raise HTTPException(404, "no such size")
        try:
            if side == "small":
                data = small(digest)
            else:
                data = jpeg(open_upright(session.picture(digest), SIDES[side]))
        except DecodeError:
            raise HTTPException(404, "the photograph can no longer be read") from None
        kept = {"Cache-Control": "private, max-age=86400, immutable"}
        return Response(data, media_type="image/jpeg", headers=kept)


def _add_reading(app: FastAPI, session: Session) -> None:
    @app.get("/state", response_model=None)
    def state() -> StateDocument:
        """Say how far the labelling is."""
        return session.state()

    @app.get("/next", response_model=None)
    def following(count: Count = 12) -> list[PhotographDocument]:
        """Return photographs to label next."""
        return session.next(count)

    @app.get("/review", response_model=None)
    def review(count: Count = 12) -> list[PhotographDocument]:
        """Return the labels that are doubted most."""
        return session.review(count)

    @app.get("/photographs", response_model=None)
    def photographs(
        label: str | None = None, start: Annotated[int, Query(ge=0)] = 0, count: Count = 200
    ) -> list[PhotographDocument]:
        """Return photographs in their order, those of a class where one is named."""
        return session.listed(label, start, count)


def _add_labelling(app: FastAPI, session: Session, model: Path) -> None:
    @app.post("/labels", response_model=None)
    def labels(given: Labels) -> StateDocument:
        """Label photographs: they are on the disk when this answers."""
        session.give(given.labels, given.reason)
        return session.state()

    @app.post("/skip", response_model=None)
    def skip(given: Rows) -> StateDocument:
        """Leave photographs out for now."""
        session.skip(given.rows)
        return session.state()

    @app.post("/undo", response_model=None)
    def undo() -> UndoneDocument:
        """Take back what was done last; say which photographs are back."""
        photographs = session.undo()
        return {"photographs": photographs, "state": session.state()}

    @app.post("/classes", response_model=None)
    def classes(change: ClassChange) -> StateDocument:
        """Add a class, rename one, or merge one into another."""
        if change.was is None:
            session.add_class(change.name)
        else:
            session.rename(change.was, change.name)
        return session.state()

    @app.post("/fit", response_model=None)
    def fit() -> FittedDocument:
        """Fit a classifier to the labels, as the command does."""
        return session.fit(model)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    del request
    return JSONResponse({"detail": str(error)}, 422)
