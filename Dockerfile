# An image with nothing but the program, its libraries and the certificates of public authorities.

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --locked --release --package waggle

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --home-dir /data --create-home --shell /usr/sbin/nologin waggle \
    && chmod 700 /data
COPY --from=build /src/target/release/waggle /usr/local/bin/waggle
ENV WAGGLE_LISTEN=0.0.0.0:8000 WAGGLE_DATA_DIR=/data
WORKDIR /data
VOLUME /data
EXPOSE 8000
USER waggle
# It is the first process and handles SIGTERM, so `docker stop` lets it finish what has begun.
STOPSIGNAL SIGTERM
ENTRYPOINT ["waggle"]
CMD ["serve"]
