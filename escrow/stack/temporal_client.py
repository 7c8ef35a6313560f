"""How every process of ours connects to Temporal: the environment says where, the payloads are pydantic."""

from temporalio.client import Client
from temporalio.converter import DataConverter
from temporalio.envconfig import ClientConfig, ClientConnectConfig
from temporalio.runtime import Runtime

from escrow.stack.payloads import data_converter

#: Where a Temporal server on this machine listens when nothing else is said.
DEFAULT_ADDRESS = "127.0.0.1:7233"


def temporal_client_config() -> ClientConnectConfig:
    """Address, namespace, API key and TLS from the TEMPORAL_… variables or the profile file they name."""
    config = ClientConfig.load_client_connect_config()
    config.setdefault("target_host", DEFAULT_ADDRESS)
    return config


async def connect_temporal(
    *, lazy: bool = False, runtime: Runtime | None = None, converter: DataConverter = data_converter
) -> Client:
    """Client with our data converter.

    Args:
        lazy: connect with the first call instead of now, for a process that must start without Temporal.
        runtime: carries the metrics of the SDK, None for the default one.
        converter: how payloads travel.

    Raises:
        RuntimeError: not lazy, and no server answers.
    """
    return await Client.connect(**temporal_client_config(), data_converter=converter, lazy=lazy, runtime=runtime)
