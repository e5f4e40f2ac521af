/** A process of the tests: deletes a blob (URL and digest are its arguments), and dies where it is told to. */
import { openBlobStore } from "./open-blob-store.ts";

const [url = "", digest = ""] = process.argv.slice(2);
await openBlobStore(url).delete(digest);
