"""Temporal's dev server as our child: our search attributes, durable over a crash."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeIndexedValueType, SearchAttributeKey

from escrow.stack.processes import StackError, free_port
from escrow.stack.temporal import SEARCH_ATTRIBUTES, TemporalDevServer
from escrow.stack.temporal_client import connect_temporal, temporal_client_config
from workflows import search_attributes


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TemporalDevServer]:
    running = TemporalDevServer(tmp_path / "temporal", port=free_port(), ui_port=free_port())
    await running.start()
    yield running
    await running.stop()


async def registered(address: str) -> set[str]:
    client = await Client.connect(address)
    answer = await client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace="default"))
    return set(answer.custom_attributes)


async def test_it_knows_our_search_attributes_also_when_started_again(server: TemporalDevServer) -> None:
    assert await registered(server.address) >= set(SEARCH_ATTRIBUTES)
    await server.stop()
    await server.start()
    assert await registered(server.address) >= set(SEARCH_ATTRIBUTES)


def test_the_server_registers_exactly_what_the_workflows_set() -> None:
    keys = [key for key in vars(search_attributes).values() if isinstance(key, SearchAttributeKey)]
    kinds = {SearchAttributeIndexedValueType.KEYWORD: "Keyword", SearchAttributeIndexedValueType.INT: "Int"}
    kinds[SearchAttributeIndexedValueType.BOOL] = "Bool"
    assert {key.name: kinds[key.indexed_value_type] for key in keys} == SEARCH_ATTRIBUTES


async def test_a_workflow_survives_a_crash_of_the_server(server: TemporalDevServer) -> None:
    client = await Client.connect(server.address)
    await client.start_workflow("Nobody", id="order/HOME/D-1", task_queue="nobody-listens")
    await server.kill()
    await server.start()
    description = await (await Client.connect(server.address)).get_workflow_handle("order/HOME/D-1").describe()
    assert description.workflow_type == "Nobody"


async def test_clients_find_the_server_by_temporals_own_variables(
    server: TemporalDevServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", server.address)
    client = await connect_temporal()
    assert await client.service_client.check_health()


def test_cloud_and_clusters_are_a_matter_of_variables_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "house.example:7233")
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "escrow.prod")
    monkeypatch.setenv("TEMPORAL_API_KEY", "key")
    config = temporal_client_config()
    assert config["target_host"] == "house.example:7233"
    assert config["namespace"] == "escrow.prod"
    assert config["tls"] is True


async def test_a_taken_port_is_told_with_the_servers_own_words(server: TemporalDevServer, tmp_path: Path) -> None:
    second = TemporalDevServer(tmp_path / "second", port=server.port, ui_port=free_port())
    with pytest.raises(StackError, match="ended with code"):
        await second.start()
