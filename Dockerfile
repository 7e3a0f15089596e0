# A small image that serves: the steps are those of .ci/serving-env, which CI runs and measures.
#   docker build -t mfrec . && docker run --read-only --tmpfs /tmp -p 127.0.0.1:8000:8000 -v "$PWD/store:/store:ro" mfrec
FROM python:3.12-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN .ci/serving-env /opt/mfrec python

FROM python:3.12-slim
COPY --from=build /opt/mfrec /opt/mfrec
# numpy's own threads would fight with the workers; nothing is written, so the file system may be read-only
ENV PATH=/opt/mfrec/bin:$PATH OPENBLAS_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
ENTRYPOINT ["mfrec"]
CMD ["serve", "/store", "--host", "0.0.0.0", "--json-log"]
