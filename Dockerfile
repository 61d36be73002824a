# One image for web, worker, beat and every command. Nothing is compiled: all packages come as wheels.
FROM python:3.11-slim-bookworm

# pg_dump and pg_restore, for manage.py backup and restore.
RUN apt-get update \
    && apt-get install -y --no-install-recommends postgresql-client \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home parkwell \
    && install -d -o parkwell -g parkwell /var/lib/parkwell

# The volume is shared by web, worker and beat; the numbers of each process stay in its container.
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 \
    DEBUG=false HOST=0.0.0.0 PORT=8000 VAR_DIR=/var/lib/parkwell ENV_FILE=/dev/null \
    METRICS_DIR=/tmp/metrics

WORKDIR /app
COPY requirements.txt .
RUN pip install --only-binary=:all: -r requirements.txt
COPY . .
# Keys of this moment only: collecting files signs nothing.
RUN SECRET_KEY=$(python -c "import secrets; print(secrets.token_urlsafe(64))") \
    JWT_SECRET_KEY=$(python -c "import secrets; print(secrets.token_urlsafe(64))") \
    ALLOWED_HOSTS=localhost VAR_DIR=/tmp/build METRICS_DIR=/tmp/build/metrics \
    python manage.py collectstatic --noinput --verbosity 0 \
    && python -m compileall -q . && rm -rf /tmp/build

USER parkwell
VOLUME /var/lib/parkwell
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s CMD ["python", "-m", "parking.probe"]
# The Procfile's line for web, so that there is one place that says how it is started.
CMD ["python", "-m", "parking.start", "web"]
