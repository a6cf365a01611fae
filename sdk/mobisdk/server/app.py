"""The application: its routes, and what every request passes through before them."""

from fastapi import FastAPI

import mobisdk
from mobisdk.server.body import LimitedBodies
from mobisdk.server.lab import Lab
from mobisdk.server.problems import add_handlers
from mobisdk.server.routes import bundles, health, runs, tokens


def create_app(lab: Lab) -> FastAPI:
    """Make the application that serves `lab`."""
    app = FastAPI(
        title="mobisdk lab server",
        version=mobisdk.__version__,
        docs_url=None,  # both pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,  # the protocol has no redirects
    )
    app.state.lab = lab
    add_handlers(app)
    for routes in (tokens, bundles, runs, health):
        app.include_router(routes.router)
    app.add_middleware(LimitedBodies, limits=lab.limits)
    return app
