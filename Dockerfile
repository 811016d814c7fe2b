# The service as production runs it: Node, its production packages, the source. No build step, no dev packages.

FROM node:24-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
# npm ci applies them: fixes of the database driver.
COPY patches ./patches
RUN npm ci --omit=dev --no-audit --no-fund

FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY package.json ./
COPY migrations ./migrations
COPY src ./src
# The compiled code, made once: a start takes half the time. Without settings the service loads, and refuses to start.
ENV NODE_COMPILE_CACHE=/app/compiled
RUN mkdir compiled && chown node compiled
USER node
RUN node src/main.ts || true
EXPOSE 8000
# Live, not ready: an instance that waits for PostgreSQL needs no restart.
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "-e", "const { PORT, API_PREFIX } = process.env; fetch(`http://127.0.0.1:${PORT || 8000}${API_PREFIX || '/api/v1'}/health/live`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# node is PID 1 and handles SIGTERM itself. Nothing is written to disk: a read-only root file system works.
CMD ["node", "src/main.ts"]
