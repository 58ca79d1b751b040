FROM golang:1.26.8 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=development
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /hub ./cmd/hub

# Nothing but the binary, so there is no shell and no HEALTHCHECK: ask
# /readyz from outside, as deploy/haproxy/haproxy.cfg does.
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /hub /hub
USER 65532:65532
# Reached from outside the container, the hub starts only with HUB_INSECURE=true:
# whoever runs it says who can reach it, not this image.
ENV HUB_ADDR=:8080
EXPOSE 8080
ENTRYPOINT ["/hub"]
