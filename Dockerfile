ARG BASE_IMAGE=python:3.11-slim

# What the lock names, and the service itself, in /opt/venv.
FROM ${BASE_IMAGE} AS build
WORKDIR /build
COPY tools/requirements.txt tools/
RUN python3 -m venv /opt/tools && /opt/tools/bin/pip install --no-cache-dir -q -r tools/requirements.txt
COPY pyproject.toml poetry.lock ./
RUN python3 -m venv --without-pip /opt/venv \
    && /opt/tools/bin/poetry export --all-extras -o locked.txt \
    && /opt/tools/bin/pip --python /opt/venv/bin/python install --no-cache-dir -q \
        --require-hashes --only-binary :all: -r locked.txt
COPY README.md LICENSE THIRD_PARTY.md ./
COPY migrations migrations
COPY chat_service_client chat_service_client
COPY chat_service chat_service
RUN /opt/tools/bin/pip --python /opt/venv/bin/python install --no-cache-dir -q --no-deps .

# The same base, so that the environment finds its Python where it was made.
FROM ${BASE_IMAGE}
WORKDIR /app
RUN useradd --uid 10001 --no-create-home chat && install -d -o chat -m 700 var
COPY --from=build /opt/venv /opt/venv
COPY config config
ENV PATH=/opt/venv/bin:$PATH \
    CHAT_SERVICE_ENVIRONMENT=production \
    CHAT_SERVICE_SERVER_HOST="*"
USER chat
VOLUME /app/var
EXPOSE 8080
HEALTHCHECK --start-period=30s --interval=15s --timeout=5s CMD ["chat-service", "health"]
# The first start prints the first agent and key, once; later ones find a workspace and print nothing.
CMD ["sh", "-c", "chat-service migrate && chat-service seed-demo --credentials - && exec chat-service serve"]
