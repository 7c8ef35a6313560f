"""Puts the two HTTP handles over one bank."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from bank_sandbox import gateway, steering
from bank_sandbox.bank import Bank
from bank_sandbox.options import Options
from bank_sandbox.refusals import Refusal


def create_app(options: Options) -> FastAPI:
    """The bank as an ASGI application; its books open when it starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        bank = Bank(options)
        app.state.bank = bank
        await bank.open()
        try:
            yield
        finally:
            await bank.close()

    app = FastAPI(title="Bank sandbox", version="1", lifespan=lifespan)
    app.include_router(gateway.router)
    app.include_router(steering.router)
    app.add_exception_handler(Refusal, steering.refused)
    return app
