/** The services that run once per platform, each with its own database, key and bus user. */
export const serviceNames = [
  "scheduler",
  "tracking",
  "dataset",
  "evaluation",
  "registry",
  "gateway",
] as const;
export type ServiceName = (typeof serviceNames)[number];

/** Everything that has its own port; agents beyond the first get theirs when they are added. */
export type PortName = ServiceName | "agent" | "nats" | "mongod";

/** A port for every part. */
export type Ports = Readonly<Record<PortName, number>>;

/** Where a person's own platform listens, so that addresses can be remembered. */
export const defaultPorts: Ports = {
  gateway: 7070,
  scheduler: 7071,
  tracking: 7072,
  dataset: 7073,
  evaluation: 7074,
  registry: 7075,
  agent: 7079,
  nats: 7422,
  mongod: 7717,
};

/** Host names under which parts reach each other; a part that is left out is on this machine. */
export type Hosts = Readonly<Partial<Record<ServiceName | "nats" | "mongod", string>>>;

/** The database a service owns; nobody else can read it. */
export function databaseOf(service: ServiceName): string {
  return `trainyard_${service}`;
}

/** Bus users of people and their tools: "subscriber" only reads events, "admin" may do everything (tests, repairs). */
export const busUserNames = ["subscriber", "admin"] as const;
export type BusUserName = (typeof busUserNames)[number];
