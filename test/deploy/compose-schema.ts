const strings = { type: "array", items: { type: "string" } } as const;
const duration = { type: "string", pattern: "^[0-9]+(ms|s|m)$" } as const;

/** The part of the Compose format that docker-compose.yml uses, strictly: a misspelt key or a wrong type is an error. */
export const composeSchema = {
  type: "object",
  required: ["services", "volumes"],
  additionalProperties: false,
  patternProperties: { "^x-": {} },
  properties: {
    volumes: { type: "object", additionalProperties: { type: "null" } },
    services: { type: "object", additionalProperties: { $ref: "#/$defs/service" } },
  },
  $defs: {
    service: {
      type: "object",
      required: ["image"],
      additionalProperties: false,
      properties: {
        // Every image has a tag, and none that moves without notice.
        image: { type: "string", pattern: "^[a-z0-9./-]+:(?!latest$)[a-z0-9.-]+$" },
        build: {
          type: "object",
          required: ["context", "dockerfile", "target"],
          additionalProperties: false,
          properties: {
            context: { const: "." },
            dockerfile: { type: "string" },
            target: { enum: ["service", "agent"] },
          },
        },
        command: strings,
        environment: { type: "object", additionalProperties: { type: "string" } },
        ports: { type: "array", items: { type: "string", pattern: "^127\\.0\\.0\\.1:\\d+:\\d+$" } },
        volumes: { type: "array", items: { type: "string", pattern: "^(\\./)?[a-z0-9./-]+:/[^:]+(:ro)?$" } },
        depends_on: {
          type: "object",
          additionalProperties: {
            type: "object",
            required: ["condition"],
            additionalProperties: false,
            properties: {
              condition: {
                enum: ["service_started", "service_healthy", "service_completed_successfully"],
              },
            },
          },
        },
        healthcheck: {
          type: "object",
          additionalProperties: false,
          properties: {
            test: { type: "array", items: { type: "string" }, minItems: 2 },
            disable: { const: true },
            interval: duration,
            timeout: duration,
            retries: { type: "integer", minimum: 1 },
          },
          oneOf: [{ required: ["test"] }, { required: ["disable"] }],
        },
        restart: { const: "unless-stopped" },
        user: { type: "string", pattern: "^\\d+:\\d+$" },
        init: { const: true },
        cap_drop: { const: ["ALL"] },
        security_opt: strings,
        network_mode: { type: "string", pattern: "^(none|service:[a-z-]+)$" },
        stop_grace_period: duration,
        shm_size: { type: "string", pattern: "^[0-9]+(mb|gb)$" },
        profiles: strings,
      },
    },
  },
} as const;
