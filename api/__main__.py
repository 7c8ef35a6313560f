"""`python -m api`: the HTTP API as a process."""

import sys

import uvicorn

from api.leased_line import ApiServer, leased_line_listener
from api.main import create_app
from escrow.leave import leave
from escrow.logs import configure_logs
from escrow.memory import keep_what_is_loaded
from escrow.settings import SettingsError, load_settings, variable_of

#: Longer than clients keep an idle connection (httpx2: 5 s, uvicorn's own figure too; load balancers: 60 s): who uses
#: one in the moment in which it is closed cannot tell whether its request was taken.
_KEEPS_CONNECTIONS_SECONDS = 75


def main() -> int:
    """Serve until SIGTERM or SIGINT; calls under way are finished first."""
    try:
        settings = load_settings()
        leased_line = leased_line_listener(settings)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"{variable_of('leased_line_port')}: {error}\n")
        return 2
    configure_logs(settings.log_format, settings.log_level)
    server = ApiServer(
        uvicorn.Config(
            create_app(settings),
            host=settings.api_host,
            port=settings.api_port,
            loop="uvloop",
            log_config=None,
            access_log=False,  # paths carry the numbers of objects; the metrics count calls by template
            timeout_keep_alive=_KEEPS_CONNECTIONS_SECONDS,
            timeout_graceful_shutdown=int(settings.command_answer_seconds) + 2,
        ),
        leased_line,
    )
    keep_what_is_loaded()
    server.run()
    return 0 if server.started else 1


if __name__ == "__main__":
    leave(main())
