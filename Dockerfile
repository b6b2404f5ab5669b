# syntax=docker/dockerfile:1

# The toolchain's version is that of rust-toolchain.toml; a test compares them.
# The file itself stays outside (.dockerignore), or rustup would fetch clippy.
FROM rust:1.95.0-bookworm AS build
WORKDIR /build
COPY . .
# What viewcast_build_info says: --build-arg COMMIT=$(git rev-parse --short=12 HEAD)
ARG COMMIT=unknown
RUN VIEWCAST_COMMIT=$COMMIT cargo build --locked --release

# The same Debian, for the same libc; nothing is installed into it.
FROM debian:bookworm-slim
COPY --from=build /build/target/release/viewcast /usr/local/bin/viewcast
COPY LICENSE-MIT LICENSE-APACHE /usr/share/doc/viewcast/
# Nobody in particular: the gateway writes no file and opens no low port.
USER 10001:10001
# Inside a container, loopback would be out of everybody's reach.
ENV VIEWCAST_LISTEN=0.0.0.0:8080
EXPOSE 8080
STOPSIGNAL SIGTERM
# Liveness, as /healthz defines it; the image has no curl. It follows VIEWCAST_
# variables and the file; repeat here what is given as flags.
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s \
    CMD ["viewcast", "healthcheck"]
ENTRYPOINT ["viewcast"]
