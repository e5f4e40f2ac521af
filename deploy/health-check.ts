/** A container's health check: exit code 0 when the service in it answers /readyz with 2xx, else 1 and why on stderr. */
const url = `http://127.0.0.1:${process.env.TRAINYARD_LISTEN_PORT}/readyz`;
try {
  const response = await fetch(url, { signal: AbortSignal.timeout(4_000) });
  if (!response.ok) throw new Error(`${response.status} ${(await response.text()).slice(0, 500)}`);
} catch (error) {
  process.stderr.write(`${url}: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
