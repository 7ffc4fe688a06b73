# Two images of one build: `sidecar` (the default), which runs in pods, and `webhook` (--target webhook), which injects it.
# Nothing but a static program and the certificate authorities is in them. docs/image.md tells how to check a build.

FROM docker.io/library/rust:1.95-bookworm AS build
# Which commit it is of; there is no .git here.
ARG COMMIT=unknown
ENV CARGO_INCREMENTAL=0 \
    IRSA_SIDECAR_COMMIT=${COMMIT}
WORKDIR /build
COPY . .
# glibc, linked in, for the platform that this is built on: that needs no target which rustup would have to fetch. The
# paths of the build are left out, so that it is the same wherever it is built.
RUN printf '%s\n' \
      '[build]' \
      "target = \"$(uname -m)-unknown-linux-gnu\"" \
      'rustflags = ["-Ctarget-feature=+crt-static", "-Clink-arg=-Wl,-z,pack-relative-relocs", "--remap-path-prefix=/build=.", "--remap-path-prefix=/usr/local/cargo=cargo"]' \
      > /build/.cargo-config.toml \
 && mkdir -p /out/etc/ssl/certs \
 && cp /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/

FROM build AS build-sidecar
RUN cargo build --config .cargo-config.toml --locked --release \
 && cp target/*-unknown-linux-gnu/release/irsa-sidecar /out/

# On top of the other: most of what it is made of is compiled already.
FROM build-sidecar AS build-webhook
RUN cargo build --config .cargo-config.toml --locked --release --features webhook \
 && cp target/*-unknown-linux-gnu/release/irsa-sidecar /out/

FROM scratch AS webhook
LABEL org.opencontainers.image.title="irsa-sidecar-webhook" \
      org.opencontainers.image.description="Injects irsa-sidecar into pods" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build-webhook /out /
ENV PATH=/
USER 65532:65532
STOPSIGNAL SIGTERM
ENTRYPOINT ["/irsa-sidecar"]
CMD ["webhook"]

FROM scratch AS sidecar
LABEL org.opencontainers.image.title="irsa-sidecar" \
      org.opencontainers.image.description="Gives old AWS SDKs the IAM role of their Kubernetes ServiceAccount, from inside the pod" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build-sidecar /out /
ENV PATH=/
USER 65532:65532
STOPSIGNAL SIGTERM
ENTRYPOINT ["/irsa-sidecar"]
CMD ["serve"]
