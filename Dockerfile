# One image for a company's server. It writes only to /state, which may be a volume or, with PostgreSQL, empty memory.
#
# The image is reproducible: everything is installed from locks with hashes, bytecode does not contain times, and BuildKit sets the times
# of files. Name the base image by its digest to build the same image later:
#   docker buildx build --build-arg PYTHON=python:3.13-slim@sha256:... --build-arg SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) \
#     --output type=image,name=saasus-mcp,rewrite-timestamp=true .
ARG PYTHON=python:3.13-slim

FROM ${PYTHON} AS build
ARG SOURCE_DATE_EPOCH=0
WORKDIR /source
COPY requirements.lock requirements.hosted.lock ./
# The tools that build the wheel stay in this stage. They are pinned by hash as well.
RUN python -m venv /tools && /tools/bin/pip install --no-cache-dir --require-hashes --requirement requirements.lock \
 && python -m venv /app && /app/bin/pip install --no-cache-dir --no-compile --require-hashes --requirement requirements.hosted.lock
COPY pyproject.toml README.md LICENSE ./
COPY saasus_mcp saasus_mcp
# A server without bytecode would compile 2,000 modules at each start. Bytecode that names the hash of its source is the same in each build.
RUN /tools/bin/hatchling build --target wheel --directory /wheel \
 && /app/bin/pip install --no-cache-dir --no-compile --no-deps /wheel/*.whl \
 && find /app -name __pycache__ -prune -exec rm -r {} + \
 && PYTHONHASHSEED=0 /app/bin/python -m compileall -q --invalidation-mode unchecked-hash /app/lib

FROM ${PYTHON}
ARG SOURCE_DATE_EPOCH=0
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin saasus \
 && install --directory --mode 0700 --owner saasus /state
COPY --from=build /app /app
ENV PATH=/app/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 SAASUS_MCP_STATE_DIR=/state
USER 10001
VOLUME /state
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["saasus-mcp"]
CMD ["serve", "--transport", "http", "--host", "0.0.0.0", "--port", "8000"]
