# syntax=docker/dockerfile:1
#
# One image for every role of Weft; the container's arguments name the role:
#
#   docker build -t weft .
#   docker run --rm weft version
#
# `deno task image` makes the same as an archive without an engine. As a sidecar outside Kubernetes, beside an application that
# listens on 8080, with a plan that `weft dry-run -o plan` wrote:
#
#   docker run --network container:APPLICATION -v "$PWD/plan.json:/etc/weft/plan.json:ro" weft \
#     proxy --plan /etc/weft/plan.json --outbound 127.0.0.1:15001 --admin 127.0.0.1:15000
#
# docs/architecture.md says why the sidecar may not run as root: uid 1500 is how redirection tells its own traffic.

# The build stage has Node, whose npm brings Deno; `deno compile` fetches its base binary from Deno's own site.
FROM node:22-bookworm-slim AS build
# ca-certificates for that download, git for the commit that `weft version` prints.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates git \
 && rm -rf /var/lib/apt/lists/*
RUN npm install --global deno@2.9.6
WORKDIR /source
COPY . .
RUN deno task compile

# The runtime's files come from the same Debian release as the build's, so the C library fits.
FROM debian:bookworm-slim AS runtime
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates libssl3 libgcc-s1 iptables \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /source/dist/weft /source/tools/image_root.sh /build/
RUN sh /build/image_root.sh /build/weft /image

# No shell, no package manager: the executable, libc, OpenSSL 3, CA certificates, iptables for `weft proxy-init`.
FROM scratch
COPY --from=runtime /image/ /
ENV HOME=/tmp PATH=/usr/local/bin:/usr/sbin
# outbound, inbound, admin, health and metrics
EXPOSE 15001 15003 15000 15010
USER 1500:1500
ENTRYPOINT ["/usr/local/bin/weft"]
CMD ["help"]
