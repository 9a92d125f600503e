"""The service's addresses."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.types import ASGIApp

from ...version import __version__
from ..predict.in_memory import Labeller
from .answers import Answer, Health, Problem
from .limits import Limits
from .middleware import answering_head, lingering, measured, secured
from .pages import documentation, front_page
from .service import Service

REFUSALS = {
    400: "The form is malformed or holds no file.",
    408: "The upload did not arrive in time.",
    413: "The upload is too large, or has too many files.",
    415: "The body is no form.",
    422: "None of the files is an image that can be labelled, and the answer has the reasons; or a "
    "parameter is wrong.",
    503: "Too much is under way: come again after the seconds of Retry-After.",
}
FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {
                        "files": {
                            "type": "array",
                            "minItems": 1,
                            "items": {"type": "string", "format": "binary"},
                            "description": "Photographs: JPEG, PNG, WebP and what else Pillow reads.",
                        }
                    },
                }
            }
        },
    }
}


def make_app(labeller: Labeller, limits: Limits | None = None, top: int = 3) -> ASGIApp:
    """Return the service as an ASGI application.

    It names ``top`` classes a photograph, unless the request says how many.
    """
    service = Service(labeller, limits or Limits())

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app
        try:
            yield
        finally:
            service.close()

    app = FastAPI(
        title="headstart",
        version=__version__,
        summary=f"Labels photographs: {labeller.model.name} on {labeller.model.spec.backbone}.",
        docs_url=None,  # FastAPI's own page loads its script from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    _add_prediction(app, service, top)
    _add_pages(app, service)
    app.add_exception_handler(RequestValidationError, _wrong_parameter)
    known = frozenset(route.path for route in app.routes if hasattr(route, "path"))
    return measured(lingering(secured(answering_head(app))), service.metrics, known)


def _add_prediction(app: FastAPI, service: Service, default_top: int) -> None:
    refusals: dict[int | str, dict[str, Any]] = {
        status: {"model": Answer | Problem if status == 422 else Problem, "description": about}
        for status, about in REFUSALS.items()
    }

    @app.post("/predict", response_model=Answer, responses=refusals, openapi_extra=FORM)
    async def predict(
        request: Request,
        top: Annotated[int, Query(ge=1, description="Classes to name a photograph.")] = default_top,
    ) -> Response:
        """Label the photographs of a form."""
        answer = await service.answer(request, top)
        return Response(
            answer.model_dump_json(),
            200 if answer.predictions else 422,
            media_type="application/json",
        )


def _add_pages(app: FastAPI, service: Service) -> None:
    model = service.labeller.model
    health = Health(
        model=model.name, backbone=model.spec.backbone, classes=model.classes, headstart=__version__
    )
    front, policy = front_page(model, service.limits)

    @app.get("/healthz")
    async def healthz() -> Health:
        """Say what is being served."""
        return health

    @app.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Return figures for Prometheus."""
        return Response(service.metrics.render(), media_type="text/plain; version=0.0.4")

    @app.get("/", include_in_schema=False)
    async def page() -> HTMLResponse:
        return HTMLResponse(front, headers={"Content-Security-Policy": policy})

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        text, policy = documentation(app.openapi())
        return HTMLResponse(text, headers={"Content-Security-Policy": policy})


async def _wrong_parameter(request: Request, error: Exception) -> JSONResponse:
    del request
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    return JSONResponse({"detail": f"{where}: {first['msg']}"}, 422)
