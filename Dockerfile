# Debian, for the embedded engine needs glibc.
FROM node:24-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund && npm cache clean --force
COPY . .
RUN mkdir /data && chown node:node /data
USER node
ENV CLOSEWATCH_DATA_DIR=/data
VOLUME /data
EXPOSE 4000 4317 4318
CMD ["node", "--max-semi-space-size=64", "--disable-warning=ExperimentalWarning", "cli/main.ts", "up"]
