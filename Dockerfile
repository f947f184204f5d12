# clave serve, without torch:  docker build -t clave .  &&  docker run -p 8100:8100 -e CLAVE_TOKENS=… -v ./evaluator:/evaluator:ro clave
FROM python:3.12-slim AS build
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
RUN python -m venv /opt/clave && /opt/clave/bin/pip install --no-cache-dir -c constraints.txt '.[serve]'

FROM python:3.12-slim
RUN useradd --system --uid 10001 --create-home clave && install -d -o clave /cache
COPY --from=build /opt/clave /opt/clave
ENV PATH=/opt/clave/bin:$PATH CLAVE_CACHE=/cache/completions.sqlite PYTHONUNBUFFERED=1
USER 10001
VOLUME /cache
EXPOSE 8100
HEALTHCHECK --interval=30s --start-period=60s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8100/readyz', timeout=5)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["clave", "serve", "--host", "0.0.0.0"]
CMD ["/evaluator"]
