import { expect, it } from "vitest";
import { reachableUrl } from "./reachable-url.ts";

it.each([
  ["nats://127.0.0.1:7422", "nats://10.0.0.1:7422"],
  ["http://0.0.0.0:7072", "http://10.0.0.1:7072"],
  ["http://[::1]:7072/x?y=1", "http://10.0.0.1:7072/x?y=1"],
  ["nats://bus.example:4222", "nats://bus.example:4222"],
  ["tls://10.9.9.9:4222", "tls://10.9.9.9:4222"],
])("%s of a platform that was reached at 10.0.0.1 is %s", (url, reachable) => {
  expect(reachableUrl(url, "https://10.0.0.1:7070")).toBe(reachable);
});
