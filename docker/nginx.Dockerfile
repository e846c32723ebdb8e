# nginx with HashWorld's configuration. Static files come from web, through its cache, so that this
# image changes only with the configuration and need not be replaced with every version.
#
#   docker build -f docker/nginx.Dockerfile -t hashworld/nginx:TAG .
ARG NGINX_IMAGE=nginx:1.30

FROM ${NGINX_IMAGE}
COPY config/nginx/nginx.conf /opt/hashworld/config/nginx/nginx.conf
COPY scripts/nginx.sh /opt/hashworld/scripts/nginx.sh
USER 10001:10001
ARG VERSION=unknown
ARG REVISION=unknown
# The sum of what is in this image: equal where nothing is new.
ARG CONFIGURATION=unknown
LABEL org.opencontainers.image.title="HashWorld nginx" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      hashworld.configuration="${CONFIGURATION}"
EXPOSE 8443
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["curl", "-fsSk", "-o", "/dev/null", "https://127.0.0.1:8443/_health"]
ENTRYPOINT ["/opt/hashworld/scripts/nginx.sh"]
CMD []
