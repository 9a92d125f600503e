# CPU. docker build -t headstart . && docker run --rm -v "$PWD:/data" headstart fit head /data/photographs
FROM python:3.11-slim
COPY . /src
RUN pip install --no-cache-dir --constraint /src/constraints.txt '/src[cloud,export,formats,parquet,serve]' \
    && rm -rf /src && useradd --create-home headstart && install -d -o headstart /cache
USER headstart
ENV HEADSTART_CACHE=/cache
VOLUME /cache
WORKDIR /data
ENTRYPOINT ["headstart"]
