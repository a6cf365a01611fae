"""The application: its routes, and what every request passes through before them."""

import logging
from typing import Any

from fastapi import Depends, FastAPI

import mobisdk
from mobisdk.server.authentication import allow
from mobisdk.server.body import LimitedBodies
from mobisdk.server.lab import Lab
from mobisdk.server.problems import RESPONSES, add_handlers
from mobisdk.server.request_log import RequestLog
from mobisdk.server.routes import bundles, dashboard, health, metrics, page, plan, runs, tokens
from mobisdk.server.security import Guard, own_names


def create_app(lab: Lab, logger: logging.Logger, names: tuple[str, ...] = ()) -> FastAPI:
    """Make the application that serves `lab`; `names` are what this computer is called beside its own names."""
    app = FastAPI(
        title="mobisdk lab server",
        version=mobisdk.__version__,
        openapi_url=None,  # below, since it needs a token
        docs_url=None,  # both pages load scripts from elsewhere
        redoc_url=None,
        responses=RESPONSES,
        redirect_slashes=False,  # the protocol has no redirects
    )
    app.state.lab = lab
    add_handlers(app)
    for routes in (page, tokens, bundles, plan, runs, dashboard, health, metrics):
        app.include_router(routes.router)

    @app.get("/openapi.json", include_in_schema=False, dependencies=[Depends(allow("read"))])
    def get_openapi() -> dict[str, Any]:
        return app.openapi()

    # The last is the outermost.
    app.add_middleware(LimitedBodies, limits=lab.limits)
    app.add_middleware(Guard, names=own_names(lab.address.host, *names))
    app.add_middleware(RequestLog, logger=logger, rates=lab.rates, metrics=lab.metrics)
    return app
