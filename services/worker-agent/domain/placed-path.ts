/** Longest path of a file that is placed in an attempt's directory. */
const MAX_PATH = 512;

/** Names that the platform keeps for itself at the top of an attempt's directory. */
const reserved = /^(rank-\d+|work|resume|ckpt|.*\.(json|bin|lock|log|tmp))$/;

/**
 * Why a file may not be placed at this path below a folder, or undefined. Paths come from other services, which took
 * them from users.
 */
export function relativePathProblem(path: string): string | undefined {
  if (path === "" || path.length > MAX_PATH) return `is not 1 to ${MAX_PATH} characters long`;
  if (path.startsWith("/") || path.includes("\\")) return "is not a relative path";
  if (/\p{Cc}/u.test(path)) return "contains a control character";
  if (path.split("/").some((part) => part === "" || part === "." || part === "..")) {
    return 'contains an empty part, "." or ".."';
  }
  return undefined;
}

/** The same for an input of a job, which must also leave the platform's own files alone. */
export function inputPathProblem(path: string): string | undefined {
  const problem = relativePathProblem(path);
  if (problem !== undefined) return problem;
  const first = path.split("/")[0] ?? "";
  return reserved.test(first) ? `begins with ${first}, which the platform uses itself` : undefined;
}
