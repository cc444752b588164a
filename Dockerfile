# The image of every process of docker-compose.yml. Python packages come from the hashed lock.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY requirements-dev.lock requirements.lock pyproject.toml README.md LICENSE ./
COPY ingest ingest
COPY scanners scanners
COPY workers workers
COPY profiles profiles
COPY console console
RUN python -m venv /opt/scanstrasse \
    && /opt/scanstrasse/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements.lock \
    && python -m venv /build \
    && /build/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements-dev.lock \
    && /build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/scanstrasse/bin/pip install --no-cache-dir --no-deps --no-index /wheels/*.whl

FROM python:3.11-slim-bookworm
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        tesseract-ocr tesseract-ocr-deu tesseract-ocr-eng tesseract-ocr-frk tesseract-ocr-script-frak tesseract-ocr-osd \
        ghostscript fonts-urw-base35 fonts-dejavu-core \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home --home-dir /var/lib/scanstrasse scanstrasse \
    && install -d -o scanstrasse -g scanstrasse -m 0750 /data /keys
COPY --from=build /opt/scanstrasse /opt/scanstrasse
ENV PATH=/opt/scanstrasse/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    OMP_THREAD_LIMIT=1 \
    SCANSTRASSE_DATA=/data
USER scanstrasse
VOLUME ["/data", "/keys"]
ENTRYPOINT ["scanstrasse"]
CMD ["run"]
