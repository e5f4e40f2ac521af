import { DomainError } from "@trainyard/domain";

/** The state folder that these scripts work on: TRAINYARD_STATE_DIR, which compose file and Tiltfile set. */
export function stateDir(env: Readonly<Record<string, string | undefined>> = process.env): string {
  const dir = env.TRAINYARD_STATE_DIR;
  if (dir !== undefined && dir !== "") return dir;
  throw new DomainError(
    "failed_precondition",
    "STATE_DIR_MISSING",
    "TRAINYARD_STATE_DIR is not set: it names the folder with the platform's secrets and ports, made by deploy/compose/prepare.ts or deploy/tilt/prepare.ts",
  );
}
