# One image for a company's server. It writes nothing but to /state, which may be a volume or, with PostgreSQL, empty memory.
FROM python:3.13-slim AS build
WORKDIR /source
COPY requirements.lock requirements.hosted.lock ./
# What builds the wheel stays behind here; what runs is pinned by hash as well.
RUN python -m venv /tools && /tools/bin/pip install --no-cache-dir --require-hashes --requirement requirements.lock \
 && python -m venv /app && /app/bin/pip install --no-cache-dir --require-hashes --requirement requirements.hosted.lock
COPY pyproject.toml README.md LICENSE ./
COPY saasus_mcp saasus_mcp
RUN /tools/bin/hatchling build --target wheel --directory /wheel && /app/bin/pip install --no-cache-dir --no-deps /wheel/*.whl

FROM python:3.13-slim
# TLS is verified against the system's store, which a slim image may lack.
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin saasus \
 && install --directory --mode 0700 --owner saasus /state
COPY --from=build /app /app
ENV PATH=/app/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 SAASUS_MCP_STATE_DIR=/state
USER 10001
VOLUME /state
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["saasus-mcp"]
CMD ["serve", "--transport", "http", "--host", "0.0.0.0", "--port", "8000"]
