# One image for the API, the workers, the bank sandbox and a single-node Temporal: they differ by their command.
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

WORKDIR /app

# Dependencies first, from the two files that name them, so that a change of code does not install them again.
COPY pyproject.toml constraints.txt README.md ./
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" \
      > /tmp/requirements.txt \
 && pip install -r /tmp/requirements.txt hatchling -c constraints.txt \
 && rm /tmp/requirements.txt

COPY escrow escrow
COPY workflows workflows
COPY activities activities
COPY api api
COPY bank_sandbox bank_sandbox
COPY worker.py ./
RUN pip install --no-deps --no-build-isolation -e . -c constraints.txt \
 && useradd --create-home --uid 10001 escrow \
 && install -d -o escrow -g escrow /data

USER escrow
VOLUME /data

# Each service of docker-compose.yml says what it runs.
CMD ["escrow", "--help"]
