import { readdirSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { text } from "node:stream/consumers";
import { credentials, loadPackageDefinition, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { checkoutRoot } from "@trainyard/local";
import { describe, expect, it } from "vitest";
import type { UnderTest } from "../under-test.ts";
import { footprint } from "./footprint.ts";

const MEBIBYTE = 1024 * 1024;
const LARGE_BYTES = 100 * MEBIBYTE;
/** How much the gateway's memory may have grown at its highest: far less than one such request held whole. */
const MAX_GROWTH_BYTES = 80 * MEBIBYTE;

interface SchedulerClient {
  SubmitJob(
    request: unknown,
    metadata: Metadata,
    options: { readonly deadline: number },
    done: (error: ServiceError | null) => void,
  ): void;
  close(): void;
}
type SchedulerConstructor = new (address: string, credentials: unknown, options: unknown) => SchedulerClient;

/** @grpc/grpc-js without a limit of its own. */
function grpcClient(url: string): SchedulerClient {
  const definition = loadSync("trainyard/scheduler/v1/scheduler.proto", {
    includeDirs: [`${checkoutRoot}/proto`],
  });
  // grpc-js builds the client class at run time, so its type has to be told.
  const root = loadPackageDefinition(definition) as unknown as {
    readonly trainyard: {
      readonly scheduler: { readonly v1: { readonly SchedulerService: SchedulerConstructor } };
    };
  };
  const { SchedulerService } = root.trainyard.scheduler.v1;
  return new SchedulerService(new URL(url).host, credentials.createInsecure(), {
    "grpc.max_send_message_length": -1,
  });
}

/** Highest memory so far of the gateway that this process has started. */
function peakBytes(): number {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const read = (name: string) => {
      try {
        return readFileSync(`/proc/${pid}/${name}`, "utf8");
      } catch {
        // It has ended meanwhile.
        return "";
      }
    };
    const about = read("status");
    if (!new RegExp(`^PPid:\\s+${process.pid}$`, "m").test(about)) continue;
    if (!read("cmdline").includes("services/gateway/main.ts")) continue;
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(about)?.[1]) * 1024;
  }
  throw new Error("this process has started no gateway");
}

/** Requests of 100 MB: refused in words, and the gateway neither dies nor takes them in. */
export function largeRequestCases(under: () => UnderTest): void {
  /** The answer to a body that is sent whether or not it is wanted, as far as the server takes it. */
  const send = (path: string, headers: Readonly<Record<string, string>>) =>
    new Promise<{ readonly status: number; readonly body: string }>((resolve, reject) => {
      const { url, fleet } = under();
      const authorization = `Bearer ${fleet.tokens.submitter}`;
      const sending = request(`${url}${path}`, {
        method: "POST",
        headers: { authorization, "content-type": "application/json", ...headers },
      });
      let answered = false;
      sending.on("response", (response) => {
        answered = true;
        text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
      });
      sending.on("error", (error) => {
        if (!answered) reject(error);
      });
      const chunk = Buffer.alloc(MEBIBYTE, " ");
      let sent = 0;
      const more = () => {
        while (sent < LARGE_BYTES && !answered && !sending.destroyed) {
          sent += MEBIBYTE;
          if (!sending.write(chunk)) return void sending.once("drain", more);
        }
        sending.end();
      };
      more();
    });

  describe("a request of 100 MB", () => {
    const withoutHarm = async (call: () => Promise<void>) => {
      const { user, fleet } = under();
      const before = await footprint(user);
      const peak = peakBytes();
      await call();
      expect(await footprint(user)).toEqual(before);
      expect(fleet.starts("gateway")).toBe(1);
      expect(peakBytes() - peak).toBeLessThan(MAX_GROWTH_BYTES);
    };

    it("by gRPC is refused with the limit, and the next call works", () =>
      withoutHarm(async () => {
        const client = grpcClient(under().url);
        const metadata = new Metadata();
        metadata.set("authorization", `Bearer ${under().fleet.tokens.submitter}`);
        const call = (body: unknown) =>
          new Promise<ServiceError | null>((resolve) => {
            client.SubmitJob(body, metadata, { deadline: Date.now() + 30_000 }, resolve);
          });
        const error = await call({ requestId: "large", spec: { sourceYaml: "x".repeat(LARGE_BYTES) } });
        expect(error).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
        expect(error?.details).toMatch(/4194304|4 MiB/);
        const next = await call({ requestId: "small", spec: {} });
        expect(next).toMatchObject({ code: status.INVALID_ARGUMENT });
        client.close();
      }));

    it.each([
      ["with its length", { "content-length": String(LARGE_BYTES) }],
      ["in chunks", {}],
    ])("by HTTP, %s, is refused with the limit", (_how, headers) =>
      withoutHarm(async () => {
        const rest = await send("/api/v1/models/register", headers);
        expect(rest.status).toBe(413);
        expect(JSON.parse(rest.body)).toMatchObject({
          code: "resource_exhausted",
          reason: "BODY_TOO_LARGE",
          message: expect.stringContaining("1048576 bytes"),
        });
        const rpc = await send("/trainyard.scheduler.v1.SchedulerService/SubmitJob", headers);
        expect(rpc.status).toBe(429);
        expect(JSON.parse(rpc.body)).toMatchObject({
          code: "resource_exhausted",
          message: expect.stringMatching(/4194304|4 MiB/),
        });
      }),
    );

    it("of nobody is refused before it is read", () =>
      withoutHarm(async () => {
        const nobody = { authorization: "Bearer nonsense" };
        expect((await send("/api/v1/models/register", nobody)).status).toBe(401);
        expect((await send("/trainyard.scheduler.v1.SchedulerService/SubmitJob", nobody)).status).toBe(401);
      }));
  });
}
