import type { MlflowFile } from "./mlflow-source.ts";

/**
 * The files below s3://bucket/prefix, with the credentials and region that the AWS tools take from the environment, and
 * MLFLOW_S3_ENDPOINT_URL for a store of another maker. Only here the S3 client is loaded.
 */
export async function* s3Files(uri: string): AsyncGenerator<MlflowFile> {
  const { GetObjectCommand, ListObjectsV2Command, S3Client } = await import("@aws-sdk/client-s3");
  const { host: bucket, pathname } = new URL(uri);
  const prefix = `${decodeURIComponent(pathname).replace(/^\/+|\/+$/g, "")}/`;
  const endpoint = process.env.MLFLOW_S3_ENDPOINT_URL;
  const client = new S3Client({
    region: process.env.AWS_REGION ?? process.env.AWS_DEFAULT_REGION ?? "us-east-1",
    ...(endpoint === undefined || endpoint === "" ? {} : { endpoint, forcePathStyle: true }),
  });
  async function* download(key: string): AsyncGenerator<Uint8Array> {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    // In Node the body is a readable stream of buffers.
    if (Body !== undefined) yield* Body as AsyncIterable<Uint8Array>;
  }
  try {
    let token: string | undefined;
    do {
      const page = await client.send(
        new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ContinuationToken: token }),
      );
      for (const { Key: key } of page.Contents ?? [])
        if (key !== undefined && !key.endsWith("/"))
          yield { path: key.slice(prefix.length), content: { download: () => download(key) } };
      token = page.NextContinuationToken;
    } while (token !== undefined);
  } finally {
    client.destroy();
  }
}
