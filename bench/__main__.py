"""`python -m bench` (`make bench`): measure every row, print the table, write RESULTS.md and results.json."""

import sys
from statistics import median
from typing import Annotated, Any

import typer
import uvloop

from bench.histories import count_history_events
from bench.house import open_house
from bench.large import measure_sizes
from bench.latency import measure_accept
from bench.lives import FloorLife, start_floor_watch
from bench.orders import measure_orders
from bench.postings import measure_postings
from bench.program import run, say
from bench.report import RESULTS_MD, write_report
from bench.results import RESULTS_JSON, outcome, store_results
from escrow.logs import configure_logs

#: Least number of rounds of which a median is taken.
_LEAST_ROUNDS = 3


def main(
    rounds: Annotated[int, typer.Option(min=_LEAST_ROUNDS, help="Rounds of every comparison.")] = _LEAST_ROUNDS,
    seconds: Annotated[float, typer.Option(min=1, help="Length of one round of one kind of load.")] = 8,
    ten_million: Annotated[
        bool, typer.Option(envvar="TEN_MILLION", help="Also the rows at 10 million lines: some minutes more, 6 GB.")
    ] = False,
) -> None:
    """Measure every row as a ratio inside one run."""
    configure_logs("console", "WARNING")
    sys.stdout.write(uvloop.run(_measure(rounds, seconds, ten_million)))
    sys.stdout.write(f"\nwritten: {RESULTS_MD.name} and {RESULTS_JSON.name}\n")


async def _measure(rounds: int, seconds: float, ten_million: bool) -> str:
    """Measure part by part, each kept when it is done; the page."""
    results = store_results(await _postings(rounds, seconds))
    results = store_results(await _orders(rounds, seconds))
    if ten_million:
        results = store_results(await _sizes(rounds, seconds))
    return write_report(results)


async def _postings(rounds: int, seconds: float) -> dict[str, Any]:
    say("bench", "postings against TPC-B")
    rates = await measure_postings(rounds=rounds, seconds=seconds)
    per_second = {
        "tpcb": rates.tpcb,
        "spread": rates.spread,
        "hot": rates.hot,
        "callers_64": rates.spread_64,
    }
    medians = {name: round(median(values)) for name, values in per_second.items()}
    return {name: outcome(name, ratios, per_second=medians) for name, ratios in rates.ratios().items()}


async def _orders(rounds: int, seconds: float) -> dict[str, Any]:
    say("bench", "the whole stack: starting it")
    async with open_house() as house:
        await start_floor_watch(house.client)
        await FloorLife(house.client).live()
        say("bench", "history lengths")
        lengths = await count_history_events(house)
        say("bench", "latency of accept")
        latencies = await measure_accept(house, rounds=rounds)
        say("bench", "orders against the floor")
        rates = await measure_orders(house, rounds=rounds, seconds=seconds)
    accept_ms = [median(calls) for calls in latencies.accept]
    floor_ms = [median(calls) for calls in latencies.floor]
    kinds = {"floor": rates.floor, "ours": rates.ours, "over_http": rates.over_http}
    return {
        "orders_vs_floor": outcome(
            "orders_vs_floor",
            _ratios(rates.ours.per_second, rates.floor.per_second),
            over_http=round(median(_ratios(rates.over_http.per_second, rates.floor.per_second)), 3),
            per_second={name: round(median(rate.per_second), 2) for name, rate in kinds.items()},
            cpu_ms_per_order={name: rate.cpu_ms_per_order() for name, rate in kinds.items()},
            repeated_calls=house.repeated_calls,
        ),
        "accept_latency_vs_floor": outcome(
            "accept_latency_vs_floor",
            _ratios(accept_ms, floor_ms),
            p50_ms={"accept": round(median(accept_ms), 1), "floor": round(median(floor_ms), 1)},
        ),
        "history_events": outcome("history_events", [lengths.order_events]),
        "payout_events": outcome("payout_events", [lengths.payout_events], queries=lengths.payout_queries),
    }


async def _sizes(rounds: int, seconds: float) -> dict[str, Any]:
    say("bench", "ten million lines: filling the book takes some minutes")
    small, large = await measure_sizes(rounds=rounds, seconds=seconds)
    lines = {"small": small.lines, "large": large.lines, "load_seconds": round(large.load_seconds)}
    return {
        "postings_10m_vs_10k": outcome(
            "postings_10m_vs_10k",
            _ratios(large.postings_per_second, small.postings_per_second),
            lines=lines,
            per_second={
                "small": round(median(small.postings_per_second)),
                "large": round(median(large.postings_per_second)),
            },
        ),
        "statement_10m_vs_10k": outcome(
            "statement_10m_vs_10k",
            _ratios(large.statement_ms, small.statement_ms),
            lines=lines,
            p50_ms={"small": round(median(small.statement_ms), 2), "large": round(median(large.statement_ms), 2)},
        ),
    }


def _ratios(ours: list[float], theirs: list[float]) -> list[float]:
    return [one / other for one, other in zip(ours, theirs, strict=True)]


if __name__ == "__main__":
    run(main)
