import type { Authenticate } from "@trainyard/service";

/**
 * Who an MLflow client's request is of: `MLFLOW_TRACKING_TOKEN` comes as a bearer token, `MLFLOW_TRACKING_PASSWORD` as the
 * password of basic authentication. Both are an API token; the user's name beside the password says nothing that the token does not.
 */
export function mlflowAuthenticate(authenticate: Authenticate): Authenticate {
  return (authorization) => {
    const basic = /^basic +(\S+) *$/i.exec(authorization ?? "")?.[1];
    if (basic === undefined) return authenticate(authorization);
    const [, password = ""] = splitOnce(Buffer.from(basic, "base64").toString("utf8"), ":");
    return authenticate(`Bearer ${password}`);
  };
}

function splitOnce(text: string, separator: string): readonly string[] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
