# syntax=docker/dockerfile:1
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends build-essential && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked -p keyway-cli && cp target/release/keyway /keyway

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home --home-dir /var/lib/keyway keyway
COPY --from=build /keyway /usr/local/bin/keyway
USER keyway
WORKDIR /var/lib/keyway
ENV KEYWAY_LISTEN=0.0.0.0:8080
EXPOSE 8080
ENTRYPOINT ["keyway"]
CMD ["serve"]
