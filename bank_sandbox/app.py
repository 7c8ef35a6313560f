"""Puts the HTTP handles over one bank: for its client, for payers, and for people and tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from bank_sandbox import collection_gateway, collection_steering, gateway, pay_page, steering, verification_gateway
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
    for part in (gateway, collection_gateway, verification_gateway, steering, collection_steering, pay_page):
        app.include_router(part.router)
    app.add_exception_handler(Refusal, steering.refused)
    return app
